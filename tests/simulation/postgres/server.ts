// The simulated PostgreSQL: sessions, transactions and the lock between those that write. It knows
// the statements that the shop sends, and refuses any other.
import type { Process } from '../world.ts'
import {
  live,
  postgresError,
  type Result,
  type Row,
  type Running,
  type Statement,
  written,
} from './statements.ts'

export interface Session {
  /** Whose it is: with that process it ends. */
  of: Process
  transaction: Transaction | undefined
  /** The server has ended it: nothing more can be asked of it. */
  isOver: boolean
  /** When its process has lost the connection; the server does not know yet. */
  lostAt: number | undefined
}

interface Transaction {
  undo: (() => void)[]
  /** How much there was to undo at each savepoint. */
  savepoints: Map<string, number>
  hasFailed: boolean
  /** When its session was heard of for the last time. */
  heardAt: number
  /** Where it looks for tables without a schema. */
  schema: string
  memory: Map<string, unknown>
  atCommit: (() => void)[]
}

export interface Question {
  name?: string | undefined
  text: string
  values: readonly unknown[]
}

export interface Server {
  open(of: Process): Session
  /** Carries a statement out. Throws as PostgreSQL does; `wait` while somebody has the lock. */
  execute(session: Session, question: Question): Result | Promise<Result>
  /** A process has given a connection up. */
  lost(session: Session): void
  /** Ends all transactions, as a crash does. */
  crash(): void
  /** What a table holds, for those who look from outside. */
  rowsOf(table: string): Row[]
  /** Whether some of that has not been committed. */
  isWriting(): boolean
}

export interface ServerOptions {
  statements: readonly Statement[]
  now(): number
  date(): Date
  sleep(ms: number): Promise<void>
  rowsOf(table: string): Row[]
}

const lockTimeoutMs = 2_000
/** As whoever moves a checkpoint asks for. */
const idleInTransactionMs = 3_000
/** After so long the server notices that nobody is there any more who holds a session. */
const silentMs = 13_000
const serving = 'readmodel'
const pollMs = 20

export function createServer(options: ServerOptions): Server {
  return new SimulatedServer(options)
}

class SimulatedServer implements Server {
  readonly #options: ServerOptions
  readonly #byName = new Map<string, Statement>()
  readonly #byText = new Map<string, Statement>()
  /** Of the transactions that have written and not ended, by what they hold. */
  readonly #holders = new Map<string, Session>()
  /** By their keys: locks that sessions hold from one transaction to the next. */
  readonly #locks = new Map<string, Session>()

  constructor(options: ServerOptions) {
    this.#options = options
    for (const each of options.statements) {
      if (typeof each.matches === 'string') this.#byName.set(each.matches, each)
    }
  }

  rowsOf(table: string): Row[] {
    return this.#options.rowsOf(table)
  }

  isWriting(): boolean {
    return [...this.#holders.values()].some(holder => !holder.of.isDead)
  }

  crash(): void {
    for (const holder of this.#holders.values()) this.#end(holder)
    for (const holder of this.#locks.values()) this.#end(holder)
  }

  lost(session: Session): void {
    session.lostAt ??= this.#options.now()
  }

  open(of: Process): Session {
    return { of, transaction: undefined, isOver: false, lostAt: undefined }
  }

  execute(session: Session, question: Question): Result | Promise<Result> {
    const { transaction } = session
    if (session.isOver) throw postgresError('57P01', 'the session has been ended')
    if (transaction !== undefined) transaction.heardAt = this.#options.now()
    const done = this.#control(session, question.text.trim())
    if (done !== undefined) return done
    if (transaction?.hasFailed) throw postgresError('25P02', 'current transaction is aborted')
    const domain = this.#domainOf(session, question)
    const waits = domain !== undefined && this.#isLocked(session, domain)
    return waits ? this.#waitForLock(session, question, domain) : this.#run(session, question)
  }

  /** What a statement waits for; undefined for nothing. */
  #domainOf({ transaction }: Session, question: Question): string | undefined {
    const { locks } = this.#statementOf(question)
    if (locks === undefined || locks === true) return locks && live
    const schema = transaction?.schema ?? serving
    return locks(question.values, { text: question.text, schema }) || undefined
  }

  #statementOf({ name, text }: Question): Statement {
    const named = name === undefined ? undefined : this.#byName.get(name)
    const known = named ?? this.#byText.get(text)
    if (known !== undefined) return known
    const fitting = this.#options.statements.find(
      ({ matches }) => matches instanceof RegExp && matches.test(text),
    )
    if (fitting === undefined) {
      throw new Error(`the simulated PostgreSQL does not know this statement: ${text}`)
    }
    const meant = fitting.meaning ? { ...fitting, run: fitting.meaning(text) } : fitting
    this.#byText.set(text, meant)
    return meant
  }

