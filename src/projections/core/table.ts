// Declares the tables of read models, each column once: its type in PostgreSQL and the schema of
// its values. Row types, JSON, COPY, API answers and erasure derive from it.
import Type, { type Static, type TSchema } from 'typebox'
import { Id } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'

type SqlType =
  | 'uuid'
  | 'text'
  | 'text[]'
  | 'bigint'
  | 'integer'
  | 'boolean'
  | 'timestamptz'
  | 'json'
  | 'jsonb'

/** A column. `Value` is what a row holds; `Selected` is what the driver returns for it. */
export interface Column<Value = unknown, Selected = unknown> {
  type: SqlType
  schema: TSchema
  /** The value after erasure, unless it is `[erased]` in each field. */
  erased?: object
  /** What the driver returns as rows and answers hold it. */
  plain(selected: Selected): Value
}

const AnyText = Type.String()
const AnyNumber = Type.Integer({
  minimum: -9_007_199_254_740_991,
  maximum: 9_007_199_254_740_991,
})
export const Time = Type.String({ format: 'date-time', maxLength: 40 })

const same = <Value>(value: Value) => value

export const uuid: Column<string, string> = { type: 'uuid', schema: Id, plain: same }
export const text: Column<string, string> = { type: 'text', schema: AnyText, plain: same }
export const integer: Column<number, number> = { type: 'integer', schema: AnyNumber, plain: same }
export const bigint: Column<number, bigint> = { type: 'bigint', schema: AnyNumber, plain: Number }
export const boolean: Column<boolean, boolean> = {
  type: 'boolean',
  schema: Type.Boolean(),
  plain: same,
}
export const texts: Column<string[], string[]> = {
  type: 'text[]',
  schema: Type.Array(AnyText),
  plain: same,
}
/** ISO 8601 in rows. */
export const time: Column<string, Date> = {
  type: 'timestamptz',
  schema: Time,
  plain: date => date.toISOString(),
}
/** A position in the log, as digits in rows. */
export const position: Column<string, Position> = {
  type: 'bigint',
  schema: AnyText,
  plain: String,
}

/** Text of a schema of the domain: personal where that is. */
export function textOf<Schema extends TSchema>(
  schema: Schema,
): Column<Static<Schema>, Static<Schema>> {
  return { type: 'text', schema, plain: same }
}

/** An array of text. */
export function textsOf<Schema extends TSchema>(
  schema: Schema,
): Column<Static<Schema>[], Static<Schema>[]> {
  return { type: 'text[]', schema: Type.Array(schema), plain: same }
}

/** JSON that is kept as it was written. */
export function json<Schema extends TSchema>(
  schema: Schema,
): Column<Static<Schema>, Static<Schema>> {
  return { type: 'json', schema, plain: same }
}

/** JSON that queries look into. */
export function jsonb<Schema extends TSchema>(
  schema: Schema,
  options: Pick<Column, 'erased'> = {},
): Column<Static<Schema>, Static<Schema>> {
  return { type: 'jsonb', schema, plain: same, ...options }
}

/** The same column, which may be empty. */
export function nullable<Value, Selected>({
  schema,
  ...column
}: Column<Value, Selected>): Column<Value | null, Selected | null> {
  return {
    type: column.type,
    schema: Type.Union([schema, Type.Null()]),
    plain: selected => (selected === null ? null : column.plain(selected)),
  }
}

/** A table whose rows are `Row` in JSON: times are text, numbers are numbers. */
export interface Table<Row extends object = object> {
  name: string
  columns: { [Name in keyof Row]-?: Column<Row[Name]> }
  /** The column that says whom personal text is about; `actor` has a role before the id. */
  person?: 'customer_id' | 'actor'
}

/** A table with one row a key. */
export interface KeyedTable<Row extends object> extends Table<Row> {
  key: keyof Row & string
}

/** A table whatever its rows are. */
export interface AnyTable extends Pick<Table, 'name' | 'person'> {
  columns: Readonly<Record<string, Column>>
}

/** The rows of a table in JSON, as events are folded into them. */
export type RowOf<Of extends Pick<AnyTable, 'columns'>> = {
  -readonly [Name in keyof Of['columns']]: Of['columns'][Name] extends Column<infer Value>
    ? Value
    : never
}

/** The rows of a table as queries select them. */
export type SelectedOf<Of extends Pick<AnyTable, 'columns'>> = {
  -readonly [Name in keyof Of['columns']]: Of['columns'][Name] extends Column<
    unknown,
    infer Selected
  >
    ? Selected
    : never
}

/** The names of columns, as keys of theirs. */
export function namesOf<Columns extends object>(columns: Columns): (keyof Columns & string)[] {
  const isName = (name: string): name is keyof Columns & string => name in columns
  return Object.keys(columns).filter(isName)
}
