// The event store on EventStoreDB or KurrentDB over gRPC: appends here, reads beside it.
import { jsonEvent, StreamDeletedError, WrongExpectedVersionError } from '@eventstore/db-client'
import type { Position } from '../../kit/position.ts'
import {
  type ActualRevision,
  type AppendResult,
  type ExpectedRevision,
  type NewEvent,
  type StreamPage,
  type StreamRange,
  WrongRevision,
} from '../../ports/eventStore.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import { toPosition } from '../core/positionNumbers.ts'
import { followStreamHeads, type StreamHeads } from '../core/streamHeads.ts'
import { missing } from '../core/wholeStream.ts'
import { batchAppends, type Confirm } from './batchAppend.ts'
import { type EncodedEvent, SendAlone } from './batchMessages.ts'
import { type Connection, createClient, type RetryPolicy, repeating, within } from './client.ts'
import { disposeOf } from './connect.ts'
import { type ClientEvent, positionOf } from './events.ts'
import { head, storeHead } from './head.ts'
import { deleted, streamHeads, streamLimits } from './hiddenEvents.ts'
import { type LogTail, logTail } from './logTail.ts'
import { type OwnOptions, ownStreams } from './ownStreams.ts'
import { eventAt, eventOfStream, newestEvents, readAll, readPage } from './reads.ts'
import { subscribe } from './subscription.ts'

const nothing: StreamPage = { events: [], isLast: true }
const closeMs = 2_000
/** A larger append would hold up those that are sent behind it over the same call. */
const batchedBytesMax = 512 * 1_024
/** How far back an append looks for its own ids, at first and when it repeats itself. */
const tailSize = { first: 32, repeated: 256 }

export interface EventStoreDbOptions extends OwnOptions {
  url: string
  timeoutMs?: number
  /** For jobs that would rather wait for minutes than fail. */
  retryPolicy?: RetryPolicy | undefined
  idleMs?: number
  /** Told once of a search of the server for events of this log that takes some seconds already. */
  tellSearch?: ((seconds: number) => void) | undefined
  /** Asked before anything is sent over a new connection: another server may be at its end. */
  confirm?: Confirm
}

/**
 * The event store behind `url` (`esdb://…`), over one client. Of what the server holds, the streams
 * with `prefix` whose names begin with one of `streamPrefixes` are the log, and nothing else is.
 * `timeoutMs` bounds an append with all its retries (default 10 s); `idleMs` is how long a
 * subscription is silent before it compares itself with the head (default 1 s).
 *
 * Limits of idempotency. With a number or 'no-stream' the server itself recognises an append that
 * it has written, at any time. With 'any' and 'exists' it remembers recent event ids only (8 MiB
 * of them, forgotten on restart and change of leader), so the end of the stream is searched as
 * well: 32 events before the first try, 256 before a repeated one. The same append sent again with
 * 'any' after both have moved on writes its events twice.
 */
export function eventStoreDb(options: EventStoreDbOptions): EventLog {
  const { url, timeoutMs = 10_000, retryPolicy, idleMs = 1_000 } = options
  const closing = new AbortController()
  const client = createClient(url)
  const confirm = options.confirm ?? (async () => undefined)
  const batch = batchAppends(client, confirm)
  const connection: Connection = {
    client,
    batch,
    confirm,
    own: ownStreams(options),
    headMemory: {
      known: undefined,
      search: undefined,
      closing: closing.signal,
      tell: options.tellSearch ?? (() => undefined),
    },
    timeoutMs,
    retryPolicy,
    idleMs,
    closing: closing.signal,
  }
  const seen: Seen = { position: undefined }
  const tail = logTail(connection)
  const heads = followStreamHeads(tail)
  const known = { connection, tail, heads }
  return {
    async append(stream, expected, events) {
      await assertWhole(known, stream)
      const done = await append(connection, seen, { stream, expected, events })
      heads.appended({ stream, revision: done.revision, position: done.position })
      return done
    },
    read: ranges => Promise.all(ranges.map(range => readRange(known, range))),
    readAll: range => readAll(connection, range),
    eventAt: position => eventAt(connection, position),
    subscribe: options => subscribe(connection, options),
    head: () => head(connection),
    storeHead: () => storeHead(connection),
    streamHeads: streams => streamHeads(connection, streams),
    streamLimits: () => streamLimits(connection),
    async close() {
      closing.abort()
      batch.close()
      await disposeOf(client, closeMs)
    },
  }
}

interface Known {
  connection: Connection
  tail: LogTail
  heads: StreamHeads
}

/** Refuses a stream whose beginning was hidden since this process knows it. */
async function assertWhole({ connection, tail }: Known, stream: string): Promise<void> {
  if (!tail.isLimited(stream)) return
  await eventOfStream(connection, stream, 0)
  tail.isWhole(stream)
}

async function readRange(known: Known, range: StreamRange): Promise<StreamPage> {
  const { stream, after, upTo } = range
  if (upTo === undefined && (await known.heads.isAtHead(stream, after))) return nothing
  const note = await known.heads.begin()
  await assertWhole(known, stream)
  const page = await readPage(known.connection, range)
  if (page.isLast && upTo === undefined) {
    note([{ stream, revision: page.events.at(-1)?.revision ?? after }])
  }
  return page
}

