// A place in the log: compared, shown and stored, but never calculated with.

declare const opaque: unique symbol

/**
 * Where an event is in the log. Positions ascend; the difference of two says nothing: on
 * EventStoreDB they are byte offsets. `<`, `>` and `===` compile, arithmetic does not. At run time
 * it is a bigint, so that database drivers take and give it as it is.
 */
export interface Position {
  readonly [opaque]: 'position'
}

declare global {
  interface NumberConstructor {
    /** Makes `Number(position)` a type error where a number is wanted. */
    (value: Position): { readonly [opaque]: 'no number' }
    /** Again behind it: a function that is passed on has its last signature. */
    (value?: unknown): number
  }
}

/** Before the first event of any log. */
export const startOfLog = parsePosition('0')

/** From the decimal digits that `String(position)` gives. Throws a SyntaxError for other text. */
export function parsePosition(text: string): Position {
  const parsed: unknown = BigInt(text)
  if (!isPosition(parsed)) throw new TypeError(`${text} is not a position`)
  return parsed
}

/** So that a bigint becomes a position in one place without a cast. */
function isPosition(value: unknown): value is Position {
  return typeof value === 'bigint'
}

/** Ascending order, for `sort`. */
export function comparePositions(a: Position, b: Position): number {
  if (a < b) return -1
  return a > b ? 1 : 0
}

/** The later one of some positions, the start of the log for none. */
export function latest(...positions: readonly Position[]): Position {
  return positions.reduce((newest, each) => (each > newest ? each : newest), startOfLog)
}

/** The earlier one of two positions. */
export function earliest(a: Position, b: Position): Position {
  return a < b ? a : b
}

/**
 * How far a reader is on its way, from 0 to 1; 1 when there is no way to go. Only to be shown:
 * half of the way may hold any number of events.
 */
export function shareOfWay(from: Position, at: Position, to: Position): number {
  if (at >= to) return 1
  if (at <= from) return 0
  const start = BigInt(String(from))
  return Number(BigInt(String(at)) - start) / Number(BigInt(String(to)) - start)
}

/**
 * The last place before a position, and the first one after it: turns a bound that includes its
 * position into one that does not, and back.
 */
export function justBefore(position: Position): Position {
  return parsePosition(String(BigInt(String(position)) - 1n))
}

/** See `justBefore`. */
export function justAfter(position: Position): Position {
  return parsePosition(String(BigInt(String(position)) + 1n))
}

/** Writes a position as 8 bytes, in which order it can be compared. */
export function writePosition(position: Position, bytes: Buffer, offset: number): void {
  bytes.writeBigUInt64BE(BigInt(String(position)), offset)
}

/** Reads what `writePosition` has written. */
export function readPosition(bytes: Buffer, offset: number): Position {
  return parsePosition(String(bytes.readBigUInt64BE(offset)))
}
