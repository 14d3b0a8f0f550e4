// Brings a database to the newest schema: the SQL files of migrations/, in order, each once.
import { readdir, readFile } from 'node:fs/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { createPool } from './database.ts'

const directory = new URL('../../migrations/', import.meta.url)

/**
 * Runs the migrations that a database has not seen and gives their names. Safe to call from
 * several processes at once: Kysely holds a lock, one does the work, the others find it done.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const pool = createPool(databaseUrl, { size: 1, statementTimeoutMs: 0 })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: readMigrations },
      migrationTableSchema: 'public',
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
    return results.map(result => result.migrationName)
  } finally {
    await db.destroy()
  }
}

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
