// Where the newest event of this log is, found without looking through what others have written.
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { latest, type Position, startOfLog } from '../../kit/position.ts'
import { type Connection, type KnownHead, retrying } from './client.ts'
import { type ClientEvent, eventOf, placeOf } from './events.ts'
import { readOptions } from './ownStreams.ts'
import { allOf, openInbox } from './readAhead.ts'
import { backwardsRequest, readRequest } from './requests.ts'

/** Behind so many new events of this log, its newest one is found sooner from the end. */
const forwardMax = 500
/** Events of others that are named like those of this log are passed over, so many at a time. */
const backwardsMax = 20
/** Longer than its caller waits: whoever asks again waits for the same search. */
const searchMs = 600_000

/**
 * The position of the newest event of this log; `startOfLog` when there is none. The server's
 * newest record says whether anything is new; then what is new is searched, on the server, for
 * events of this log. Only the first time, or once the server has another log, is it searched from
 * its end.
 */
export function head(connection: Connection): Promise<Position> {
  return retrying(connection, async (_, ms) => {
    const newest = await newestRecord(connection, ms)
    if (newest === undefined) return startOfLog
    const known = await newestBefore(connection, newest, ms)
    connection.headMemory.known = known
    return known.head
  })
}

/** The position of the newest record of the server, whoever has written it. */
export function end(connection: Connection): Promise<Position> {
  return retrying(connection, async (_, ms) => {
    return (await newestRecord(connection, ms))?.position ?? startOfLog
  })
}

interface Newest {
  event: ClientEvent
  position: Position
}

async function newestBefore(
  connection: Connection,
  newest: Newest,
  ms: number,
): Promise<KnownHead> {
  const { headMemory, own } = connection
  const { position } = newest
  const ours = own.take(newest.event)
  if (ours !== undefined) return { head: ours.position, upTo: ours.position }
  // Another log than that of before: nothing is known of it.
  if (headMemory.known !== undefined && headMemory.known.upTo > position) {
    headMemory.known = undefined
  }
  const known = headMemory.known ?? (await searched(connection))
  if (known.upTo >= position) return known
  const last = await lastBehind(connection, { known, upTo: position, ms })
  return last === undefined ? searched(connection) : { head: last, upTo: position }
}

/**
 * A search from the end, which may take longer than a caller waits where others have written much
 * since: whoever asks again waits for the same one.
 */
function searched(connection: Connection): Promise<KnownHead> {
  const { headMemory } = connection
  if (headMemory.search === undefined) {
    const search = searchFromEnd(connection)
    headMemory.search = search
    const done = () => {
      headMemory.search = undefined
    }
    search.then(known => {
      headMemory.known = known
      done()
    }, done)
  }
  return headMemory.search
}

async function searchFromEnd(connection: Connection): Promise<KnownHead> {
  const newest = await newestRecord(connection, searchMs)
  const head = await lastOfAll(connection)
  return { head, upTo: newest === undefined || head > newest.position ? head : newest.position }
}

async function newestRecord(connection: Connection, ms: number): Promise<Newest | undefined> {
  const [event] = await found(connection, backwardsRequest(undefined, undefined, 1), ms)
  return event && { event, position: placeOf(event) }
}

/** The newest event of this log up to a position; undefined where there are too many new ones. */
async function lastBehind(
  connection: Connection,
  { known, upTo, ms }: { known: KnownHead; upTo: Position; ms: number },
): Promise<Position | undefined> {
  const { own } = connection
  const filter = own.serverFilter(undefined, readOptions)
  const events = await found(connection, readRequest(known.upTo, filter, forwardMax), ms)
  const last = events.at(-1)
  const isAll = events.length < forwardMax || (last !== undefined && placeOf(last) > upTo)
  if (!isAll) return undefined
  const ours = events.flatMap(event => own.take(event)?.position ?? [])
  return latest(known.head, ...ours.filter(position => position <= upTo))
}

/** Searched in parts that end by themselves: a read that is left goes on arriving for a while. */
async function lastOfAll(connection: Connection): Promise<Position> {
  const { own } = connection
  const filter = own.serverFilter(undefined, readOptions)
  let before: Position | undefined
  for (;;) {
    const request = backwardsRequest(before, filter, backwardsMax)
    const events = await found(connection, request, searchMs)
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
