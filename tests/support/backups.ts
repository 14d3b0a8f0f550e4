// A backup of the database of a test shop, and putting it back as an operator does.
import pg from 'pg'
import type { TestApp } from './testApp.ts'

/** Copies the database as it is now; the answer puts the copy in its place. The shop is stopped. */
export async function backUp(app: TestApp): Promise<() => Promise<void>> {
  const live = new URL(app.config.databaseUrl.reveal())
  const name = live.pathname.slice(1)
  live.pathname = '/postgres'
  const copy = `${name}_backup`
  const run = async (statements: readonly string[]) => {
    const client = new pg.Client({ connectionString: live.href })
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
  }
  // A template must not have sessions, and idle ones come back.
  await run([
    `alter database ${name} allow_connections false`,
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${name}'`,
    `create database ${copy} template ${name}`,
    `alter database ${name} allow_connections true`,
  ])
  return () =>
    run([`drop database ${name} with (force)`, `alter database ${copy} rename to ${name}`])
}
