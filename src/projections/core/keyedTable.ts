// Tables that hold one row a key, folded in memory: a batch is one select, what is new
// and what is different.
import { CompiledQuery, type Kysely } from 'kysely'
import { copyFrom, copyOf } from './copyIn.ts'
import type { ReadEvent } from './events.ts'
import { prepared } from './pipeline.ts'
import { type KeyedTable, namesOf, type Table } from './table.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export interface Folding<Row extends object> {
  keyOf(event: ReadEvent): string | undefined
  /**
   * Whether `evolve` makes a row of an event whatever was there: a key whose first event in a batch
   * is such a one is not looked up.
   */
  isCreation?(event: ReadEvent): boolean
  /**
   * The row after an event; undefined where there is none (any more). Never changes `row`. Events
   * of one key come in their order; those of different keys do not.
   */
  evolve(row: Row | undefined, event: ReadEvent): Row | undefined
}

/** What one event made of a row. */
export interface Step<Row> {
  before: Row | undefined
  after: Row | undefined
  event: ReadEvent
}

/** The statements that a batch comes to, and each step that led to them, key by key. */
export interface Folded<Row> {
  writes: CompiledQuery[]
  steps: readonly Step<Row>[]
}

/** Folds a batch into a table; a key that many events touch is written once. */
export async function fold<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  events: readonly ReadEvent[],
  folding: Folding<Row>,
): Promise<Folded<Row>> {
  const groups = Map.groupBy(events, event => folding.keyOf(event))
  const keys = [...groups.keys()].filter(key => key !== undefined)
  const isNew = (event: ReadEvent | undefined) => event && folding.isCreation?.(event)
  const sought = keys.filter(key => !isNew(groups.get(key)?.[0]))
  const before = await load(db, table, sought)
  const fresh: Row[] = []
  const changed: Change<Row>[] = []
  const gone: string[] = []
  const steps: Step<Row>[] = []
  for (const key of keys) {
    const old = before.get(key)
    let row = old
    for (const event of groups.get(key) ?? []) {
      const after = folding.evolve(row, event)
      steps.push({ before: row, after, event })
      row = after
    }
    if (row === old) continue
    if (row === undefined) gone.push(key)
    else if (old === undefined) fresh.push(row)
    else changed.push({ old, row })
  }
  // Keys that were not there are not there now: nobody else writes to the table of a projection.
  const writes = [
    ...(fresh.length >= copyFrom ? [copyOf(table, fresh)] : upsertOf(table, fresh)),
    ...updateOf(table, changed),
    ...(gone.length > 0
      ? [prepared(CompiledQuery.raw(textsOf(table).remove, [arrayOf(gone)]))]
      : []),
  ]
  return { writes, steps }
}

interface Change<Row> {
  old: Row
  row: Row
}

/**
 * The statement that writes what is different in rows that are there. What follows from other
 * columns is worked out anew by the database only where one of those is written: the words by which
 * a product is found, not each time that one is sold.
 */
function updateOf<Row extends object>(
  table: KeyedTable<Row>,
  changes: readonly Change<Row>[],
): CompiledQuery[] {
  const columns = namesOf(table.columns).filter(column =>
    changes.some(({ old, row }) => old[column] !== row[column]),
  )
  if (columns.length === 0) return []
  const written = [table.key, ...columns]
  const values = changes.map(({ row }) =>
    Object.fromEntries(written.map(column => [column, row[column]])),
  )
  const keys = arrayOf(changes.map(({ row }) => String(row[table.key])))
  return [prepared(CompiledQuery.raw(updateText(table, columns), [JSON.stringify(values), keys]))]
}

/** The rows that are there, by key. */
async function load<Row extends object>(
  db: Db,
  table: KeyedTable<Row>,
  keys: readonly string[],
): Promise<Map<string, Row>> {
  if (keys.length === 0) return new Map()
  const query = prepared(CompiledQuery.raw(textsOf(table).load, [arrayOf(keys)]))
  const { rows } = await db.executeQuery<{ key: string; row: Row }>(query)
  return new Map(rows.map(({ key, row }) => [key, row]))
}

/** Keys are UUIDs: what is none is refused by the database, in an array as it is by itself. */
function arrayOf(keys: readonly string[]): string {
  return `{${keys.join()}}`
}

/** The statement that writes rows, whether they are new or not; none for none. */
export function upsertOf<Row extends object>(
  table: KeyedTable<Row>,
  rows: readonly NoInfer<Row>[],
): CompiledQuery[] {
  if (rows.length === 0) return []
  return [prepared(CompiledQuery.raw(textsOf(table).upsert, [JSON.stringify(rows)]))]
}

/**
 * The statement that adds rows, none for none; those whose key is there already stay as they are.
 * Where there are many it throws on such a key: whoever applies a batch then applies its events
 * one by one.
 */
export function insertOf<Row extends object>(
  table: Table<Row>,
  rows: readonly NoInfer<Row>[],
): CompiledQuery[] {
  if (rows.length === 0) return []
  if (rows.length >= copyFrom) return [copyOf(table, rows)]
  return [prepared(CompiledQuery.raw(insertText(table), [JSON.stringify(rows)]))]
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
  const columns = namesOf(table.columns).map(column => `"${column}"`)
  const changing = namesOf(table.columns)
    .filter(column => column !== key)
    .map(column => `"${column}" = excluded."${column}"`)
  const texts = {
    load: `
      select r."${key}"::text as key, to_json(r) as row
      from (select ${columns.join(', ')} from "${name}" where "${key}" = any($1::uuid[])) r`,
    upsert: `${addText(table)} on conflict ("${key}") do update set ${changing.join(', ')}`,
    remove: `delete from "${name}" where "${key}" = any($1::uuid[])`,
  }
  built.set(table, texts)
  return texts
}

const inserts = new WeakMap<object, string>()

function insertText<Row extends object>(table: Table<Row>): string {
  const text = inserts.get(table) ?? `${addText(table)} on conflict do nothing`
  inserts.set(table, text)
  return text
}

/**
 * Batches differ in which columns they change; there are few of these sets. The keys are given
 * twice: planned for a table that was small, the join alone reads all of one that has grown.
 */
const updates = new WeakMap<object, Map<string, string>>()

function updateText<Row extends object>(
  table: KeyedTable<Row>,
  columns: readonly (keyof Row & string)[],
): string {
  const texts = updates.get(table) ?? new Map<string, string>()
  updates.set(table, texts)
  const names = columns.join()
  const { name, key } = table
  const settings = columns.map(column => `"${column}" = r."${column}"`)
  const text =
    texts.get(names) ??
    `
    update "${name}" t
    set ${settings.join(', ')}
    from ${recordset(table, [key, ...columns])}
    where t."${key}" = r."${key}" and t."${key}" = any($2::uuid[])`
  texts.set(names, text)
  return text
}

function addText<Row extends object>(table: Table<Row>): string {
  const names = namesOf(table.columns)
  const list = names.map(column => `"${column}"`).join(', ')
  return `
    insert into "${table.name}" (${list})
    select ${list}
    from ${recordset(table, names)}`
}

/** The rows of a JSON parameter, `$1`, as `r` with some columns of a table. */
export function recordset<Row extends object>(
  { columns }: Table<Row>,
  names: readonly (keyof Row & string)[] = namesOf(columns),
): string {
  const typed = names.map(name => `"${name}" ${columns[name].type}`)
  return `json_to_recordset($1::json) as r(${typed.join(', ')})`
}
