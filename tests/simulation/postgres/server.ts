// The simulated PostgreSQL: sessions, transactions and the lock between those that write. It knows
// the statements that the shop sends, and refuses any other.
import type { Process } from '../world.ts'
import { postgresError, type Result, type Row, type Statement, written } from './statements.ts'

export interface Session {
  /** Whose it is: with that process it ends. */
  of: Process
  transaction: Transaction | undefined
  /** The server has ended it: nothing more can be asked of it. */
  isOver: boolean
}

interface Transaction {
  undo: (() => void)[]
  /** How much there was to undo at each savepoint. */
  savepoints: Map<string, number>
  hasFailed: boolean
  /** When its session was heard of for the last time. */
  heardAt: number
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
const pollMs = 20

export function createServer(options: ServerOptions): Server {
  return new SimulatedServer(options)
}

class SimulatedServer implements Server {
  readonly #options: ServerOptions
  readonly #byName = new Map<string, Statement>()
  readonly #byText = new Map<string, Statement>()
  /** Of the transaction that has written and not ended. */
  #holder: Session | undefined

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
    return this.#holder !== undefined && !this.#holder.of.isDead
  }

  crash(): void {
    if (this.#holder !== undefined) this.#end(this.#holder)
  }

  open(of: Process): Session {
    return { of, transaction: undefined, isOver: false }
  }

  execute(session: Session, question: Question): Result | Promise<Result> {
    const { transaction } = session
    if (session.isOver) throw postgresError('57P01', 'the session has been ended')
    if (transaction !== undefined) transaction.heardAt = this.#options.now()
    const done = this.#control(session, question.text.trim())
    if (done !== undefined) return done
    if (transaction?.hasFailed) throw postgresError('25P02', 'current transaction is aborted')
    const waits = this.#statementOf(question).locks === true && this.#isLocked(session)
    return waits ? this.#waitForLock(session, question) : this.#run(session, question)
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
    if (this.#holder === session) this.#holder = undefined
  }

  #end(session: Session): void {
    this.#rollback(session)
    session.isOver = true
  }

  /** Whether somebody else has the lock; one that is gone, or idle for long, has lost it. */
  #isLocked(session: Session): boolean {
    const holder = this.#holder
    if (holder === undefined || holder === session) return false
    const heardAt = holder.transaction?.heardAt ?? 0
    const isIdle = this.#options.now() - heardAt > idleInTransactionMs
    if (!holder.of.isDead && !isIdle) return true
    this.#end(holder)
    return false
  }

  async #waitForLock(session: Session, question: Question): Promise<Result> {
    const end = this.#options.now() + lockTimeoutMs
    while (this.#isLocked(session)) {
      if (this.#options.now() > end) {
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
      const result = statement.run(question.values, {
        undo: back => void undo.push(back),
        isLocked: this.#isLocked(session),
        now: this.#options.date,
      })
      if (transaction === undefined) return result
      transaction.undo.push(...undo)
      if (undo.length > 0) this.#holder = session
      return result
    } catch (error) {
      for (const back of undo.reverse()) back()
      if (transaction !== undefined) transaction.hasFailed = true
      throw error
    }
  }

  /** Statements about transactions; undefined for all others. */
  #control(session: Session, text: string): Result | undefined {
    const { transaction } = session
    const [word = '', ...rest] = text.split(' ')
    const savepoint = rest.at(-1) ?? ''
    if (word === 'begin') {
      const heardAt = this.#options.now()
      session.transaction = { undo: [], savepoints: new Map(), hasFailed: false, heardAt }
    } else if (word === 'commit' && transaction?.hasFailed !== true) this.#close(session)
    else if (text === 'commit' || text === 'rollback') this.#rollback(session)
    else if (word === 'rollback') rollbackTo(transaction, savepoint)
    else if (word === 'savepoint') {
      transaction?.savepoints.set(savepoint, transaction.undo.length)
    } else return undefined
    return written(0)
  }
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
