// Which streams a reading of the log has seen, and of which of them events are missing.
import { type Position, startOfLog } from '../../kit/position.ts'

/** Where an event is in the log and in its stream. */
interface Placed {
  stream: string
  revision: number
  position: Position
}

/**
 * Counts the events of every stream. Readings may overlap: each event is counted once, and only in
 * a reading that begins where all events before it have been counted.
 */
export interface StreamCensus {
  /** Up to here every event of the log has been counted. */
  position(): Position
  /** Counts the next event of a reading. */
  see(event: Placed): void
  /** The reading has no further event up to this position. */
  reached(position: Position): void
  /** How many events have been counted. */
  events(): number
  /** The last revision of a stream; undefined where it has no event. */
  lastOf(stream: string): number | undefined
  /** What is missing, by stream, of streams that do not begin at revision 0 or have a gap. */
  broken(): ReadonlyMap<string, string>
}

/** A census of a log of which nothing has been read yet. */
export function createStreamCensus(): StreamCensus {
  const lasts = new Map<string, number>()
  const broken = new Map<string, string>()
  let position = startOfLog
  let events = 0
  return {
    position: () => position,
    see({ stream, revision, position: at }) {
      if (at <= position) return
      position = at
      events += 1
      const next = (lasts.get(stream) ?? -1) + 1
      if (revision !== next && !broken.has(stream)) broken.set(stream, fault(next, revision - 1))
      lasts.set(stream, revision)
    },
    reached(upTo) {
      if (upTo > position) position = upTo
    },
    events: () => events,
    lastOf: stream => lasts.get(stream),
    broken: () => broken,
  }
}

function fault(first: number, last: number): string {
  if (last < first) return `event ${first} is not in its place`
  return first === last ? `event ${first} is missing` : `events ${first} to ${last} are missing`
}
