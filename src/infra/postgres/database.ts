// Pools of database sessions with bounded statements, and transactions over them.
import { Kysely } from 'kysely'
import pg from 'pg'
import type { Tables } from '../../projections/core/tables.ts'
import { dialectOf } from './kyselyDriver.ts'
import { type Pool, type Queryable, type Session, watchedPool } from './sessions.ts'

export type { Pool, Queryable, Session } from './sessions.ts'
export type Database = Kysely<Tables>

export interface PoolOptions {
  size?: number
  /** Shows up in pg_stat_activity. */
  applicationName?: string
  /** 0 for statements that may take as long as they like. */
  statementTimeoutMs?: number
  /** Sends statements that are asked for at once without waiting for each other's answers. */
  pipeline?: boolean
  /** Told of everything that the server could not do for a transient reason. */
  onFailure?: (error: unknown) => void
}

const parsers = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, BigInt],
  // Days stay days: a Date would move them with the time zone of the process.
  [pg.types.builtins.DATE, text => text],
])

/** The server answers within its statement timeout, or not at all. */
const statementTimeoutMs = 5_000
const marginMs = 1_500
/**
 * The server ends by itself what a client that vanished has left behind: a
 * transaction with its locks, and a session with its advisory locks. Sessions that are held without
 * a question are pinged every two seconds; idle ones leave the pool before the server ends them.
 */
const idleInTransactionMs = 6_000
const idleSessionMs = 12_000
const idleInPoolMs = 9_000
/**
 * A peer that does not even acknowledge is dropped by the server after about 14 seconds, also while
 * a statement of its session runs or its answer cannot be delivered: then no idle limit counts.
 */
const serverKeepAlive = {
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 3,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 14_000,
}

/**
 * A pool whose sessions have bounded statements, lock waits and idle transactions, and are dropped
 * when the server goes silent. bigint columns come back as bigint, days as text.
 */
export function createPool(url: string, options: PoolOptions = {}): Pool {
  const statementMs = options.statementTimeoutMs ?? statementTimeoutMs
  const config = {
    connectionString: url,
    max: options.size ?? 10,
    pipeline: options.pipeline ?? false,
    application_name: options.applicationName ?? 'orderstream',
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: idleInPoolMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    statement_timeout: statementMs,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    // Two letters that change places spoil half of a short word: "kettel" needs less than 0.6.
    options: [
      '-c search_path=readmodel,shop,public',
      '-c pg_trgm.word_similarity_threshold=0.5',
      '-c jit=off',
      // Times are read as text; others can set another form for a database or a role.
      '-c DateStyle=ISO',
      `-c idle_session_timeout=${idleSessionMs}`,
      ...Object.entries(serverKeepAlive).map(([name, value]) => `-c ${name}=${value}`),
    ].join(' '),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        parsers.get(oid) ?? pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  }
  const isUnbounded = statementMs === 0
  const limitMs = (isUnbounded ? statementTimeoutMs : statementMs) + marginMs
  const { onFailure = () => undefined } = options
  return watchedPool(config, { limitMs, isUnbounded, onFailure })
}

/** The query builder over a pool. */
export function createDatabase(pool: Pool): Database {
  return new Kysely<Tables>({ dialect: dialectOf(pool) })
}

/** A statement that the server plans once a session. */
export interface Statement {
  name: string
  text: string
}

/** Runs a prepared statement and gives its rows. */
export async function rows<Row extends pg.QueryResultRow>(
  on: Queryable,
  statement: Statement,
  values: unknown[] = [],
): Promise<Row[]> {
  const result = await on.query<Row>({ ...statement, values })
  return result.rows
}

/** Runs `work` in one transaction on one session; an exception rolls everything back. */
export async function transaction<T>(
  pool: Pool,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await pool.connect()
  let broken: Error | undefined
  try {
    await session.query('begin')
    const result = await work(session)
    await session.query('commit')
    return result
  } catch (error) {
    await session.query('rollback').catch((cause: Error) => {
      broken = cause
    })
    throw error
  } finally {
    session.release(broken)
  }
}

/** Reads in one transaction that sees one moment and writes nothing, as long as it is read from. */
export async function* atOneMoment<T>(
  pool: Pool,
  read: (session: Session) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const session = await pool.connect()
  let broken: Error | undefined
  try {
    await session.query('begin isolation level repeatable read read only')
    yield* read(session)
  } finally {
    await session.query('rollback').catch((error: Error) => {
      broken = error
    })
    session.release(broken)
  }
}

/** The name of the constraint that a statement violated, if that is what happened. */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.constraint : undefined
}

/** Refuses a server whose settings would lose acknowledged writes in a crash. */
export async function assertDurable(pool: Pool): Promise<void> {
  const settings = ['fsync', 'synchronous_commit', 'full_page_writes']
  const { rows: found } = await pool.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1)',
    [settings],
  )
  const off = found.filter(row => row.setting === 'off').map(row => row.name)
  if (off.length > 0) {
    throw new Error(
      `PostgreSQL would lose acknowledged orders in a crash: turn on ${off.join(', ')}`,
    )
  }
}
