// Reads of EventStoreDB that survive a lost connection: they go on behind the last event delivered.
import {
  BACKWARDS,
  END,
  FORWARDS,
  StreamDeletedError,
  StreamNotFoundError,
} from '@eventstore/db-client'
import { type Position, startOfLog } from '../../kit/position.ts'
import {
  BrokenStream,
  passes,
  type ReadAllOptions,
  type RecordedEvent,
  type StreamPage,
  type StreamRange,
} from '../../ports/eventStore.ts'
import { assertWhole, gone } from '../core/wholeStream.ts'
import { type Connection, isNoRecord, retrying } from './client.ts'
import { type ClientEvent, eventOf } from './events.ts'
import { head } from './head.ts'
import { deleted, hidden } from './hiddenEvents.ts'
import { readOptions } from './ownStreams.ts'
import { arriving, cancelled, resuming } from './read.ts'
import { allOf, openInbox } from './readAhead.ts'
import { readRequest } from './requests.ts'

const pageSize = 500

/** The first events of a range; see the port. */
export async function readPage(connection: Connection, range: StreamRange): Promise<StreamPage> {
  const { stream, after, upTo = Number.POSITIVE_INFINITY } = range
  const end = Math.min(upTo, after + pageSize)
  const events: RecordedEvent[] = []
  const read = resuming<RecordedEvent>(connection, last =>
    revisions(connection, { stream, after: last?.revision ?? after, upTo: end }),
  )
  for await (const event of read) events.push(event)
  assertWhole(stream, after, events)
  return { events, isLast: end === upTo || events.length < pageSize }
}

/** One event of a stream; undefined where the stream ends before it. */
export async function eventOfStream(
  connection: Connection,
  stream: string,
  revision: number,
): Promise<RecordedEvent | undefined> {
  const range = { stream, after: revision - 1, upTo: revision }
  return (await readPage(connection, range)).events[0]
}

async function* revisions(
  connection: Connection,
  { stream, after, upTo }: Required<StreamRange>,
): AsyncGenerator<RecordedEvent> {
  if (upTo <= after) return
  const read = connection.client.readStream(connection.own.nameOnServer(stream), {
    direction: FORWARDS,
    fromRevision: BigInt(after + 1),
    maxCount: upTo - after,
  })
  let isEmpty = true
  let isThere = true
  try {
    for await (const { event } of cancelled(read)) {
      if (event === undefined) continue
      isEmpty = false
      yield ownEvent(connection, stream, event)
    }
  } catch (error) {
    isThere = !isNotFound(error, stream)
  }
  if (isEmpty) await explain(connection, stream, { isKnown: after >= 0, isThere })
}

/** Throws BrokenStream where a read has found nothing although there should be something. */
async function explain(
  connection: Connection,
  stream: string,
  found: { isKnown: boolean; isThere: boolean },
): Promise<void> {
  // After an event that is known there may be nothing.
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

function ownEvent({ own }: Connection, stream: string, event: ClientEvent): RecordedEvent {
  const ours = own.take(event)
  if (ours !== undefined) return ours
  throw new BrokenStream(stream, `event ${event.revision} was written by another application`)
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
export async function newestEvents(
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
