// Where the newest event of this log is, found without looking through what others have written.
import { BACKWARDS, END } from '@eventstore/db-client'
import { type Position, startOfLog } from '../kit/position.ts'
import { type Connection, retrying } from './eventstoredbClient.ts'
import { type ClientEvent, toClientPosition } from './eventstoredbEvents.ts'
import { readOptions } from './eventstoredbOwn.ts'
import { cancelled, readAllFiltered } from './eventstoredbRead.ts'
import { toPosition } from './positionNumbers.ts'

/** The newest event of this log, and the newest record of the server that was looked at for it. */
export interface KnownHead {
  head: Position
  upTo: Position
}

/** What is known of the head, and the search for it that is under way. */
export interface HeadMemory {
  known: KnownHead | undefined
  search: Promise<KnownHead> | undefined
}

/** Behind so many new events of this log, its newest one is found sooner from the end. */
const forwardMax = 500

/**
 * The position of the newest event of this log; `startOfLog` when there is none. The server's
 * newest record says whether anything is new; then what is new is searched, on the server, for
 * events of this log. Only the first time, or once the server has another log, is it searched from
 * its end.
 */
export function head(connection: Connection): Promise<Position> {
  return retrying(connection, async () => {
    const newest = await newestRecord(connection)
    if (newest === undefined) return startOfLog
    const found = await newestBefore(connection, newest)
    connection.headMemory.known = found
    return found.head
  })
}

/** The position of the newest record of the server, whoever has written it. */
export function end(connection: Connection): Promise<Position> {
  return retrying(connection, async () => {
    return (await newestRecord(connection))?.position ?? startOfLog
  })
}

interface Newest {
  event: ClientEvent
  position: Position
}

async function newestBefore(connection: Connection, newest: Newest): Promise<KnownHead> {
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
  const last = await lastBehind(connection, known, position)
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
  const newest = await newestRecord(connection)
  const head = await lastOfAll(connection)
  return { head, upTo: newest === undefined || head > newest.position ? head : newest.position }
}

async function newestRecord({ client }: Connection): Promise<Newest | undefined> {
  const read = client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 })
  for await (const { event } of cancelled(read)) {
    if (event !== undefined) return { event, position: toPosition(event.position.commit) }
  }
  return undefined
}

/** The newest event of this log up to a position; undefined where there are too many new ones. */
async function lastBehind(
  { client, own }: Connection,
  known: KnownHead,
  upTo: Position,
): Promise<Position | undefined> {
  const from = { fromPosition: toClientPosition(known.upTo) }
  let last = known.head
  let count = 0
  const read = readAllFiltered(client, from, own.serverFilter(undefined, readOptions))
  for await (const { event } of cancelled(read)) {
    if (event === undefined) continue
    if (toPosition(event.position.commit) > upTo) break
    last = own.take(event)?.position ?? last
    count += 1
    if (count > forwardMax) return undefined
  }
  return last
}

async function lastOfAll({ client, own }: Connection): Promise<Position> {
  const from = { direction: BACKWARDS, fromPosition: END } as const
  const read = readAllFiltered(client, from, own.serverFilter(undefined, readOptions))
  for await (const { event } of cancelled<{ event?: ClientEvent }>(read)) {
    const taken = event && own.take(event)
    if (taken !== undefined) return taken.position
  }
  return startOfLog
}
