// Tables beside those that serve: made empty, filled, compared, and put in their place.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Projection } from '../core/projection.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>

const serving = 'readmodel'

/** The schema in which the tables of a projection are rebuilt. */
export const shadowOf = (name: string) => `rebuild_${name.toLowerCase()}`

/**
 * Empty tables like those of a projection, in a schema of their own. They have the keys that
 * writing needs; the other indexes come when the tables are full, which is faster.
 */
export async function createShadow(db: Db, projection: Projection, shadow: string): Promise<void> {
  await dropSchema(db, shadow)
  await sql`create schema ${sql.id(shadow)}`.execute(db)
  for (const table of projection.tables) {
    await sql`
      create table ${sql.id(shadow, table)} (
        like ${sql.id(serving, table)} including all excluding indexes
      )
    `.execute(db)
    await skipAutovacuum(db, shadow, table)
  }
  if (!projection.onlyAdds) await addKeys(db, projection, shadow)
}

/** Gives tables the keys of the serving ones that they lack. Throws if a row is there twice. */
export async function addKeys(db: Db, projection: Projection, shadow: string): Promise<void> {
  for (const table of projection.tables) {
    const { rows } = await sql<{ name: string; definition: string }>`
      select conname as name, pg_get_constraintdef(oid) as definition
      from pg_constraint
      where conrelid = ${`${serving}.${table}`}::regclass and contype in ('p', 'u')
        and conname not in (
          select conname from pg_constraint where conrelid = ${`${shadow}.${table}`}::regclass
        )
    `.execute(db)
    for (const { name, definition } of rows) {
      // From the catalogue of the database itself, which has no placeholders for it.
      await sql`
        alter table ${sql.id(shadow, table)} add constraint ${sql.id(name)} ${sql.raw(definition)}
      `.execute(db)
    }
  }
}

/** Statements that make the indexes of the serving tables for the shadow; those there stay. */
export async function missingIndexes(
  db: Db,
  projection: Projection,
  shadow: string,
): Promise<string[]> {
  const { rows } = await sql<{ definition: string }>`
    select pg_get_indexdef(i.indexrelid) as definition
    from pg_index i
    where i.indrelid = any(${projection.tables.map(each => `${serving}.${each}`)}::regclass[])
      and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)
  `.execute(db)
  return rows.map(({ definition }) =>
    definition
      .replace(' INDEX ', ' INDEX IF NOT EXISTS ')
      .replace(` ON ${serving}.`, ` ON ${shadow}.`),
  )
}

/** How many bytes the rows of a projection take in a schema. */
export async function sizeOf(db: Db, projection: Projection, schema: string): Promise<number> {
  const { rows } = await sql<{ bytes: bigint }>`
    select sum(pg_table_size(t::regclass))::bigint as bytes
    from unnest(${projection.tables.map(each => `${schema}.${each}`)}::text[]) t
  `.execute(db)
  return Number(rows[0]?.bytes ?? 0)
}

/** Drops a schema, whether it is there or not. */
export async function dropSchema(db: Db, schema: string): Promise<void> {
  await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db)
}

/** Whether a schema has all tables of a projection. */
export async function hasTables(db: Db, projection: Projection, schema: string): Promise<boolean> {
  const { rows } = await sql<{ found: bigint }>`
    select count(*) as found from pg_tables
    where schemaname = ${schema} and tablename = any(${projection.tables}::text[])
  `.execute(db)
  return Number(rows[0]?.found) === projection.tables.length
}

/**
 * Keeps the database from cleaning up a table by itself, which holds up for a second who indexes or
 * moves it: it is being filled, or not used any more.
 */
async function skipAutovacuum(db: Db, schema: string, table: string): Promise<void> {
  await sql`alter table ${sql.id(schema, table)} set (autovacuum_enabled = false)`.execute(db)
}

/**
 * Tells the database what is in tables that nobody has looked at yet, so that it plans well: in the
 * columns that it can choose an index for. It looks at the others by itself within minutes.
 */
export async function analyze(db: Db, projection: Projection, schema: string): Promise<void> {
  const isIndexed = sql`exists (
    select 1 from pg_index where indrelid = attrelid and attnum = any(indkey::int2[])
  )`
  for (const table of projection.tables) {
    const columns = await columnsOf(db, { schema, table }, isIndexed)
    const names = sql.join(columns.map(({ name }) => sql.id(name)))
    await sql`analyze ${sql.id(schema, table)} (${names})`.execute(db)
  }
}

