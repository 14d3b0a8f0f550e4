// Searches a server for the newest event of this log, however much others have written on it.
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { latest, type Position, startOfLog } from '../../kit/position.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import {
  asLasting,
  type Connection,
  isTransientHere,
  type KnownHead,
  pauseMs,
  rest,
  startRetries,
  unavailable,
} from './client.ts'
import { type ClientEvent, eventOf, placeOf } from './events.ts'
import { readOptions } from './ownStreams.ts'
import { allOf, openInbox } from './readAhead.ts'
import { backwardsRequest, readRequest } from './requests.ts'
import { type Feed, openFeed } from './subscriptionQueue.ts'

/** Behind so many new events of this log, its newest one is found sooner from the end. */
const forwardMax = 500
/** Events of others that are named like those of this log are passed over, so many at a time. */
const backwardsMax = 20
/** A read from the end may search in silence for so many times as long as an append may take. */
const fromEndPatience = 3
/** A search is spoken of when it takes longer. */
const tellMs = 3_000

/** The newest record of the server, whoever has written it. */
export interface Newest {
  event: ClientEvent
  position: Position
}

/** How long one read may search in silence before it is done in steps. */
export function quickMs({ timeoutMs }: Connection): number {
  return timeoutMs / 5
}

/** The newest record of the server; undefined where there is none. */
export async function newestRecord(
  connection: Connection,
  ms: number,
): Promise<Newest | undefined> {
  const [event] = await found(connection, backwardsRequest(undefined, undefined, 1), ms)
  return event && { event, position: placeOf(event) }
}

interface Stretch {
  known: KnownHead
  upTo: Position
  ms: number
}

/** What one read from what is known on finds; undefined where it does not get to `upTo`. */
export async function behindKnown(
  connection: Connection,
  { known, upTo, ms }: Stretch,
): Promise<KnownHead | undefined> {
  const { own } = connection
  const filter = own.serverFilter(undefined, readOptions)
  const request = readRequest(known.upTo, filter, forwardMax)
  const events = await unlessSlow(found(connection, request, ms))
  const last = events?.at(-1)
  if (events === undefined) return undefined
  const isAll = events.length < forwardMax || (last !== undefined && placeOf(last) > upTo)
  if (!isAll) return undefined
  const ours = events.flatMap(event => own.take(event)?.position ?? [])
  return { head: latest(known.head, ...ours.filter(position => position <= upTo)), upTo }
}

/**
 * Searches until `headMemory.known` reaches the end that the server has now. One read from the end
 * finds most heads soon. A read that has to pass much of others says nothing meanwhile, and begins
 * anew when the connection is lost: then the server is followed from what is known on, since it
 * tells how far it has come. Fails where that does not get any further for too long.
 */
export async function search(subscriber: Connection): Promise<void> {
  const { headMemory } = subscriber
  const connection = { ...subscriber, closing: headMemory.closing }
  const wait = startRetries(connection)
  const telling = tellLater(connection)
  let failures = 0
  try {
    for (let isFirst = true; ; isFirst = false) {
      const before = headMemory.known?.upTo
      try {
        return await step(connection, isFirst)
      } catch (error) {
        if (!isTransientHere(error)) throw asLasting(error)
        if (headMemory.known?.upTo !== before) {
          wait.again()
          failures = 0
        }
        const pause = pauseMs(failures++)
        if (connection.closing.aborted || wait.leftMs() <= pause) throw unavailable(error)
        await rest(pause, connection.closing)
      }
    }
  } finally {
    clearTimeout(telling)
  }
}

function tellLater({ headMemory }: Connection): NodeJS.Timeout {
  return setTimeout(() => headMemory.tell(tellMs / 1_000), tellMs).unref()
}

/** One read from the end, or a stretch forwards; what is known reaches the end after it. */
async function step(connection: Connection, isFromEnd: boolean): Promise<void> {
  const { headMemory, timeoutMs } = connection
  const newest = await newestRecord(connection, timeoutMs / 2)
  if (newest === undefined) {
    headMemory.known = { head: startOfLog, upTo: startOfLog }
    return
  }
  const { position } = newest
  if (isFromEnd) {
    const last = await unlessSlow(lastOfAll(connection, timeoutMs * fromEndPatience))
    if (last !== undefined) {
      headMemory.known = { head: last, upTo: latest(last, position) }
      return
    }
  }
  const known = await followed(connection, position)
  if (known.upTo >= position) return
  // A server from before 23.10 does not say that it is at the end.
  const last = await behindKnown(connection, { known, upTo: position, ms: timeoutMs / 2 })
  if (last === undefined) throw new Unavailable('EventStoreDB did not answer in time')
  headMemory.known = last
}

/** Follows the server up to a position, and notes how far that has come as it goes. */
async function followed(connection: Connection, target: Position): Promise<KnownHead> {
  const { headMemory, own } = connection
  let known = headMemory.known ?? { head: startOfLog, upTo: startOfLog }
  const feed = openFeed(connection, { position: known.upTo, filtered: true }, undefined)
  const reach = (position: Position, head = known.head) => {
    known = { head, upTo: latest(known.upTo, position) }
    headMemory.known = known
  }
  try {
    while (known.upTo < target) {
      const next = feed.next()
      if (next === undefined) {
        if (!(await isGoingOn(feed, connection))) return known
      } else if ('checkpoint' in next) reach(next.checkpoint)
      else if ('live' in next) reach(next.live ? target : known.upTo)
      else reach(placeOf(next), own.take(next)?.position)
    }
    return known
  } finally {
    feed.close()
  }
}

/** Waits for more; false where nothing has come for too long. Throws what the feed ends with. */
async function isGoingOn(feed: Feed, { timeoutMs, closing }: Connection): Promise<boolean> {
  const end = feed.end()
  if (end !== undefined) throw end.reason ?? new Unavailable('EventStoreDB ended a search')
  const isNew = await feed.arrived(timeoutMs / 2, closing)
  if (closing.aborted) throw new Unavailable('the event store is closed')
  return isNew
}

/** Searched in parts that end by themselves: a read that is left goes on arriving for a while. */
async function lastOfAll(connection: Connection, ms: number): Promise<Position> {
  const { own } = connection
  const filter = own.serverFilter(undefined, readOptions)
  let before: Position | undefined
  for (;;) {
    const events = await found(connection, backwardsRequest(before, filter, backwardsMax), ms)
    for (const event of events) {
      const ours = own.take(event)
      if (ours !== undefined) return ours.position
      before = placeOf(event)
    }
    if (events.length < backwardsMax) return startOfLog
  }
}

/** All that a read finds, unless nothing of it comes for so long. */
function found({ client, closing }: Connection, request: streamsPb.ReadReq, ms: number) {
  return allOf(openInbox(client, request, eventOf), { ms, signal: closing })
}

/** Undefined in the place of an error that passes by itself, such as that nothing has come. */
export async function unlessSlow<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (!isTransientHere(error)) throw error
    return undefined
  }
}
