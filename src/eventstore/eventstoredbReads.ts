// Reads of EventStoreDB that survive a lost connection: they go on behind the last event delivered.

import {
  BACKWARDS,
  END,
  FORWARDS,
  START,
  type StreamingRead,
  StreamNotFoundError,
} from '@eventstore/db-client'
import { type Position, startOfLog } from '../kit/position.ts'
import {
  type Connection,
  isTransientHere,
  pauseMs,
  rest,
  retrying,
  unavailable,
} from './eventstoredbClient.ts'
import {
  type ClientEvent,
  isSystem,
  positionOf,
  recorded,
  toClientPosition,
} from './eventstoredbEvents.ts'
import {
  passes,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type StreamPage,
} from './port.ts'
import { toPosition } from './positionNumbers.ts'

/** How many of the newest records `head` looks at to find one that is not the server's own. */
const headWindow = 20
const pageSize = 200

/** The events of one stream; see the port. */
export function readStream(
  connection: Connection,
  stream: string,
  options: ReadStreamOptions = {},
): AsyncGenerator<RecordedEvent> {
  const { to, direction = 'forwards' } = options
  const step = direction === 'forwards' ? 1 : -1
  return resuming(connection, last => {
    const from = last === undefined ? options.from : last.revision + step
    return revisions(connection, stream, { direction, ...given('from', from), ...given('to', to) })
  })
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

function given<K extends string>(key: K, value: number | undefined): { [P in K]?: number } {
  const pair: { [P in K]?: number } = {}
  return value === undefined ? pair : { ...pair, [key]: value }
}

async function* revisions(
  { client }: Connection,
  stream: string,
  range: ReadStreamOptions,
): AsyncGenerator<RecordedEvent> {
  const { from, to, direction } = range
  if ((from ?? 0) < 0 || span(range) < 1) return
  const near = direction === 'backwards' ? END : START
  const read = client.readStream(stream, {
    direction: direction === 'backwards' ? BACKWARDS : FORWARDS,
    fromRevision: from === undefined ? near : BigInt(from),
    ...(Number.isFinite(span(range)) ? { maxCount: span(range) } : {}),
  })
  try {
    for await (const { event } of cancelled(read)) {
      if (event === undefined) continue
      if (direction === 'backwards' && Number(event.revision) < (to ?? 0)) return
      yield recorded(event)
    }
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error
  }
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
  const everything = resuming(connection, last => {
    return positions(connection, last?.position ?? after, end)
  })
  for await (const event of everything) if (passes(filter, event)) yield event
}

async function* positions(
  { client }: Connection,
  after: Position,
  end: Position,
): AsyncGenerator<RecordedEvent> {
  if (after >= end) return
  const read = client.readAll({ fromPosition: toClientPosition(after) })
  for await (const { event } of cancelled(read)) {
    if (event === undefined || isSystem(event)) continue
    const position = positionOf(event)
    if (position > end) return
    // The server starts with the event at the position itself.
    if (position > after) yield recorded(event)
  }
}

/**
 * The position of the newest event that is not the server's own, or of the newest record at all
 * when the last twenty are the server's own.
 */
export function head(connection: Connection): Promise<Position> {
  return retrying(connection, async () => {
    const { client } = connection
    const read = client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: headWindow })
    let newest: Position | undefined
    for await (const { event } of cancelled(read)) {
      if (event === undefined) continue
      newest ??= toPosition(event.position.commit)
      if (!isSystem(event)) return positionOf(event)
    }
    return newest ?? startOfLog
  })
}

/** Up to `count` events of a stream, the newest first; none for a missing stream. */
export async function tail(
  { client }: Connection,
  stream: string,
  count: number,
): Promise<ClientEvent[]> {
  const events: ClientEvent[] = []
  const read = client.readStream(stream, {
    direction: BACKWARDS,
    fromRevision: END,
    maxCount: count,
  })
  try {
    for await (const { event } of cancelled(read)) if (event !== undefined) events.push(event)
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error
  }
  return events
}

/** Iterates a read and ends its call on the server however the iteration ends. */
async function* cancelled<E>(read: StreamingRead<E>): AsyncGenerator<E> {
  // The client may emit an error after the iteration is over; unheard it would end the process.
  read.on('error', () => undefined)
  const events: AsyncIterable<E> = read.iterator({ destroyOnReturn: false })
  try {
    yield* events
  } finally {
    read.cancel().catch(() => undefined)
    // What had arrived by then must flow off, or the client holds on to the call for ever.
    read.resume()
  }
}

async function* resuming(
  connection: Connection,
  open: (last: RecordedEvent | undefined) => AsyncIterable<RecordedEvent>,
): AsyncGenerator<RecordedEvent> {
  const { timeoutMs, closing } = connection
  let last: RecordedEvent | undefined
  let failures = 0
  let giveUpAt = performance.now() + timeoutMs
  for (;;) {
    try {
      for await (const event of open(last)) {
        last = event
        yield event
        failures = 0
        giveUpAt = performance.now() + timeoutMs
      }
      return
    } catch (error) {
      if (!isTransientHere(error)) throw error
      if (closing.aborted || performance.now() > giveUpAt) throw unavailable(error)
      await rest(pauseMs(failures++), closing)
    }
  }
}
