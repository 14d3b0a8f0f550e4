// How rows are shown: each field of an answer once, with its schema and what it is made of.
import Type, { type TSchema, type TUnsafe } from 'typebox'
import { personalPaths } from '../../domain/kernel/personal.ts'
import { Money } from '../../domain/kernel/types.ts'
import type { AnyTable, SelectedOf, Table } from './table.ts'

/** A field of an answer. */
export interface Field<Value, Row = object> {
  schema: TSchema
  of(row: Row): Value
}

/** A column as it is in JSON. */
export function field<Row extends object, Name extends keyof Row & string>(
  { columns }: Table<Row>,
  name: Name,
): Field<Row[Name], { [Column in Name]: unknown }> {
  const column = columns[name]
  return { schema: shown(column.schema), of: row => column.plain(row[name]) }
}

/** An amount in the currency of its row. */
export function money<Name extends string>(
  name: Name,
): Field<Money, { [Column in Name]: bigint } & { currency: string }> {
  return { schema: Money, of: row => ({ amount: Number(row[name]), currency: row.currency }) }
}

/** A value that is worked out. */
export function computed<Value, Row>(schema: TSchema, of: (row: Row) => Value): Field<Value, Row> {
  return { schema: shown(schema), of }
}

/** A schema without the mark of personal text, which is for the log. */
function shown(schema: TSchema): TSchema {
  if (personalPaths(schema).length === 0) return schema
  const text = JSON.stringify(schema, (key, value) => (key === 'personal' ? undefined : value))
  const plain: Record<string, unknown> = JSON.parse(text)
  return Type.Unsafe(plain)
}

type Values<Fields> = {
  -readonly [Name in keyof Fields]: Fields[Name] extends Field<infer Value, never> ? Value : never
}

interface View<Row, Fields> {
  /** The properties of the schema of an answer. */
  properties: { [Name in keyof Fields]: TUnsafe<Values<Fields>[Name]> }
  of(row: Row): Values<Fields>
}

/** Shows rows of a table. */
export function view<
  Of extends AnyTable,
  Fields extends Readonly<Record<string, Field<unknown, SelectedOf<Of>>>>,
>(table: Of, fields: Fields): View<SelectedOf<Of>, Fields>
export function view(_: AnyTable, fields: Readonly<Record<string, Field<unknown>>>): unknown {
  const all = Object.entries(fields)
  return {
    properties: Object.fromEntries(all.map(([name, { schema }]) => [name, schema])),
    of: (row: object) => Object.fromEntries(all.map(([name, each]) => [name, each.of(row)])),
  }
}
