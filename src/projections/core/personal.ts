// The columns of read models with personal text: those whose schema is `Personal(…)` in the domain.
// Erasure, its certificate and the tests derive from them.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { personalPaths } from '../../domain/kernel/personal.ts'
import { erasedText } from '../../domain/kernel/types.ts'
import type { AnyTable, Column } from './table.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A column with personal text. */
export interface PersonalColumn {
  table: string
  column: string
  type: Column['type']
  /** The column with the person's id; in `actor` the id follows a role. */
  person: NonNullable<AnyTable['person']>
  /** The value that a rebuild writes once the key is destroyed. */
  erased: string
}

/** The personal columns of some tables. Throws for a table without `person`. */
export function personalColumnsOf(tables: readonly AnyTable[]): PersonalColumn[] {
  return tables.flatMap(({ name: table, columns, person }) =>
    Object.entries(columns).flatMap(([name, column]) => {
      if (personalPaths(column.schema).length === 0) return []
      if (person === undefined) throw new Error(`${table}.${name} is about nobody: name its person`)
      return [{ table, column: name, type: column.type, person, erased: erasedValue(column) }]
    }),
  )
}

function erasedValue({ type, schema, erased }: Column): string {
  if (type === 'text') return erasedText
  if (erased !== undefined) return JSON.stringify(erased)
  const paths = personalPaths(schema)
  return JSON.stringify(Object.fromEntries(paths.map(path => [path.join('/'), erasedText])))
}

/** Personal columns of one table in one schema. */
export interface Place {
  /** Undefined for the schema that the session writes to. */
  schema: string | undefined
  table: string
  columns: readonly PersonalColumn[]
}

/** Personal columns by table, in the schema that the session writes to. */
export function placesOf(columns: readonly PersonalColumn[]): Place[] {
  const tables = Map.groupBy(columns, ({ table }) => table)
  return [...tables].map(([table, own]) => ({ schema: undefined, table, columns: own }))
}

/** The tables of the database that have these columns: serving, previous or being filled. */
export async function findPlaces(
  db: Db,
  columns: readonly PersonalColumn[],
  schema?: string,
): Promise<Place[]> {
  const tables = [...new Set(columns.map(each => each.table))]
  const { rows } = await sql<{ schema: string; table: string; columns: string[] }>`
    select n.nspname as schema, c.relname as table, array_agg(a.attname::text) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and c.relname = any(${tables}::text[])
      and n.nspname !~ '^pg_' and n.nspname = coalesce(${schema ?? null}::text, n.nspname)
    group by n.nspname, c.relname
    order by n.nspname, c.relname
  `.execute(db)
  return rows.flatMap(row => {
    const own = columns.filter(
      ({ table, column, person }) =>
        table === row.table && row.columns.includes(column) && row.columns.includes(person),
    )
    return own.length === 0 ? [] : [{ schema: row.schema, table: row.table, columns: own }]
  })
}

/** Statements that replace personal text by the value that a rebuild would write. */
export function forgetting(
  db: Db,
  places: readonly Place[],
  people: readonly string[],
): CompiledQuery[] {
  return places.flatMap(({ schema, table, columns }) =>
    columns.map(column => {
      const name = sql.ref(column.column)
      const update = sql`
        update ${tableOf(schema, table)}
        set ${name} = ${erasedIn(column)}
        where ${isAbout(column, people)} and ${isReadable(column)}
      `
      return update.compile(db)
    }),
  )
}

function erasedIn({ type, erased }: PersonalColumn) {
  if (type === 'text') return sql`${erased}::text`
  return type === 'json' ? sql`${erased}::json` : sql`${erased}::jsonb`
}

/** The name of a table in SQL. */
export function tableOf(schema: string | undefined, table: string) {
  return schema === undefined ? sql.id(table) : sql.id(schema, table)
}

/** Whether a row is about one of these people. */
export function isAbout({ person }: PersonalColumn, people: readonly string[]) {
  return person === 'actor'
    ? sql`split_part(actor, ':', 2) = any(${people}::text[])`
    : sql`customer_id = any(${people}::uuid[])`
}

/** Whether the column still has personal text. */
export function isReadable({ column, type, erased }: PersonalColumn) {
  const name = sql.ref(column)
  return type === 'text' ? sql`${name} <> ${erased}` : sql`${name}::text not in (${erased}, 'null')`
}