  #rollback(session: Session): void {
    for (const back of session.transaction?.undo.reverse() ?? []) back()
    this.#close(session)
  }

  #close(session: Session): void {
    session.transaction = undefined
    for (const [domain, holder] of this.#holders) {
      if (holder === session) this.#holders.delete(domain)
    }
  }

  #end(session: Session): void {
    this.#rollback(session)
    this.#unlockAll(session)
    session.isOver = true
  }

  #tryLock(session: Session, key: string): boolean {
    const holder = this.#locks.get(key)
    if (holder !== undefined && holder !== session) {
      if (!this.#isGone(holder)) return false
      this.#end(holder)
    }
    this.#locks.set(key, session)
    return true
  }

  #unlockAll(session: Session): void {
    for (const [key, holder] of this.#locks) if (holder === session) this.#locks.delete(key)
  }

  /** Whether nobody is at the other end: sessions that are held are pinged all the time. */
  #isGone({ of, lostAt }: Session): boolean {
    const now = this.#options.now()
    const silentSince = of.pausedUntil > now ? of.pausedSince : lostAt
    return of.isDead || (silentSince !== undefined && now - silentSince > silentMs)
  }

  /** Whether somebody else has the lock; one that is gone, or idle for long, has lost it. */
  #isLocked(session: Session, domain: string): boolean {
    const holder = this.#holders.get(domain)
    if (holder === undefined || holder === session) return false
    const heardAt = holder.transaction?.heardAt ?? 0
    const isIdle = this.#options.now() - heardAt > idleInTransactionMs
    if (!holder.of.isDead && !isIdle) return true
    this.#end(holder)
    return false
  }

  async #waitForLock(session: Session, question: Question, domain: string): Promise<Result> {
    const end = this.#options.now() + lockTimeoutMs
    while (this.#isLocked(session, domain)) {
      if (this.#options.now() > end) {
        if (session.transaction !== undefined) session.transaction.hasFailed = true
        throw postgresError('55P03', 'canceling statement due to lock timeout')
      }
      await this.#options.sleep(pollMs)
    }
    return this.#run(session, question)
  }

  #run(session: Session, question: Question): Result {
    const { transaction } = session
    const undo: (() => void)[] = []
    try {
      const statement = this.#statementOf(question)
      const result = statement.run(question.values, this.#runningFor(session, undo))
      if (transaction === undefined) return result
      transaction.undo.push(...undo)
      const domain = undo.length > 0 ? this.#domainOf(session, question) : undefined
      if (domain !== undefined) this.#holders.set(domain, session)
      return result
    } catch (error) {
      for (const back of undo.reverse()) back()
      if (transaction !== undefined) transaction.hasFailed = true
      throw error
    }
  }

  #runningFor(session: Session, undo: (() => void)[]): Running {
    const { transaction } = session
    return {
      undo: back => void undo.push(back),
      isLocked: this.#isLocked(session, live),
      now: this.#options.date,
      schema: transaction?.schema ?? serving,
      atCommit: work => (transaction === undefined ? work() : void transaction.atCommit.push(work)),
      memory: transaction?.memory ?? new Map(),
      tryLock: key => this.#tryLock(session, key),
      unlockAll: () => this.#unlockAll(session),
    }
  }

  /** Statements about transactions; undefined for all others. */
  #control(session: Session, text: string): Result | undefined {
    if (!/^(begin|start|set|commit|rollback|savepoint)\b/.test(text)) return undefined
    const { transaction } = session
    const [word = '', ...rest] = text.split(/[ ;]+/)
    const savepoint = rest.at(-1) ?? ''
    const schema = /search_path = "?(\w+)/.exec(text)?.[1] ?? transaction?.schema ?? serving
    if (word === 'begin' || word === 'start') {
      session.transaction = freshTransaction(this.#options.now(), schema)
    } else if (word === 'set') {
      if (transaction !== undefined) transaction.schema = schema
    } else if (word === 'commit' && transaction?.hasFailed !== true) {
      for (const work of transaction?.atCommit ?? []) work()
      this.#close(session)
    } else if (text === 'commit' || text === 'rollback') this.#rollback(session)
    else if (word === 'rollback') rollbackTo(transaction, savepoint)
    else transaction?.savepoints.set(savepoint, transaction.undo.length)
    return written(0)
  }
}

function freshTransaction(heardAt: number, schema: string): Transaction {
  const none = { undo: [], savepoints: new Map(), atCommit: [], memory: new Map() }
  return { ...none, hasFailed: false, heardAt, schema }
}

function rollbackTo(transaction: Transaction | undefined, savepoint: string): void {
  if (transaction === undefined) return
  const kept = transaction.savepoints.get(savepoint) ?? 0
  for (const back of transaction.undo.splice(kept).reverse()) back()
  transaction.hasFailed = false
}

/** A table whose writes can be taken back. */
export function createTable() {
  const rows = new Map<string, Row>()
  return {
    rows,
    put(key: string, row: Row, undo: (back: () => void) => void) {
      const before = rows.get(key)
      rows.set(key, row)
      undo(() => (before === undefined ? rows.delete(key) : rows.set(key, before)))
    },
    remove(key: string, undo: (back: () => void) => void) {
      const before = rows.get(key)
      if (before === undefined) return
      rows.delete(key)
      undo(() => rows.set(key, before))
    },
  }
}
export type Table = ReturnType<typeof createTable>
