// The one place that knows the PostgreSQL driver: pools, sessions, transactions and row types.
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import pg from 'pg'
import type { Tables } from '../projections/tables.ts'

export type Pool = pg.Pool
export type Session = pg.PoolClient
export type Database = Kysely<Tables>

export interface PoolOptions {
  size?: number
  /** Shows up in pg_stat_activity. */
  applicationName?: string
  statementTimeoutMs?: number
  /** Sends statements that are asked for at once without waiting for each other's answers. */
  pipeline?: boolean
}

const parsers = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, BigInt],
  // Days stay days: a Date would move them with the time zone of the process.
  [pg.types.builtins.DATE, text => text],
])

/**
 * A pool whose sessions have bounded statements, lock waits and idle transactions. bigint columns
 * come back as bigint, days as text.
 */
export function createPool(url: string, options: PoolOptions = {}): Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.size ?? 10,
    pipeline: options.pipeline ?? false,
    application_name: options.applicationName ?? 'orderstream',
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementTimeoutMs ?? 5_000,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: 10_000,
    // Two letters that change places spoil half of a short word: "kettel" needs less than 0.6.
    options:
      '-c search_path=readmodel,shop,public -c pg_trgm.word_similarity_threshold=0.5 -c jit=off',
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        parsers.get(oid) ?? pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  })
  // Without listeners a lost connection would end the process: the pool has them for idle sessions
  // and replaces these by itself, but a session in use reports to its query and to nobody else.
  pool.on('error', () => undefined)
  pool.on('connect', session => session.on('error', () => undefined))
  return pool
}

/**
 * The query builder over a pool. Writes, and reads that say so, are planned once a session:
 * planning takes the server longer than most of them. Other reads are planned with their values
 * each time, because the plan of a filter depends on what is asked for.
 */
export function createDatabase(pool: Pool): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: preparing(pool) }) })
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

type Answer = Pick<pg.QueryResult, 'command' | 'rowCount' | 'rows'>
type Send = (text: string, values: readonly unknown[]) => Promise<Answer>

/** The text of statements that go together; they are its parameters. */
const together = '-- together'

/**
 * Sends statements of a transaction, without waiting in between where the session can. One that
 * fails makes those behind it fail too, and of the commit a rollback.
 */
async function sendTogether(
  { connection, pipeline }: Session,
  send: Send,
  given: readonly unknown[],
): Promise<Answer> {
  const sent: Promise<Answer>[] = []
  // One packet instead of one for each.
  if (pipeline) connection.stream.cork()
  try {
    for (const { sql, parameters } of given.filter(isStatement)) {
      const answer = send(sql, parameters)
      sent.push(answer)
      if (!pipeline) await answer.catch(() => undefined)
    }
  } finally {
    if (pipeline) connection.stream.uncork()
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

/**
 * Sends a COPY statement and its rows. The driver knows the protocol and leaves the sending to
 * others: data is a message "d" of a length and bytes, and its end a message "c" without any. They
 * are not kept back until the server asks for them: where the statement fails it passes them over.
 */
function copyIn(session: Session, text: string, lines: string): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query(text, (error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
    const submit = (connection: pg.Connection) => {
      const data = Buffer.from(lines)
      const head = Buffer.from('d\0\0\0\0', 'latin1')
      head.writeUInt32BE(data.length + 4, 1)
      const { stream } = connection
      stream.cork()
      connection.query(text)
      for (const part of [head, data, Buffer.from('c\0\0\0\u0004', 'latin1')]) stream.write(part)
      stream.uncork()
    }
    session.query(Object.assign(query, { submit, handleCopyInResponse: () => undefined }))
  })
}

function preparingClient(
  session: Session,
  nameOf: (text: string) => string | undefined,
): PostgresPoolClient {
  const client = {
    query(text: string, values: readonly unknown[]): Promise<Answer> {
      if (isCopy.test(text)) return copyIn(session, text, String(values[0]))
      if (text === together) return sendTogether(session, client.query, values)
      const name = values.length > 0 ? nameOf(text) : undefined
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

export interface Queryable {
  query<Row extends pg.QueryResultRow>(query: pg.QueryConfig): Promise<pg.QueryResult<Row>>
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

/** The SQLSTATE of a database error, undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
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
