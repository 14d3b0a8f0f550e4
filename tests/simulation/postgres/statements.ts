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
  /** Virtual time as the server's clock has it. */
  now(): Date
}

export interface Statement {
  /** By its name, where the shop gives it one, or by its text. */
  matches: string | RegExp
  /** Whether it waits for transactions of others that have written. */
  locks?: true
  run(values: readonly unknown[], running: Running): Result
  /** For statements of many texts: what one of them means, worked out once. */
  meaning?(text: string): Statement['run']
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
