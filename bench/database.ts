// A migrated, durable database for one benchmark run, gone afterwards.
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assertDurable, createPool, type Pool } from '../src/infra/database.ts'
import { startLocalPostgres } from '../src/infra/local/postgres.ts'
import { migrate } from '../src/infra/migrate.ts'

export interface BenchDatabase {
  pool: Pool
  /** What the figures depend on, for the report. */
  settings: Record<string, string>
}

/**
 * Runs `work` on a fresh database of the server that `url` names, else of one started for it.
 * Throws when the server would lose acknowledged writes: such figures are worth nothing.
 */
export async function withDatabase<T>(
  url: string | undefined,
  work: (database: BenchDatabase) => Promise<T>,
): Promise<T> {
  const server = url === undefined ? await startServer() : { url, stop: async () => undefined }
  try {
    return await onFreshDatabase(server.url, work)
  } finally {
    await server.stop()
  }
}

async function startServer() {
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-bench-'))
  // PostgreSQL runs as another user where this process is root.
  await chmod(directory, 0o755)
  const server = await startLocalPostgres({ directory: join(directory, 'postgres') })
  const stop = async () => {
    process.off('SIGINT', giveUp).off('SIGTERM', giveUp)
    await server.stop()
    for (const path of [directory, server.dataDirectory]) {
      await rm(path, { recursive: true, force: true })
    }
  }
  // A benchmark that is given up must not leave its server behind.
  const giveUp = () => void stop().finally(() => process.exit(130))
  process.on('SIGINT', giveUp).on('SIGTERM', giveUp)
  return { url: server.url, stop }
}

async function onFreshDatabase<T>(
  server: string,
  work: (database: BenchDatabase) => Promise<T>,
): Promise<T> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  const admin = createPool(server, { size: 1, statementTimeoutMs: 0 })
  try {
    await admin.query(`create database ${name}`)
    const url = new URL(server)
    url.pathname = `/${name}`
    await migrate(url.href)
    const pool = createPool(url.href, { size: 20, statementTimeoutMs: 60_000 })
    try {
      await assertDurable(pool)
      return await work({ pool, settings: await settingsOf(pool) })
    } finally {
      await pool.end()
    }
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
  }
}

async function settingsOf(pool: Pool): Promise<Record<string, string>> {
  const names = [
    'server_version',
    'fsync',
    'synchronous_commit',
    'full_page_writes',
    'commit_delay',
  ]
  const { rows } = await pool.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1)',
    [names],
  )
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
}
