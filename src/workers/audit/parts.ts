// Parts of what a log tells about: checks that remember each order, stream or id run on one part
// after another, so that what they remember at a time is bounded however long the log is.
import type { RecordedEvent } from '../../eventstore/port.ts'

export interface Part {
  /** Whether an order, a stream, a product or an event belongs to this part; each is in one. */
  has(key: string): boolean
  /** Whether anything that an event is about belongs to this part. */
  concerns(recorded: RecordedEvent): boolean
  /** Which part of how many this is. */
  index: number
  of: number
  /** What needs no memory is checked with the first part only. */
  isFirst: boolean
}

/** Events whose orders, streams and ids are remembered at a time; it takes some 60 MB. */
const eventsPerPart = 100_000

/** In how many parts a log of so many events is checked. */
export function partsFor(events: bigint): number {
  return Math.max(1, Math.ceil(Number(events) / eventsPerPart))
}

/** All parts, of which each thing of the log belongs to one. */
export function partsOf(count: number): Part[] {
  return Array.from({ length: count }, (_, index) => partOf(index, count))
}

function partOf(index: number, of: number): Part {
  const has = (key: string) => of === 1 || hash(key) % of === index
  const isAbout = (key: unknown) => typeof key === 'string' && has(key)
  return {
    has,
    concerns: ({ data }) => isAbout(data.orderId) || isAbout(data.productId),
    index,
    of,
    isFirst: index === 0,
  }
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
