// What EventStoreDB was told to hide of streams of this log: $tb, $maxCount, $maxAge, deletions.
import {
  BACKWARDS,
  END,
  type Filter,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
} from '@eventstore/db-client'
import { startOfLog } from '../../kit/position.ts'
import { BrokenStream } from '../../ports/eventStore.ts'
import type { StreamHead, StreamLimit } from '../../ports/logInspection.ts'
import { type Connection, retrying } from './client.ts'
import { type ClientEvent, eventOf, placeOf } from './events.ts'
import { metadataOf, readOptions } from './ownStreams.ts'
import { arriving, cancelled, resuming } from './read.ts'
import { readRequest } from './requests.ts'

/** Reads of single streams at the same time. */
const atOnce = 16
/** What a soft deletion sets `$tb` to. */
const everything = 2 ** 63 - 1

/** A stream that was deleted for good: it can be neither read nor written again. */
export function deleted(stream: string): BrokenStream {
  return new BrokenStream(stream, 'it was deleted for good (a tombstone)')
}

/** Why a stream that seems to be empty is not, if it is not. */
export async function hidden(
  { client, own }: Connection,
  stream: string,
): Promise<BrokenStream | undefined> {
  const read = client.readStream(`${metadataOf}${own.nameOnServer(stream)}`, {
    direction: BACKWARDS,
    fromRevision: END,
    maxCount: 1,
  })
  try {
    for await (const { event } of cancelled<{ event?: ClientEvent }>(read)) {
      const detail = event && limitIn(event.data)
      if (detail !== undefined) return new BrokenStream(stream, detail)
    }
  } catch (error) {
    if (error instanceof StreamDeletedError) return deleted(stream)
    if (!(error instanceof StreamNotFoundError)) throw error
  }
  return undefined
}

/** What the metadata of a stream hides of it, or is going to. */
function limitIn(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const { $tb, $maxCount, $maxAge } = {
    $tb: undefined,
    $maxCount: undefined,
    $maxAge: undefined,
    ...metadata,
  }
  const limits: string[] = []
  // A number like that of a deletion is beyond what JSON.parse keeps exactly.
  if (typeof $tb === 'number' && $tb >= everything) limits.push('it was deleted ($tb)')
  else if (typeof $tb === 'number' && $tb > 0) limits.push(`$tb hides what is before event ${$tb}`)
  if ($maxCount !== undefined) limits.push(`$maxCount keeps ${$maxCount} events`)
  if ($maxAge !== undefined) limits.push(`$maxAge keeps ${$maxAge} seconds`)
  return limits.length === 0 ? undefined : limits.join(', ')
}

/** The heads of streams, see the port: one event of each is read. */
export async function streamHeads(
  connection: Connection,
  streams: readonly string[],
): Promise<StreamHead[]> {
  const heads: StreamHead[] = []
  let next = 0
  const work = async () => {
    while (next < streams.length) {
      const index = next++
      const stream = streams[index]
      if (stream !== undefined) heads[index] = await headOf(connection, stream)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, streams.length) }, work))
  return heads
}

async function headOf(connection: Connection, stream: string): Promise<StreamHead> {
  const { client, own } = connection
  return retrying(connection, async () => {
    const range = { direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const
    try {
      for await (const { event } of cancelled(client.readStream(own.nameOnServer(stream), range))) {
        if (event === undefined) continue
        const revision = Number(event.revision)
        if (own.take(event) !== undefined) return { stream, revision }
        const fault = `event ${revision} was written by another application`
        return { stream, revision, fault }
      }
    } catch (error) {
      if (error instanceof StreamDeletedError) {
        return { stream, revision: 'no-stream', fault: deleted(stream).fault }
      }
      if (!(error instanceof StreamNotFoundError)) throw error
    }
    const broken = await hidden(connection, stream)
    return { stream, revision: 'no-stream', ...(broken && { fault: broken.fault }) }
  })
}

/** The streams of this log whose metadata hides something of them; one read on the server. */
export async function* streamLimits(connection: Connection): AsyncGenerator<StreamLimit> {
  const { own } = connection
  const found = new Map<string, string>()
  for await (const event of resuming<ClientEvent>(connection, last =>
    eventsBehind(connection, last, own.metadataFilter()),
  )) {
    const stream = own.limitedBy(event.streamId)
    const limit = limitIn(event.data)
    if (stream === undefined) continue
    // The last one counts.
    found.delete(stream)
    if (limit !== undefined) found.set(stream, limit)
  }
  if (found.size === 0) return
  // Others may have streams that are named like those of this log, and do with them as they like.
  const ours = await ownOf(connection, new Set(found.keys()))
  for (const [stream, detail] of found) if (ours.has(stream)) yield { stream, detail }
}

/** Streams whose names one read is asked for; the server compares each event with all of them. */
const namesAtOnce = 100

/** Those of the streams that have an event of this log, hidden or not. */
async function ownOf(connection: Connection, streams: ReadonlySet<string>): Promise<Set<string>> {
  const ours = new Set<string>()
  const names = [...streams].map(connection.own.nameOnServer)
  for (let from = 0; from < names.length; from += namesAtOnce) {
    const filter = streamNameFilter({
      prefixes: names.slice(from, from + namesAtOnce),
      ...readOptions,
    })
    const events = resuming<ClientEvent>(connection, last => eventsBehind(connection, last, filter))
    for await (const event of events) {
      const taken = connection.own.take(event)
      if (taken !== undefined && streams.has(taken.stream)) ours.add(taken.stream)
    }
  }
  return ours
}

async function* eventsBehind(
  connection: Connection,
  last: ClientEvent | undefined,
  filter: Filter,
): AsyncGenerator<ClientEvent> {
  const from = last === undefined ? startOfLog : placeOf(last)
  const read = arriving(connection, readRequest(from, filter), eventOf)
  for await (const events of read) yield* events
}
