// Refuses streams of which a store does not give every event.
import { BrokenStream, type RecordedEvent } from '../../ports/eventStore.ts'

/** Throws BrokenStream where the events do not follow each other, the first one after `after`. */
export function assertWhole(
  stream: string,
  after: number,
  events: readonly Pick<RecordedEvent, 'revision'>[],
): void {
  let next = after + 1
  for (const { revision } of events) {
    if (revision !== next) throw missing(stream, next, revision - 1)
    next += 1
  }
}

/** A stream without the events between two revisions. */
export function missing(stream: string, first: number, last: number): BrokenStream {
  if (last < first) return new BrokenStream(stream, `event ${first} is not in its place`)
  const events = first === last ? `event ${first} is` : `events ${first} to ${last} are`
  return new BrokenStream(stream, `${events} missing`)
}

/** A stream that has gone although an event of it was known. */
export function gone(stream: string): BrokenStream {
  return new BrokenStream(stream, 'all of its events are missing')
}
