// Parts of what a log tells about: checks that remember each order, stream or id run on one part
// after another, so that what they remember at a time is bounded however long the log is.
import { idIn } from '../../domain/kernel/streamNames.ts'

export interface LogPartition {
  /** Whether an order, a product or an event belongs to this part; each is in one. */
  has(key: string): boolean
  /** The same of a stream, which is where what it is about is. */
  hasStream(stream: string): boolean
  index: number
}

/** Events that are remembered at a time; it takes some 30 MB. */
const eventsPerPartition = 25_000
const partitionsMax = 1_024

/** The number of partitions in which a log of this length is checked. */
export function partitionCount(events: number): number {
  return Math.min(partitionsMax, Math.max(1, Math.ceil(events / eventsPerPartition)))
}

/** All parts, of which each thing of the log belongs to one. */
export function partitionsOf(count: number): LogPartition[] {
  return Array.from({ length: count }, (_, index) => ({
    has: key => partitionOf(key, count) === index,
    hasStream: stream => partitionOf(idIn(stream), count) === index,
    index,
  }))
}

/** The partition of a key, of `count`. */
export function partitionOf(key: string, count: number): number {
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
