// The one place that knows the PostgreSQL driver: pools, transactions and row types; the sessions
// themselves are in postgresSession.ts.
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import pg from 'pg'
import type { Tables } from '../../projections/core/tables.ts'
import { type Pool, type Queryable, type Result, type Session, watchedPool } from './sessions.ts'

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
 * What a client leaves behind that is gone without a word ends on the server by itself: a
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
  const isPatient = statementMs === 0
  const limitMs = (isPatient ? statementTimeoutMs : statementMs) + marginMs
  const { onFailure = () => undefined } = options
  return watchedPool(config, { limitMs, isPatient, onFailure })
}

/**
 * The query builder over a pool. Writes, and reads that say so, are planned once a session:
 * planning takes the server longer than most of them. Other reads are planned with their values
 * each time, because the plan of a filter depends on what is asked for.
 */
export function createDatabase(pool: Pool): Database {
  return new Kysely<Tables>({ dialect: dialectOf(pool) })
}

/** For query builders over other tables. */
export function dialectOf(pool: Pool): PostgresDialect {
  return new PostgresDialect({ pool: preparing(pool) })
}

const planOnce = /^\s*(insert|update|delete)\b|\/\* planned once \*\//
/** More statements than a program has; text that differs each time must not fill the server. */
const preparedMax = 500

function preparing(pool: Pool): PostgresPool {
  const names = new Map<string, string>()
  const nameOf = (text: string) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= preparedMax || !planOnce.test(text)) return known
    const name = `built_${names.size}`
    names.set(text, name)
    return name
  }
  const clients = new WeakMap<Session, PostgresPoolClient>()
  return {
    async connect() {
      const session = await pool.connect()
      const known = clients.get(session)
      if (known !== undefined) return known
      const client = preparingClient(session, nameOf)
      clients.set(session, client)
      return client
    },
    end: () => pool.end(),
    options: pool.options,
  }
}

type Answer = Pick<Result, 'command' | 'rowCount' | 'rows'>
type Send = (text: string, values: readonly unknown[]) => Promise<Answer>

/** The text of statements that go together; they are its parameters. */
const together = '-- together'

/**
 * Sends statements of a transaction, without waiting in between where the session can. One that
 * fails makes those behind it fail too, and of the commit a rollback.
 */
async function sendTogether(
  session: Session,
  send: Send,
  given: readonly unknown[],
): Promise<Answer> {
  const statements = given.filter(isStatement)
  const sent: Promise<Answer>[] = []
  if (session.isPipelined) {
    session.inOnePacket(() => {
      for (const { sql, parameters } of statements) sent.push(send(sql, parameters))
    })
  } else {
    for (const { sql, parameters } of statements) {
      const answer = send(sql, parameters)
      sent.push(answer)
      await answer.catch(() => undefined)
    }
  }
  const answers = await Promise.allSettled(sent)
  const rows: { written: number }[] = []
  for (const answer of answers) {
    if (answer.status === 'rejected') throw answer.reason
    rows.push({ written: answer.value.rowCount ?? 0 })
  }
  return { command: 'SELECT', rowCount: rows.length, rows }
}

interface Compiled {
  sql: string
  parameters: readonly unknown[]
}

function isStatement(given: unknown): given is Compiled {
  return typeof given === 'object' && given !== null && 'sql' in given && 'parameters' in given
}

const isCopy = /^copy\b.* from stdin$/

function preparingClient(
  session: Session,
  nameOf: (text: string) => string | undefined,
): PostgresPoolClient {
  const client = {
    query(text: string, values: readonly unknown[]): Promise<Answer> {
      if (isCopy.test(text)) return session.copyIn(text, String(values[0]))
      if (text === together) return sendTogether(session, client.query, values)
      const name = values.length > 0 ? nameOf(text) : undefined
      if (values.length === 0) return session.query(text)
      return session.query({ text, values: [...values], ...(name ? { name } : {}) })
    },
    release: (destroy?: boolean) => session.release(destroy),
  }
  // Cursors are the one thing that is not there, and nobody asks for one.
  return client as unknown as PostgresPoolClient
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
