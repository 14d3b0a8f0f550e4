// Parts of what a log tells about: checks that remember each order, stream or id run on one part
// after another, so that what they remember at a time is bounded however long the log is.
import { idIn } from '../../domain/kernel/streamNames.ts'

export interface LogPart {
  /** Whether an order, a product or an event belongs to this part; each is in one. */
  has(key: string): boolean
  /** The same of a stream, which is where what it is about is. */
  hasStream(stream: string): boolean
  index: number
}

/** Events that are remembered at a time; it takes some 30 MB. */
const eventsPerPart = 25_000
const partsMax = 1_024

/** In how many parts a log of so many events is checked. */
export function partsFor(events: number): number {
  return Math.min(partsMax, Math.max(1, Math.ceil(events / eventsPerPart)))
}

/** All parts, of which each thing of the log belongs to one. */
export function partsOf(count: number): LogPart[] {
  return Array.from({ length: count }, (_, index) => ({
    has: key => partOf(key, count) === index,
    hasStream: stream => partOf(idIn(stream), count) === index,
    index,
  }))
}

/** Which of so many parts a key belongs to. */
export function partOf(key: string, count: number): number {
  return count === 1 ? 0 : hash(key) % count
}

/** FNV-1a, which spreads identifiers evenly. */
function hash(key: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) {
    value = Math.imul(value ^ key.charCodeAt(at), 0x01000193)
  }
  // The lowest bits depend on the last letters alone.
  return (value ^ (value >>> 15)) >>> 0
}
