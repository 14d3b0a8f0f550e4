// A migrated, durable database and an empty Redis for each benchmark, gone afterwards.
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assertDurable, createPool, type Pool } from '../src/infra/postgres/database.ts'
import { migrate } from '../src/infra/postgres/migrate.ts'
import { createRedis } from '../src/infra/redis/redis.ts'
import { startLocalPostgres } from '../tools/local/postgres.ts'
import { startLocalRedis } from '../tools/local/redis.ts'
import { createProcessorClock, type ProcessorClock } from './processorTime.ts'

export interface BenchServers {
  databaseUrl: string
  redisUrl: string
  /** For what a benchmark keeps in files. */
  directory: string
}

export interface BenchDatabase {
  url: string
  redisUrl: string
  directory: string
  /** Of every shop that is opened on it: what one has sealed, the next one can read. */
  secretKey: string
  pool: Pool
  /** Processor time of the servers, and of what a benchmark starts beside them. */
  clock: ProcessorClock
  /** Further settings of every shop that is opened on it. */
  more?: Record<string, string>
  /** What the figures depend on, for the report. */
  settings: Record<string, string>
}

/**
 * Runs `work` with the servers that are named, and with ones started for it where none are. Redis
 * has to be one that can be emptied: logical database 15 of it is.
 */
export async function withServers<T>(
  named: { databaseUrl: string | undefined; redisUrl: string | undefined },
  work: (servers: BenchServers) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'orderstream-bench-'))
  const closers = [() => rm(directory, { recursive: true, force: true })]
  const stop = async () => {
    process.off('SIGINT', giveUp).off('SIGTERM', giveUp)
    for (const close of closers.splice(0).reverse()) await close()
  }
  // A benchmark that is given up must not leave its servers behind.
  const giveUp = () => void stop().finally(() => process.exit(130))
  process.on('SIGINT', giveUp).on('SIGTERM', giveUp)
  try {
    // PostgreSQL runs as another user where this process is root.
    await chmod(directory, 0o755)
    const databaseUrl = named.databaseUrl ?? (await startPostgres(directory, closers))
    const redisUrl = named.redisUrl ?? (await startRedis(directory, closers))
    return await work({ databaseUrl, redisUrl: onDatabase(redisUrl, '15'), directory })
  } finally {
    await stop()
  }
}

async function startPostgres(directory: string, closers: (() => Promise<void>)[]) {
  const server = await startLocalPostgres({ directory: join(directory, 'postgres') })
  closers.push(() => rm(server.dataDirectory, { recursive: true, force: true }), server.stop)
  return server.url
}

async function startRedis(directory: string, closers: (() => Promise<void>)[]) {
  const server = await startLocalRedis({ directory: join(directory, 'redis') })
  closers.push(server.stop)
  return server.url
}

/**
 * Runs `work` on a database that nobody has used. Throws when the server would lose acknowledged
 * writes: such figures are worth nothing.
 */
export async function onFreshDatabase<T>(
  { databaseUrl, redisUrl, directory }: BenchServers,
  work: (database: BenchDatabase) => Promise<T>,
): Promise<T> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  const admin = createPool(databaseUrl, { size: 1, statementTimeoutMs: 0 })
  try {
    await admin.query(`create database ${name}`)
    const url = onDatabase(databaseUrl, name)
    await migrate(url)
    await empty(redisUrl)
    const pool = createPool(url, { size: 20, statementTimeoutMs: 600_000 })
    try {
      await assertDurable(pool)
      const settings = await settingsOf(pool)
      const secretKey = randomBytes(32).toString('hex')
      const clock = await createProcessorClock(pool, { databaseUrl, redisUrl })
      return await work({ url, redisUrl, directory, secretKey, pool, clock, settings })
    } finally {
      await pool.end()
    }
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
  }
}

/** The address of another database of the same server. */
export function onDatabase(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function empty(redisUrl: string): Promise<void> {
  const redis = createRedis(redisUrl)
  await redis.flushdb()
  redis.disconnect()
}

/** The version of a PostgreSQL server. */
export async function versionOf(databaseUrl: string): Promise<string> {
  const pool = createPool(databaseUrl, { size: 1 })
  try {
    const { rows } = await pool.query<{ server_version: string }>('show server_version')
    return rows[0]?.server_version ?? 'unknown'
  } finally {
    await pool.end()
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
