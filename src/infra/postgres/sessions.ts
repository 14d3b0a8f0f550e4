// Sessions and pools of the PostgreSQL driver: silent connections are dropped, and transient
// failures are reported as Unavailable.
import pg from 'pg'
import { settleAll } from '../../kit/settleAll.ts'
import { stateOf } from '../../kit/transient.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import { CopyIn, type PooledClient, SocketClient } from './client.ts'
import { translated, unanswered, unreachable } from './errors.ts'
import { unwatch, type Watched, watch } from './silentConnections.ts'

export type Result<Row extends pg.QueryResultRow = pg.QueryResultRow> = pg.QueryResult<Row>

/** A row without a declared type. */
export type AnyRow = pg.QueryResult['rows'][number]

export interface Queryable {
  query<Row extends pg.QueryResultRow = AnyRow>(
    query: string | pg.QueryConfig,
    values?: readonly unknown[],
  ): Promise<Result<Row>>
}

/** A statement with its parameters, or with the rows of a COPY in its text format. */
export interface SentStatement {
  text: string
  /** One with a name is planned once a session. */
  name?: string
  values?: unknown[]
  copyIn?: string
}

/** A session taken out of a pool. Everything throws Unavailable when the server does not answer. */
export interface Session extends Queryable {
  /** Resolves when the connection is lost. */
  readonly lost: Promise<void>
  send(statement: SentStatement): Promise<Result<AnyRow>>
  /**
   * Sends statements of a transaction, in one packet where the pool is pipelined; one that fails
   * makes those after it fail too. Throws the first failure once all are answered.
   */
  pipeline(statements: readonly SentStatement[]): Promise<Result[]>
  onNotification(listener: (payload: string | undefined) => void): void
  /** Gives it back; one that is broken, or is to be destroyed, is not used again. */
  release(destroy?: boolean | Error): void
}

export interface Pool extends Queryable {
  readonly options: pg.PoolConfig
  /** Takes a session out; throws Unavailable when there is none in time. */
  connect(): Promise<Session>
  /** Waits for the sessions that are taken out, and closes all. */
  end(): Promise<void>
}

export interface WatchOptions {
  /** How long the server may be silent while it owes an answer. */
  limitMs: number
  /** Whether its statements may take as long as they like: then silence alone is no fault. */
  isUnbounded: boolean
  /** Told of everything that the server could not do for a transient reason. */
  onFailure(error: unknown): void
}

