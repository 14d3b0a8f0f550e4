// Tables that hold one row a key, folded in memory: one select and one upsert a batch.
import { CompiledQuery, type Kysely } from 'kysely'
import { copyFrom, copyOf } from './copying.ts'
import type { ReadEvent } from './projection.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A table as JSON rows: times are text, numbers are numbers. */
export interface RowTable<Row extends object> {
  name: string
  columns: { [Column in keyof Row]-?: string }
}

export interface KeyedTable<Row extends object> extends RowTable<Row> {
  key: keyof Row & string
}

export interface Folding<Row extends object> {
  keyOf(event: ReadEvent): string | undefined
  /** The row after an event; undefined where there is none (any more). Never changes `row`. */
  evolve(row: Row | undefined, event: ReadEvent): Row | undefined
}

/** Folds a batch into a table; a key that many events touch is written once. */
export async function foldInto<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  events: readonly ReadEvent[],
  folding: Folding<Row>,
): Promise<void> {
  await execute(db, await fold(db, table, events, folding))
}

/** What folding a batch into a table has to write. */
export async function fold<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  events: readonly ReadEvent[],
  folding: Folding<Row>,
): Promise<CompiledQuery[]> {
  const keys = events.map(event => folding.keyOf(event))
  const wanted = new Set<string>()
  for (const key of keys) if (key !== undefined) wanted.add(key)
  if (wanted.size === 0) return []
  const before = await load(db, table, [...wanted])
  const after = new Map<string, Row | undefined>(before)
  for (const [index, event] of events.entries()) {
    const key = keys[index]
    if (key !== undefined) after.set(key, folding.evolve(after.get(key), event))
  }
  return differences(table, before, after)
}

function differences<Row extends object>(
  table: KeyedTable<Row>,
  before: Map<string, Row>,
  after: Map<string, Row | undefined>,
): CompiledQuery[] {
  const fresh: Row[] = []
  const changed: Row[] = []
  const gone: string[] = []
  for (const [key, row] of after) {
    const old = before.get(key)
    if (row === old) continue
    if (row === undefined) gone.push(key)
    else if (old === undefined) fresh.push(row)
    else changed.push(row)
  }
  // Keys that were not there are not there now: nobody else writes to the table of a projection.
  const isMany = fresh.length >= copyFrom
  return [
    ...(isMany ? [copyOf(table, fresh)] : []),
    ...upsertOf(table, isMany ? changed : [...fresh, ...changed]),
    ...(gone.length > 0 ? [CompiledQuery.raw(textsOf(table).remove, [arrayOf(gone)])] : []),
  ]
}

/** The rows that are there, by key. */
async function load<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  keys: readonly string[],
): Promise<Map<string, Row>> {
  const query = CompiledQuery.raw(textsOf(table).load, [arrayOf(keys)])
  const { rows } = await db.executeQuery<{ key: string; row: Row }>({ ...query })
  return new Map(rows.map(({ key, row }) => [key, row]))
}

/** Keys are UUIDs: what is none is refused by the database, in an array as it is by itself. */
function arrayOf(keys: readonly string[]): string {
  return `{${keys.join()}}`
}

/** Writes rows in one statement, whether they are new or not. */
export async function upsert<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  rows: readonly Row[],
): Promise<void> {
  await execute(db, upsertOf(table, rows))
}

/** The statement that writes rows, whether they are new or not; none for none. */
export function upsertOf<Row extends object>(
  table: KeyedTable<Row>,
  rows: readonly Row[],
): CompiledQuery[] {
  if (rows.length === 0) return []
  return [CompiledQuery.raw(textsOf(table).upsert, [JSON.stringify(rows)])]
}

/**
 * Adds rows in one statement; those whose key is there already stay as they are. Where there are
 * many it throws on such a key: whoever applies a batch then applies its events one by one.
 */
export async function insertNew<Row extends object>(
  db: Db,
  table: RowTable<Row>,
  rows: readonly Row[],
): Promise<void> {
  await execute(db, insertOf(table, rows))
}

/** The statement that adds rows; none for none. */
export function insertOf<Row extends object>(
  table: RowTable<Row>,
  rows: readonly Row[],
): CompiledQuery[] {
  if (rows.length === 0) return []
  if (rows.length >= copyFrom) return [copyOf(table, rows)]
  return [CompiledQuery.raw(insertText(table), [JSON.stringify(rows)])]
}

/** Executes statements one after the other. */
export async function execute(db: Db, statements: readonly CompiledQuery[]): Promise<void> {
  for (const statement of statements) await db.executeQuery(statement)
}

interface Texts {
  load: string
  upsert: string
  remove: string
}

/** Built once: putting a statement together costs as much as sending it. */
const built = new WeakMap<object, Texts>()

function textsOf<Row extends object>(table: KeyedTable<Row>): Texts {
  const known = built.get(table)
  if (known !== undefined) return known
  const { name, key } = table
  const changing = Object.keys(table.columns)
    .filter(column => column !== key)
    .map(column => `"${column}" = excluded."${column}"`)
  const texts = {
    load: `
      select /* planned once */ "${key}"::text as key, to_json(t) as row
      from "${name}" t
      where "${key}" = any($1::uuid[])`,
    upsert: `${addText(table)} on conflict ("${key}") do update set ${changing.join(', ')}`,
    remove: `delete from "${name}" where "${key}" = any($1::uuid[])`,
  }
  built.set(table, texts)
  return texts
}

const inserts = new WeakMap<object, string>()

function insertText<Row extends object>(table: RowTable<Row>): string {
  const text = inserts.get(table) ?? `${addText(table)} on conflict do nothing`
  inserts.set(table, text)
  return text
}

function addText<Row extends object>({ name, columns }: RowTable<Row>): string {
  const names = Object.keys(columns).map(column => `"${column}"`)
  const types = Object.entries(columns).map(([column, type]) => `"${column}" ${type}`)
  return `
    insert into "${name}" (${names.join(', ')})
    select ${names.join(', ')}
    from json_to_recordset($1::json) as r(${types.join(', ')})`
}
