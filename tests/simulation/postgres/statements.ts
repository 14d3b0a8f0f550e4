// What a statement of the simulated PostgreSQL is: recognised by its name or by its text, and
// carried out on what the server holds.

export type Row = Record<string, unknown>

export interface Result {
  rows: Row[]
  rowCount: number
}

/** What a statement may do beside reading. */
export interface Running {
  /** What takes a write back, when its transaction does not end well. */
  undo(back: () => void): void
  /** Somebody else has written and not committed yet. */
  isLocked: boolean
  /** Where the tables are that are named without a schema. */
  schema: string
  /** Has it done when the transaction is committed, or at once where there is none. */
  atCommit(work: () => void): void
  /** What the transaction keeps from one statement to the next. */
  memory: Map<string, unknown>
  /** Locks that end with the session. */
  tryLock(key: string): boolean
  unlockAll(): void
  /** Virtual time as the server's clock has it. */
  now(): Date
}

export interface Statement {
  /** By its name, where the shop gives it one, or by its text. */
  matches: string | RegExp
  /**
   * What it waits for while a transaction of somebody else has written under that name, and holds
   * once it has written: `live` for what serves, and '' for nothing.
   */
  locks?: true | ((values: readonly unknown[], of: { text: string; schema: string }) => string)
  run(values: readonly unknown[], running: Running): Result
  /** For statements of many texts: what one of them means, worked out once. */
  meaning?(text: string): Statement['run']
}

export const live = 'live'

/** A statement whose texts are many: what each of them means is worked out once. */
export function textual(matches: RegExp, meaning: (text: string) => Statement['run']): Statement {
  return { matches, run: () => written(0), meaning }
}

/** An error as the server sends it. */
export function postgresError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

export const found = (rows: Row[]): Result => ({ rows, rowCount: rows.length })
export const written = (rowCount: number): Result => ({ rows: [], rowCount })

/** The elements of an array as a parameter: in binary, as a literal, or as it is. */
export function elementsOf(value: unknown): string[] {
  if (Buffer.isBuffer(value)) return binaryElements(value)
  if (Array.isArray(value)) return value.map(String)
  const text = String(value).slice(1, -1)
  return text === '' ? [] : text.split(',')
}

const headerBytes = 20

function binaryElements(array: Buffer): string[] {
  const elements: string[] = []
  for (let at = headerBytes; at < array.length; ) {
    const length = array.readInt32BE(at)
    elements.push(array.toString('utf8', at + 4, at + 4 + length))
    at += 4 + length
  }
  return elements
}