/**
 * Keeps everybody from cleaning up the serving tables until the transaction ends, once nobody does:
 * the database itself gives way within a second. Readers and writers go on meanwhile; behind who
 * waits to move a table they would all wait, too.
 */
export async function blockAutovacuum(db: Db, projection: Projection): Promise<void> {
  const tables = projection.tables.map(table => sql.id(serving, table))
  await sql`lock table ${sql.join(tables)} in share update exclusive mode`.execute(db)
}

/** Moves the tables of a projection to another schema, which is made for it. */
async function move(db: Db, projection: Projection, from: string, to: string): Promise<void> {
  for (const table of projection.tables) {
    await sql`alter table ${sql.id(from, table)} set schema ${sql.id(to)}`.execute(db)
  }
}

/** Puts the tables of one schema in the place of the serving ones, which are kept in another. */
export async function replaceTables(
  db: Db,
  projection: Projection,
  { by, keptIn }: { by: string; keptIn: string },
): Promise<void> {
  const aside = `${keptIn}_aside`
  await sql`create schema ${sql.id(aside)}`.execute(db)
  await move(db, projection, serving, aside)
  await move(db, projection, by, serving)
  for (const table of projection.tables) {
    await skipAutovacuum(db, aside, table)
    await sql`alter table ${sql.id(serving, table)} reset (autovacuum_enabled)`.execute(db)
  }
  await dropSchema(db, by)
  await dropSchema(db, keptIn)
  await sql`alter schema ${sql.id(aside)} rename to ${sql.id(keptIn)}`.execute(db)
}

/**
 * Reads and writes the tables of a schema instead of the serving ones, until the transaction ends.
 */
export async function writeToShadow(db: Db, shadow: string): Promise<void> {
  await settingsOn(shadow).execute(db)
}

/** Begins a transaction that does so, in one round trip. */
export async function beginOnShadow(session: Db, shadow: string): Promise<void> {
  await sql`begin; ${settingsOn(shadow)}`.execute(session)
}

/** A shadow that a crash loses is filled again: its commits need not wait for the disk. */
const settingsOn = (shadow: string) => sql`
  set local synchronous_commit = off;
  set local search_path = ${sql.id(shadow)}, shop, public
`

/** How many rows a table of this schema has, and a digest of them in whatever order they are. */
export async function summarizeTable(db: Db, schema: string, table: string) {
  const { rows } = await sql<{ rows: bigint; digest: string }>`
    select count(*) as rows,
      -- Hashed column by column, a third of what their text costs. No two rows are equal: each
      -- table has a key, so that what is taken together by "exclusive or" does not cancel out.
      -- Two tables of as many rows that are not equal have one digest once in 2^64 times.
      coalesce(bit_xor(${await rowHash(db, { schema, table })}), 0)::text as digest
    from ${sql.id(schema, table)}
  `.execute(db)
  return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '' }
}

/** An expression for a hash of a row. */
export async function rowHash(db: Db, of: { schema: string; table: string }) {
  // What is generated follows from the others, and not all of its types have hashes.
  const columns = await columnsOf(db, of, sql`attgenerated = ''`)
  return sql`hash_record_extended(row(${sql.join(columns.map(hashable))}), 1)`
}

/** The columns of the key of a serving table: the primary one, or else one that is unique. */
export async function keyOf(db: Db, table: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select attname as name
    from pg_attribute, (
      select conrelid, conkey from pg_constraint
      where conrelid = ${`${serving}.${table}`}::regclass and contype in ('p', 'u')
      order by contype limit 1
    ) key
    where attrelid = conrelid and attnum = any(conkey)
    order by array_position(conkey, attnum)
  `.execute(db)
  return rows.map(({ name }) => name)
}

interface Column {
  name: string
  type: string
}

/** JSON that is kept as it was written is told apart by its letters. */
function hashable({ name, type }: Column) {
  return type === 'json' ? sql`${sql.ref(name)}::text` : sql.ref(name)
}

async function columnsOf(
  db: Db,
  { schema, table }: { schema: string; table: string },
  condition: RawBuilder<unknown>,
): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select attname as name, atttypid::regtype::text as type
    from pg_attribute
    where attrelid = ${`${schema}.${table}`}::regclass
      and attnum > 0 and not attisdropped and ${condition}
    order by attname
  `.execute(db)
  return rows
}

/** The digests of all tables of a projection in a schema. */
export async function digestOf(db: Db, projection: Projection, schema: string): Promise<string> {
  const parts: string[] = []
  for (const table of projection.tables) {
    const { rows, digest } = await summarizeTable(db, schema, table)
    parts.push(`${table} ${rows} ${digest}`)
  }
  return parts.join('\n')
}
