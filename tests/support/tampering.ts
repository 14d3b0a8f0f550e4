// Changes past the shop by a superuser of its database, and taking them back.
import type { Pool } from '../../src/infra/postgres/database.ts'

/** Runs statements as a superuser for whom no trigger of the log is in the way. */
export async function runAsSuperuser(pool: Pool, statements: readonly string[]): Promise<void> {
  const session = await pool.connect()
  try {
    await session.query('set session_replication_role = replica')
    for (const statement of statements) await session.query(statement)
  } finally {
    session.release(true)
  }
}

/** Copies tables into the schema `saved`; gives statements that bring back what was there. */
export async function saveTables(pool: Pool, tables: readonly string[]): Promise<string[]> {
  await pool.query('create schema saved')
  const restoring: string[] = []
  for (const table of tables) {
    const saved = `saved.${table.replace('.', '_')}`
    const { rows } = await pool.query<{ columns: string }>(
      `select string_agg(quote_ident(attname), ', ') as columns from pg_attribute
       where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
      [table],
    )
    const columns = rows[0]?.columns ?? ''
    await pool.query(`create table ${saved} as select ${columns} from ${table}`)
    restoring.push(
      `delete from ${table}`,
      `insert into ${table} (${columns}) select ${columns} from ${saved}`,
    )
  }
  return restoring
}
