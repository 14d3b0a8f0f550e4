// Brings a database to the newest schema: the SQL files of migrations/, in order, each once.
import { readdir, readFile } from 'node:fs/promises'
import { Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ConfigError } from '../../config/config.ts'
import { createPool, type Pool } from './database.ts'
import { dialectOf } from './kyselyDriver.ts'

const directory = new URL('../../../migrations/', import.meta.url)

/**
 * Runs the migrations that a database has not seen and gives their names. Safe to call from
 * several processes at once: Kysely holds a lock, one does the work, the others find it done.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  return runMigrations(databaseUrl, await readMigrations())
}

/**
 * Runs only those migrations that another database has had, so that its rows fit. Throws
 * ConfigError where this release does not know one of them.
 */
export async function migrateTo(databaseUrl: string, names: readonly string[]): Promise<void> {
  const known = await readMigrations()
  const unknown = names.find(name => known[name] === undefined)
  if (unknown !== undefined) {
    throw new ConfigError(
      `The backup is of a newer release (it has had ${unknown}): restore it with that release`,
    )
  }
  const wanted = Object.entries(known).filter(([name]) => names.includes(name))
  await runMigrations(databaseUrl, Object.fromEntries(wanted))
}

async function runMigrations(
  databaseUrl: string,
  migrations: Record<string, Migration>,
): Promise<string[]> {
  const pool = createPool(databaseUrl, { size: 1, statementTimeoutMs: 0 })
  const db = new Kysely<unknown>({ dialect: dialectOf(pool) })
  try {
    await refuseForeign(pool)
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrations },
      migrationTableSchema: 'public',
      // One can mend what stops those after it, and is applied late where they have been already.
      allowUnorderedMigrations: true,
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
    return results.map(result => result.migrationName)
  } finally {
    await db.destroy()
  }
}

/**
 * Refuses a database that is another application's, or has been brought to a schema that this
 * release does not know. Throws ConfigError with one line; nothing has been changed then.
 */
async function refuseForeign(pool: Pool): Promise<void> {
  const { rows: tables } = await pool.query<{ name: string }>(foreignTables)
  const { rows: known } = await pool.query<{ found: boolean }>(
    "select to_regclass('public.kysely_migration') is not null as found",
  )
  const applied = known[0]?.found
    ? (await pool.query<{ name: string }>('select name from public.kysely_migration order by 1'))
        .rows
    : []
  const ours = new Set(Object.keys(await readMigrations()))
  const isOurs = applied.some(({ name }) => ours.has(name))
  const [newer] = applied.filter(({ name }) => !ours.has(name))
  if (!isOurs && (tables.length > 0 || newer !== undefined)) {
    const example = tables[0] === undefined ? '' : ` such as ${tables[0].name}`
    throw new ConfigError(
      `DATABASE_URL names a database of another application, with tables${example}: ` +
        'create an empty database for the shop, and set DATABASE_URL to it',
    )
  }
  if (newer !== undefined) {
    throw new ConfigError(
      `The database was brought to a newer schema by a newer release (${newer.name}): ` +
        'start that release, or restore a backup from before it',
    )
  }
}

/** Tables that no extension has brought along, whatever their schema. */
const foreignTables = `select n.nspname || '.' || c.relname as name
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and c.relname not like 'kysely\\_migration%'
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    and n.nspname not like 'pg\\_temp\\_%'
    and not exists (
      select 1 from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass
        and d.deptype = 'e'
    )
  order by 1
  limit 1`

async function readMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(directory)).filter(file => file.endsWith('.sql')).sort()
  const entries = files.map(async (file): Promise<[string, Migration]> => {
    const text = await readFile(new URL(file, directory), 'utf8')
    const up: Migration['up'] = async db => {
      await sql.raw(text).execute(db)
    }
    return [file.replace('.sql', ''), { up }]
  })
  return Object.fromEntries(await Promise.all(entries))
}
