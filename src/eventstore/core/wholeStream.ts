// Holds what a store reads of a stream to what the port promises: no revision is missing.
import { BrokenStream, type ReadStreamOptions, type RecordedEvent } from '../../ports/eventStore.ts'

type Numbered = Pick<RecordedEvent, 'revision'>

/** A read of which not a single event may be missing. */
export interface RevisionWatch {
  /** Takes the next event. Throws BrokenStream where it is not the one that follows. */
  see(event: Numbered): void
  /** There are no more. Throws BrokenStream where a read backwards ends before its end. */
  end(): void
}

/** Watches over one read of a stream. */
export function watchRevisions(stream: string, options: ReadStreamOptions = {}): RevisionWatch {
  const { from, to = 0, direction = 'forwards' } = options
  return direction === 'forwards' ? ascending(stream, from ?? 0) : descending(stream, to)
}

function ascending(stream: string, from: number): RevisionWatch {
  let next = from
  return {
    see({ revision }) {
      if (revision !== next) throw missing(stream, next, revision - 1)
      next += 1
    },
    end: () => undefined,
  }
}

function descending(stream: string, to: number): RevisionWatch {
  let last: number | undefined
  return {
    see({ revision }) {
      if (last !== undefined && revision !== last - 1) throw missing(stream, revision + 1, last - 1)
      last = revision
    },
    end() {
      if (last !== undefined && last > to) throw missing(stream, to, last - 1)
    },
  }
}

/** The events of a read that is whole; see the port. */
export async function* wholeStream(
  stream: string,
  options: ReadStreamOptions,
  events: AsyncIterable<RecordedEvent>,
): AsyncGenerator<RecordedEvent> {
  const watch = watchRevisions(stream, options)
  for await (const event of events) {
    watch.see(event)
    yield event
  }
  watch.end()
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
