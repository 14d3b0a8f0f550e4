// What EventStoreDB was told to hide of streams of this log: $tb, $maxCount, $maxAge, deletions.
import {
  BACKWARDS,
  END,
  START,
  StreamDeletedError,
  StreamNotFoundError,
} from '@eventstore/db-client'
import { type Connection, retrying } from './eventstoredbClient.ts'
import type { ClientEvent } from './eventstoredbEvents.ts'
import { cancelled, readAllFiltered, resuming } from './eventstoredbRead.ts'
import { BrokenStream, type StreamEnd, type StreamLimit } from './port.ts'

const metadataOf = '$$'
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

/** Where streams end, see the port: one event of each is read. */
export async function endsOf(
  connection: Connection,
  streams: readonly string[],
): Promise<StreamEnd[]> {
  const ends: StreamEnd[] = []
  let next = 0
  const work = async () => {
    while (next < streams.length) {
      const index = next++
      const stream = streams[index]
      if (stream !== undefined) ends[index] = await endOf(connection, stream)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, streams.length) }, work))
  return ends
}

async function endOf(connection: Connection, stream: string): Promise<StreamEnd> {
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
export async function* limits(connection: Connection): AsyncGenerator<StreamLimit> {
  const { own } = connection
  const found = new Map<string, string>()
  for await (const event of resuming<ClientEvent>(connection, last =>
    metadataBehind(connection, last),
  )) {
    const stream = own.nameOf(event.streamId.slice(metadataOf.length))
    const limit = limitIn(event.data)
    if (stream === undefined) continue
    // The last one counts.
    found.delete(stream)
    if (limit !== undefined) found.set(stream, limit)
  }
  for (const [stream, detail] of found) yield { stream, detail }
}

async function* metadataBehind({ client, own }: Connection, last: ClientEvent | undefined) {
  const fromPosition = last?.position ?? START
  const read = readAllFiltered(client, { fromPosition }, own.metadataFilter())
  for await (const { event } of cancelled<{ event?: ClientEvent }>(read)) {
    if (event !== undefined) yield event
  }
}