/** A statement that changes how long those after it may take, until the session is given back. */
const setsTimeout = /^[^']*\bset\s+(local\s+|session\s+)?statement_timeout\b/i
/** Longer texts without values set nothing. */
const settingBytesMax = 400
/** Beyond what the pool keeps idle sessions for. */
const leaveMs = 3_000
const checkMs = 3_000

class WatchedSession implements Session, Watched {
  readonly server: string
  readonly limitMs: number
  readonly lost: Promise<void>
  askedAt = 0
  isHeld = false
  isBroken = false
  readonly #client: PooledClient
  readonly #options: pg.PoolConfig
  readonly #isUnbounded: boolean
  readonly #onFailure: (error: unknown) => void
  #unanswered = 0
  #mayTakeLong = false
  #pid: number | undefined
  #idleSince = Number.POSITIVE_INFINITY
  #pinging: Promise<unknown> | undefined

  constructor(client: PooledClient, options: pg.PoolConfig, watching: WatchOptions) {
    const { limitMs, isUnbounded, onFailure } = watching
    this.#onFailure = onFailure
    this.#client = client
    this.#options = options
    this.#isUnbounded = isUnbounded
    this.limitMs = limitMs
    this.server = `${client.host}:${client.port}`
    this.lost = new Promise(resolve => {
      const lose = () => {
        this.isBroken = true
        unwatch(this)
        resolve()
      }
      // Without a listener a lost connection would end the process.
      client.on('error', lose)
      client.on('end', lose)
    })
    watch(this)
  }

  get isWorking(): (() => Promise<boolean>) | undefined {
    return this.#isUnbounded || this.#mayTakeLong ? () => this.#isActive() : undefined
  }

  received(): number {
    return this.#client.socket.bytesRead
  }

  state(): 'asking' | 'held' | 'idle' | 'left' {
    if (this.#unanswered > 0) return 'asking'
    if (this.isHeld) return 'held'
    const idleMax = (this.#options.idleTimeoutMillis ?? 0) + leaveMs
    return performance.now() - this.#idleSince > idleMax ? 'left' : 'idle'
  }

  ping(): void {
    // A transaction that stands still is for the server to end.
    if (this.#client.getTransactionStatus() !== 'I' || this.#pinging !== undefined) return
    this.#pinging = this.#send('select 1')
      .catch(() => undefined)
      .finally(() => {
        this.#pinging = undefined
      })
  }

  drop(why: string): void {
    this.isBroken = true
    this.#client.socket.destroy(
      Object.assign(new Error(`the connection to PostgreSQL was dropped: ${why}`), {
        code: 'ETIMEDOUT',
      }),
    )
  }

  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    query: string | pg.QueryConfig,
    values?: readonly unknown[],
  ): Promise<Result<Row>> {
    const mayBeSetting = typeof query === 'string' && query.length < settingBytesMax
    if (mayBeSetting && setsTimeout.test(query)) {
      this.#mayTakeLong = true
      return this.identify().then(() => this.#send<Row>(query, values))
    }
    // The driver is to take one statement after the other, unless it is made for more.
    if (this.#pinging !== undefined && !this.#client.pipeline) {
      return this.#pinging.then(() => this.#send<Row>(query, values))
    }
    return this.#send<Row>(query, values)
  }

  /** Asks for the process of the server, by which a long statement is found again. */
  async identify(): Promise<void> {
    if (this.#pid !== undefined) return
    const { rows } = await this.#send<{ pid: number }>('select pg_backend_pid() as pid')
    this.#pid = rows[0]?.pid
  }

  #send<Row extends pg.QueryResultRow>(
    query: string | pg.QueryConfig,
    values?: readonly unknown[],
  ): Promise<Result<Row>> {
    this.#sending()
    return this.#client
      .query<Row>(query, values === undefined ? undefined : [...values])
      .then(this.#answered, this.#failed)
  }

  #sending(): void {
    if (this.#unanswered === 0) this.askedAt = performance.now()
    this.#unanswered += 1
  }

  readonly #answered = <T>(result: T): T => {
    this.#unanswered -= 1
    return result
  }

  readonly #failed = (error: unknown): never => {
    this.#unanswered -= 1
    const failure = this.isBroken ? unanswered(error) : translated(error)
    if (failure instanceof Unavailable) this.#onFailure(failure)
    throw failure
  }

  send({ copyIn, ...statement }: SentStatement): Promise<Result<AnyRow>> {
    return copyIn === undefined ? this.query(statement) : this.#copy(statement.text, copyIn)
  }

  async pipeline(statements: readonly SentStatement[]): Promise<Result[]> {
    const sent: Promise<Result>[] = []
    const { socket } = this.#client
    if (this.#client.pipeline) socket.cork()
    for (const statement of statements) {
      const result = this.send(statement)
      sent.push(result)
      if (!this.#client.pipeline) await result.catch(() => undefined)
    }
    socket.uncork()
    return settleAll(sent)
  }

  /**
   * The rows are sent with the statement. pg-copy-streams waits for the server to ask for them,
   * which a pipelined connection cannot: the statements after it are on their way already.
   */
  #copy(text: string, lines: string): Promise<Result> {
    this.#sending()
    const copied = new Promise<Result>((resolve, reject) => {
      const query = new CopyIn(text, lines, (error, result) => {
        if (error) reject(error)
        else resolve(result)
      })
      this.#client.query(query)
    })
    return copied.then(this.#answered, this.#failed)
  }

  onNotification(listener: (payload: string | undefined) => void): void {
    this.#client.on('notification', ({ payload }) => listener(payload))
  }

  release(destroy: boolean | Error = false): void {
    this.isHeld = false
    this.#mayTakeLong = false
    this.#idleSince = performance.now()
    const isOver = destroy !== false || this.isBroken
    this.#client.release(isOver)
    // The driver waits for the server to close the connection, which a silent one never does.
    if (isOver) this.#client.socket.destroy()
  }

  take(): void {
    this.isHeld = true
    this.#idleSince = Number.POSITIVE_INFINITY
  }

  /** Whether the server still works on what this session has asked. */
  async #isActive(): Promise<boolean> {
    const options = { ...this.#options, connectionTimeoutMillis: checkMs, query_timeout: checkMs }
    const client = new SocketClient(options)
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rows } = await client.query<{ state: string }>(
        'select state from pg_stat_activity where pid = $1',
        [this.#pid],
      )
      return rows[0]?.state === 'active'
    } catch (error) {
      // One that has an answer for us, such as that it has too many connections, is there.
      return stateOf(error) !== undefined
    } finally {
      client.socket.destroy()
    }
  }
}

/** Makes a pool of watched sessions. */
export function watchedPool(config: pg.PoolConfig, options: WatchOptions): Pool {
  const pool = new pg.Pool({ ...config, Client: SocketClient })
  const sessions = new WeakMap<pg.PoolClient, WatchedSession>()
  // Without a listener a lost idle connection would end the process; the pool replaces it.
  pool.on('error', () => undefined)
  pool.on('connect', client => {
    if (!(client instanceof SocketClient)) throw new Error('the pool made a client of its own')
    sessions.set(client, new WatchedSession(client, config, options))
  })
  const connect = async () => {
    const client = await pool.connect().catch(error => {
      throw unreachable(error)
    })
    const session = sessions.get(client)
    if (session === undefined) throw new Error('the pool gave a session that it never opened')
    session.take()
    if (options.isUnbounded) await session.identify()
    return session
  }
  return {
    options: pool.options,
    connect,
    async query(query, values) {
      const session = await connect()
      try {
        return await session.query(query, values)
      } finally {
        session.release()
      }
    },
    end: () => pool.end(),
  }
}