interface Append {
  stream: string
  expected: ExpectedRevision
  events: readonly NewEvent[]
}

/** The newest position that this process knows the log to have. */
interface Seen {
  position: Position | undefined
}

/**
 * The server does not say whether it has written an append now or found it written: it was found
 * where its position is not after all that was in the log before, and may have been after an
 * attempt without an answer.
 */
async function append(
  connection: Connection,
  seen: Seen,
  { stream, expected, events }: Append,
): Promise<AppendResult> {
  if (events.length === 0) throw new Error('an append holds at least one event')
  const { closing } = connection
  return repeating(connection, async (failures, ms) => {
    if (expected === 'any' || expected === 'exists') {
      const size = failures === 0 ? tailSize.first : tailSize.repeated
      const count = Math.max(size, events.length)
      const newest = await within(ms, closing, newestEvents(connection, stream, count))
      const earlier = earlierResult(newest, { stream, expected, events })
      if (earlier !== undefined) return earlier
    }
    seen.position ??= await head(connection)
    const before = seen.position
    const { revision, position } = await send(connection, { stream, expected, events }, ms)
    if (position > seen.position) seen.position = position
    return { revision, position, repeated: failures > 0 || position <= before }
  })
}

/** What the same append wrote before; undefined when none of its ids is among the newest events. */
function earlierResult(
  newest: ClientEvent[],
  { stream, expected, events }: Append,
): AppendResult | undefined {
  const ids = new Set(events.map(({ id }) => id.toLowerCase()))
  const copies = newest.filter(({ id }) => ids.has(id.toLowerCase()))
  const [last] = copies
  if (last === undefined) return undefined
  if (copies.length < ids.size) {
    throw new WrongRevision(stream, expected, actualRevision(newest[0]?.revision))
  }
  return { revision: Number(last.revision), position: positionOf(last), repeated: true }
}

/** Sends an append with others; alone where the server wants that, or it would hold them up. */
async function send(
  connection: Connection,
  append: Append,
  ms: number,
): Promise<Omit<AppendResult, 'repeated'>> {
  const events = append.events.map(encoded)
  const size = events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0)
  const alone = async () => {
    await connection.confirm()
    return within(ms, connection.closing, sendAlone(connection, append, ms))
  }
  if (size > batchedBytesMax) return alone()
  try {
    const { stream, expected } = append
    const named = { stream: connection.own.nameOnServer(stream), expected, events }
    const answer = await connection.batch.append(named, ms)
    if (answer.kind === 'wrong-revision') throw new WrongRevision(stream, expected, answer.actual)
    return await written(connection, append, answer)
  } catch (error) {
    if (error instanceof SendAlone) return alone()
    throw error
  }
}

/** What has been written as JSON already is not written again. */
function encoded({ id, type, data, metadata, text }: NewEvent): EncodedEvent {
  return {
    id,
    type,
    data: Buffer.from(text?.data ?? JSON.stringify(data)),
    metadata: Buffer.from(text?.metadata ?? JSON.stringify(metadata)),
  }
}

async function sendAlone(
  connection: Connection,
  append: Append,
  deadlineMs: number,
): Promise<Omit<AppendResult, 'repeated'>> {
  const { stream, expected, events } = append
  const proposed = events.map(({ id, type, data, metadata }) =>
    jsonEvent({ id, type, data, metadata }),
  )
  try {
    const { success, nextExpectedRevision, position } = await connection.client.appendToStream(
      connection.own.nameOnServer(stream),
      proposed,
      { expectedRevision: expectedRevision(expected), deadline: deadlineMs },
    )
    if (!success) throw new WrongRevision(stream, expected, actualRevision(nextExpectedRevision))
    const revision = Number(nextExpectedRevision)
    return written(connection, append, { revision, position: position?.commit })
  } catch (error) {
    if (error instanceof StreamDeletedError) throw deleted(stream)
    if (!(error instanceof WrongExpectedVersionError)) throw error
    throw new WrongRevision(stream, expected, actualRevision(error.actualVersion))
  }
}

async function written(
  connection: Connection,
  { stream, expected, events }: Append,
  { revision, position }: { revision: number; position: bigint | undefined },
) {
  // The server goes on behind the events of a stream that was deleted as if it were a new one.
  if (expected === 'no-stream' && revision !== events.length - 1) {
    throw missing(stream, 0, revision - events.length)
  }
  const known = position === undefined ? undefined : toPosition(position)
  return { revision, position: known ?? (await positionAt(connection, stream, revision)) }
}

function expectedRevision(expected: ExpectedRevision) {
  if (expected === 'no-stream') return 'no_stream'
  if (expected === 'exists') return 'stream_exists'
  return expected === 'any' ? 'any' : BigInt(expected)
}

function actualRevision(actual: bigint | string | undefined): ActualRevision {
  return typeof actual === 'bigint' && actual >= 0n ? Number(actual) : 'no-stream'
}

/** The server leaves the position out when it recognises an append but cannot read it at once. */
async function positionAt(
  connection: Connection,
  stream: string,
  revision: number,
): Promise<Position> {
  const event = await eventOfStream(connection, stream, revision)
  if (event !== undefined) return event.position
  throw new Error(`revision ${revision} of ${stream} was written but cannot be read`)
}
