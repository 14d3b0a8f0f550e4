// The end of the log in EventStoreDB: which streams were appended to since a position, and of which
// something may have been hidden.
import type { Filter } from '@eventstore/db-client'
import { latest, type Position, startOfLog } from '../../kit/position.ts'
import { toPosition } from '../core/positionNumbers.ts'
import type { StreamHead, Tail, TailSource } from '../core/streamHeads.ts'
import { type Connection, isNoRecord } from './client.ts'
import { knownHead } from './head.ts'
import { quickMs, unlessSlow } from './headSearch.ts'
import type { Sent } from './messages.ts'
import { allOf, openInbox } from './readAhead.ts'
import { readRequest } from './requests.ts'

/** An append, or a change of the metadata of a stream, which may hide some of its events. */
type Change = (StreamHead | { limited: string }) & { position: Position }

/** Events that are read at most: more of them cost more than reading streams anew. */
const tailMax = 500
const limitedMax = 20_000
/** What took longer would take ever longer: others write much after the last event of this log. */
const slowMs = 500

export interface LogTail extends TailSource {
  /** Whether something of a stream may have been hidden since this process knows it. */
  isLimited(stream: string): boolean
  /** The stream was read from its beginning since: nothing is missing. */
  isWhole(stream: string): void
}

/**
 * The server acknowledges an append once it is in what it reads of the whole log, in the order of
 * positions: so a read up to the end that begins after the question has everything that was
 * acknowledged before it.
 */
export function logTail(connection: Connection): LogTail {
  const { own } = connection
  const limited = new Set<string>()
  return {
    slowMs,
    newest: async () => (await knownHead(connection)).upTo,
    async tailAfter(after, known) {
      const changes = await changesAfter(connection, after)
      if (limited.size > limitedMax) limited.clear()
      if (changes === 'late') {
        // A limit that was set meanwhile was not seen: each known stream is read again.
        for (const stream of known) limited.add(stream)
        return undefined
      }
      return changes && tailOf(changes, { after, limited })
    },
    // The end of the log says nothing of a stream that does not belong to it.
    covers: stream => own.nameOf(own.nameOnServer(stream)) !== undefined && !limited.has(stream),
    isLimited: stream => limited.has(stream),
    isWhole: stream => void limited.delete(stream),
  }
}

function tailOf(
  changes: readonly Change[],
  { after, limited }: { after: Position; limited: Set<string> },
): Tail {
  const heads: StreamHead[] = []
  for (const change of changes) {
    if ('limited' in change) limited.add(change.limited)
    else heads.push(change)
  }
  return { heads, upTo: latest(after, ...changes.map(({ position }) => position)) }
}

/** The changes after a position; 'late' where reading them takes too long. */
async function changesAfter(
  connection: Connection,
  after: Position,
): Promise<Change[] | 'late' | undefined> {
  const { own } = connection
  const found = await placesFrom(connection, after, own.changesFilter(), tailMax + 2)
  if (found === undefined) return 'late'
  const isThere = found[0]?.position === after || (await isRecord(connection, after))
  const tail = found.filter(({ position }) => position > after)
  if (!isThere || tail.length > tailMax) return undefined
  return tail.flatMap(({ name, revision, position }): Change[] => {
    const isAbout = own.limitedBy(name)
    if (isAbout !== undefined) return [{ limited: isAbout, position }]
    const stream = own.nameOf(name)
    return stream === undefined ? [] : [{ stream, revision, position }]
  })
}

/** Where records are from a position on; undefined where that is not known soon. */
function placesFrom(
  connection: Connection,
  from: Position,
  filter: Filter | undefined,
  count: number,
): Promise<Place[] | undefined> {
  const { client, closing } = connection
  const inbox = openInbox(client, readRequest(from, filter, count), placeOf)
  return unlessSlow(allOf(inbox, { ms: quickMs(connection), signal: closing }))
}

/** Whether the server has a record at a position, which may be one of others. */
async function isRecord(connection: Connection, position: Position): Promise<boolean> {
  if (position === startOfLog) return true
  try {
    const [record] = (await placesFrom(connection, position, undefined, 1)) ?? []
    return record?.position === position
  } catch (error) {
    if (!isNoRecord(error)) throw error
    return false
  }
}

interface Place {
  name: string
  revision: number
  position: Position
}

function placeOf(sent: Sent): Place | undefined {
  if (!('event' in sent)) return undefined
  const { stream: name, revision, commit } = sent.event
  return { name, revision: Number(revision), position: toPosition(commit) }
}
