// The event store port: what every adapter promises. tests/contract/ proves it for each of them.
import type { Position } from '../kit/position.ts'

/** What the caller believes about a stream before it appends; a number is the last revision. */
export type ExpectedRevision = 'no-stream' | 'any' | 'exists' | number

/** The last revision a stream really has. The first event of a stream has revision 0. */
export type ActualRevision = 'no-stream' | number

export type JsonObject = { [key: string]: unknown }

/** An event that is not in the log yet. `id` is a UUID; data and metadata are plain JSON. */
export interface NewEvent {
  id: string
  type: string
  data: JsonObject
  metadata: JsonObject
  /** Both as JSON, where that has been written already: adapters need not do it again. */
  text?: { data: string; metadata: string }
}

/** An event as the log holds it. `position` orders all events of all streams. */
export interface RecordedEvent extends NewEvent {
  stream: string
  revision: number
  position: Position
  recordedAt: Date
}

/** Where the last event of an append is in the log. */
export interface AppendResult {
  revision: number
  position: Position
  /**
   * The events were in the log already: an earlier try or another process has written them, and
   * others may have been appended after them. EventStoreDB does not say so: there it is true where
   * this process can tell, and false also for a copy that was written while the append was sent.
   * With an exact expectation the events stand directly after it either way.
   */
  repeated: boolean
}

/** Which events a reader of the whole log wants: by stream name prefix or by event type. */
export type EventFilter =
  | { streamPrefixes: readonly string[] }
  | { types: readonly string[] }
  /** All but these: also types that the reader does not know. */
  | { exceptTypes: readonly string[] }

/** Which events of a stream are read. */
export interface StreamRange {
  stream: string
  /** The last revision that the reader knows already, -1 for none. */
  after: number
  /** The last revision to read, inclusive; without it the stream is read to its end. */
  upTo?: number
}

/** Events of a stream in order, as many as fit in one answer. */
export interface StreamPage {
  events: RecordedEvent[]
  /** Whether the range has no further events. */
  isLast: boolean
}

export interface ReadAllOptions {
  /** Exclusive: the first event read is the one after this position. */
  after?: Position
  filter?: EventFilter
}

export interface SubscribeOptions extends ReadAllOptions {
  /** At most this many events in one batch. */
  batchSize?: number
  /** Ends the subscription: the iteration finishes without an error. */
  signal?: AbortSignal
}

/**
 * A step of a subscription. Everything up to `position` that the filter lets through has been
 * delivered once this batch is handled, so `position` is a safe checkpoint even where no event
 * matched. `live` says that the subscription has caught up with the log; the first live batch
 * may be empty.
 */
export interface SubscriptionBatch {
  events: RecordedEvent[]
  position: Position
  live: boolean
}

/**
 * A stream is whole or refused: `read` throws BrokenStream where an event of the range is missing,
 * also where all of a stream is missing that has had events, as far as the store can tell.
 */
export interface EventStore {
  /**
   * Appends all events or none. The same event ids appended again with the same expectation are
   * a success with the first result, which says that it is `repeated`; with another revision they
   * are a conflict. Throws WrongRevision, or Unavailable when the outcome is not known or the
   * store cannot be reached: then the same append may be tried again.
   */
  append(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult>
  /**
   * The first events of each range, in the order of the ranges. Reads that are asked for at the
   * same time share round trips, and a stream without new events costs hardly anything.
   */
  read(streams: readonly StreamRange[]): Promise<StreamPage[]>
  /** The events after a position in global order, up to the head at the time of the call. */
  readAll(options?: ReadAllOptions): AsyncIterable<RecordedEvent>
  /**
   * Catches up from a position, says so, then follows live until `signal` aborts. Never skips,
   * reorders or repeats; a lost connection is re-established from the last delivered position.
   */
  subscribe(options?: SubscribeOptions): AsyncIterable<SubscriptionBatch>
  /** The newest position, `startOfLog` for an empty log. */
  head(): Promise<Position>
  close(): Promise<void>
}

/** The events of one stream from a revision to another, both inclusive; by default all of them. */
export async function* readStream(
  eventStore: Pick<EventStore, 'read'>,
  stream: string,
  { from = 0, to }: { from?: number; to?: number } = {},
): AsyncGenerator<RecordedEvent> {
  let after = from - 1
  while (to === undefined || after < to) {
    const range = to === undefined ? { stream, after } : { stream, after, upTo: to }
    const [page] = await eventStore.read([range])
    if (page === undefined) throw new Error('the event store gave no page')
    yield* page.events
    if (page.isLast) return
    after += page.events.length
  }
}

/** The stream was not where the caller believed. Nothing was written. */
export class WrongRevision extends Error {
  readonly stream: string
  readonly expected: ExpectedRevision
  readonly actual: ActualRevision

  constructor(stream: string, expected: ExpectedRevision, actual: ActualRevision) {
    super(`stream ${stream} is at ${actual}, expected ${expected}`)
    this.name = 'WrongRevision'
    this.stream = stream
    this.expected = expected
    this.actual = actual
  }
}

/** The store does not give every event of a stream: nothing may be concluded from what is left. */
export class BrokenStream extends Error {
  readonly code = 'BROKEN_STREAM'
  readonly stream: string
  /** What is missing, or by what it is hidden. */
  readonly fault: string

  constructor(stream: string, fault: string) {
    super(`stream ${stream} is not whole: ${fault}`)
    this.name = 'BrokenStream'
    this.stream = stream
    this.fault = fault
  }
}

/** The store could not be reached or did not answer in time. The outcome is unknown. */
export class Unavailable extends Error {
  /** By which it is known to be transient. */
  readonly code = 'UNAVAILABLE'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Unavailable'
  }
}

/** The store answers with a log that is not the one of this shop. Nothing was read or written. */
export class ForeignLog extends Unavailable {
  constructor(message: string) {
    super(message)
    this.name = 'ForeignLog'
  }
}

/** Whether a filter lets an event through; adapters without server-side filters share it. */
export function passes(filter: EventFilter | undefined, event: { stream: string; type: string }) {
  if (filter === undefined) return true
  if ('types' in filter) return filter.types.includes(event.type)
  if ('exceptTypes' in filter) return !filter.exceptTypes.includes(event.type)
  return filter.streamPrefixes.some(prefix => event.stream.startsWith(prefix))
}

/** Whether what a stream has satisfies what an append expects of it. */
export function satisfies(expected: ExpectedRevision, actual: ActualRevision): boolean {
  if (expected === 'any') return true
  if (expected === 'exists') return actual !== 'no-stream'
  return expected === actual
}
