// Tables that hold one row a key, folded in memory: one select and one upsert a batch.
import { type Kysely, sql } from 'kysely'
import type { ReadEvent } from './projection.ts'
import type { Tables } from './tables.ts'

/** A table as JSON rows: times are text, numbers are numbers. */
export interface KeyedTable<Row extends object> {
  name: string
  key: keyof Row & string
  columns: { [Column in keyof Row]-?: string }
}

export interface Folding<Row extends object> {
  keyOf(event: ReadEvent): string | undefined
  /** The row after an event; undefined where there is none (any more). Never changes `row`. */
  evolve(row: Row | undefined, event: ReadEvent): Row | undefined
}

/** Folds a batch into a table; a key that many events touch is written once. */
export async function foldInto<Row extends object>(
  db: Kysely<Tables>,
  table: KeyedTable<Row>,
  events: readonly ReadEvent[],
  folding: Folding<Row>,
): Promise<void> {
  const keyed = events.flatMap(event => {
    const key = folding.keyOf(event)
    return key === undefined ? [] : [{ key, event }]
  })
  if (keyed.length === 0) return
  const before = await load(db, table, [...new Set(keyed.map(({ key }) => key))])
  const after = new Map<string, Row | undefined>(before)
  for (const { key, event } of keyed) after.set(key, folding.evolve(after.get(key), event))
  const changed = [...after].filter(([key, row]) => row !== before.get(key))
  await upsert(
    db,
    table,
    changed.flatMap(([, row]) => (row === undefined ? [] : [row])),
  )
  await remove(
    db,
    table,
    changed.flatMap(([key, row]) => (row === undefined ? [key] : [])),
  )
}

/** The rows that are there, by key. */
async function load<Row extends object>(
  db: Kysely<Tables>,
  table: KeyedTable<Row>,
  keys: string[],
): Promise<Map<string, Row>> {
  const { rows } = await sql<{ key: string; row: Row }>`
    select /* planned once */ ${sql.ref(table.key)}::text as key, to_json(t) as row
    from ${sql.table(table.name)} t
    where ${sql.ref(table.key)} = any(${keys}::uuid[])
  `.execute(db)
  return new Map(rows.map(({ key, row }) => [key, row]))
}

/** Writes rows in one statement, whether they are new or not. */
export async function upsert<Row extends object>(
  db: Kysely<Tables>,
  table: KeyedTable<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return
  const columns = Object.keys(table.columns)
  const changing = columns
    .filter(column => column !== table.key)
    .map(column => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`)
  await sql`
    insert into ${sql.table(table.name)} (${sql.join(columns.map(column => sql.ref(column)))})
    select ${sql.join(columns.map(column => sql.ref(column)))}
    from json_to_recordset(${JSON.stringify(rows)}::json) as r(${definition(table.columns)})
    on conflict (${sql.ref(table.key)}) do update
    set ${sql.join(changing)}
  `.execute(db)
}

/** Adds rows in one statement; those whose key is there already stay as they are. */
export async function insertNew<Row extends object>(
  db: Kysely<Tables>,
  table: { name: string; columns: { [Column in keyof Row]-?: string } },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return
  const columns = Object.keys(table.columns).map(column => sql.ref(column))
  await sql`
    insert into ${sql.table(table.name)} (${sql.join(columns)})
    select ${sql.join(columns)}
    from json_to_recordset(${JSON.stringify(rows)}::json) as r(${definition(table.columns)})
    on conflict do nothing
  `.execute(db)
}

function definition(columns: Record<string, string>) {
  return sql.join(
    Object.entries(columns).map(([name, type]) => sql`${sql.ref(name)} ${sql.raw(type)}`),
  )
}

async function remove<Row extends object>(
  db: Kysely<Tables>,
  table: KeyedTable<Row>,
  keys: string[],
): Promise<void> {
  if (keys.length === 0) return
  await sql`
    delete from ${sql.table(table.name)}
    where ${sql.ref(table.key)} = any(${keys}::uuid[])
  `.execute(db)
}
