// Reads of EventStoreDB that survive a lost connection: they go on behind the last event delivered.
import {
  BACKWARDS,
  END,
  FORWARDS,
  START,
  StreamDeletedError,
  StreamNotFoundError,
} from '@eventstore/db-client'
import { optional } from '../../kit/optional.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import {
  BrokenStream,
  passes,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type StreamPage,
} from '../../ports/eventStore.ts'
import { gone, wholeStream } from '../core/wholeStream.ts'
import { type Connection, isNoRecord, retrying } from './client.ts'
import { type ClientEvent, eventOf } from './events.ts'
import { head } from './head.ts'
import { deleted, hidden } from './hiddenEvents.ts'
import { readOptions } from './ownStreams.ts'
import { arriving, cancelled, resuming } from './read.ts'
import { allOf, openInbox } from './readAhead.ts'
import { readRequest } from './requests.ts'

const pageSize = 200

/** The events of one stream; see the port. */
export function readStream(
  connection: Connection,
  stream: string,
  options: ReadStreamOptions = {},
): AsyncGenerator<RecordedEvent> {
  const { to, direction = 'forwards' } = options
  const step = direction === 'forwards' ? 1 : -1
  const events = resuming<RecordedEvent>(connection, last => {
    const from = last === undefined ? options.from : last.revision + step
    const range = { direction, ...optional('from', from), ...optional('to', to) }
    return revisions(connection, stream, { ...range, isBegun: last !== undefined })
  })
  return wholeStream(stream, options, events)
}

/** Some events of a stream from a revision on; see the port. */
export async function readPage(
  connection: Connection,
  stream: string,
  from: number,
): Promise<StreamPage> {
  const events: RecordedEvent[] = []
  const range = { from, to: from + pageSize - 1 }
  for await (const event of readStream(connection, stream, range)) events.push(event)
  return { events, isLast: events.length < pageSize }
}

/** A part of a stream; `isBegun` where an earlier part of the same read has been delivered. */
type Range = ReadStreamOptions & { isBegun: boolean }

async function* revisions(
  connection: Connection,
  stream: string,
  range: Range,
): AsyncGenerator<RecordedEvent> {
  if ((range.from ?? 0) < 0 || span(range) < 1) return
  const lowest = range.direction === 'backwards' ? (range.to ?? 0) : 0
  let isEmpty = true
  let isThere = true
  try {
    for await (const { event } of cancelled(openStream(connection, stream, range))) {
      if (event === undefined) continue
      isEmpty = false
      if (Number(event.revision) < lowest) return
      yield taken(connection, stream, event)
    }
  } catch (error) {
    isThere = !isNotFound(error, stream)
  }
  if (isEmpty) await explain(connection, stream, { isKnown: isKnown(range), isThere })
}

function openStream({ client, own }: Connection, stream: string, range: Range) {
  const { from, direction } = range
  const near = direction === 'backwards' ? END : START
  return client.readStream(own.nameOnServer(stream), {
    direction: direction === 'backwards' ? BACKWARDS : FORWARDS,
    fromRevision: from === undefined ? near : BigInt(from),
    ...(Number.isFinite(span(range)) ? { maxCount: span(range) } : {}),
  })
}

/** Whether the caller, or this read, has had an event of the stream before. */
function isKnown({ from = 0, direction, isBegun }: Range): boolean {
  return isBegun || (direction === 'forwards' && from > 0)
}

/** Throws BrokenStream where a read has found nothing although there should be something. */
async function explain(
  connection: Connection,
  stream: string,
  found: { isKnown: boolean; isThere: boolean },
): Promise<void> {
  // Behind an event that is known there may be nothing.
  if (found.isKnown && found.isThere) return
  const fault = await hidden(connection, stream)
  if (fault !== undefined) throw fault
  if (found.isKnown) throw gone(stream)
}

/** Whether the server does not have a stream. Throws every other error. */
function isNotFound(error: unknown, stream: string): boolean {
  if (error instanceof StreamDeletedError) throw deleted(stream)
  if (!(error instanceof StreamNotFoundError)) throw error
  return true
}

function taken({ own }: Connection, stream: string, event: ClientEvent): RecordedEvent {
  const ours = own.take(event)
  if (ours !== undefined) return ours
  throw new BrokenStream(stream, `event ${event.revision} was written by another application`)
}

/** How many revisions a range holds at most. */
function span({ from, to, direction }: ReadStreamOptions): number {
  if (direction === 'backwards') return (from ?? Infinity) - (to ?? 0) + 1
  return (to ?? Infinity) - (from ?? 0) + 1
}

/** The events behind a position up to the head of now; see the port. */
export async function* readAll(
  connection: Connection,
  { after = startOfLog, filter }: ReadAllOptions = {},
): AsyncGenerator<RecordedEvent> {
  const end = await head(connection)
  const everything = resuming<RecordedEvent[]>(connection, last => {
    return positions(connection, { after: last?.at(-1)?.position ?? after, end, filter })
  })
  for await (const events of everything) yield* events
}

/** The event at a position; see the port. */
export function eventAt(
  connection: Connection,
  position: Position,
): Promise<RecordedEvent | undefined> {
  if (position === startOfLog) return Promise.resolve(undefined)
  return retrying(connection, async (_, ms) => {
    const { client, own, closing } = connection
    const read = openInbox(client, readRequest(position, undefined, 1), eventOf)
    try {
      const [event] = await allOf(read, { ms, signal: closing })
      const ours = event && own.take(event)
      return ours?.position === position ? ours : undefined
    } catch (error) {
      if (!isNoRecord(error)) throw error
      return undefined
    }
  })
}

interface Stretch {
  after: Position
  end: Position
  filter: ReadAllOptions['filter']
}

async function* positions(
  connection: Connection,
  stretch: Stretch,
): AsyncGenerator<RecordedEvent[]> {
  if (stretch.after >= stretch.end) return
  try {
    yield* between(connection, stretch.after, stretch)
  } catch (error) {
    if (!isNoRecord(error)) throw error
    // Between two records, as a caller may ask: the server can only begin at one that there is.
    yield* between(connection, startOfLog, stretch)
  }
}

async function* between(
  connection: Connection,
  from: Position,
  { after, end, filter }: Stretch,
): AsyncGenerator<RecordedEvent[]> {
  const { own } = connection
  const request = readRequest(from, own.serverFilter(filter, readOptions))
  for await (const sent of arriving(connection, request, eventOf)) {
    const events: RecordedEvent[] = []
    let isOver = false
    for (const each of sent) {
      const event = own.take(each)
      if (event === undefined) continue
      isOver = event.position > end
      if (isOver) break
      // The server starts with the event at the position itself.
      if (event.position > after && passes(filter, event)) events.push(event)
    }
    if (events.length > 0) yield events
    if (isOver) return
  }
}

/** Up to `count` events of a stream, the newest first; none for a missing stream. */
export async function tail(
  { client, own }: Connection,
  stream: string,
  count: number,
): Promise<ClientEvent[]> {
  const events: ClientEvent[] = []
  const read = client.readStream(own.nameOnServer(stream), {
    direction: BACKWARDS,
    fromRevision: END,
    maxCount: count,
  })
  try {
    for await (const { event } of cancelled(read)) if (event !== undefined) events.push(event)
  } catch (error) {
    isNotFound(error, stream)
  }
  return events
}
