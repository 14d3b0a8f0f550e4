// Where streams in EventStoreDB end, learned from the end of the log: most reads ask whether a
// stream has got any further, and one read of what was appended answers that for all of them.
import type { Filter } from '@eventstore/db-client'
import { createSingleFlight } from '../../kit/batchLoader.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import { toPosition } from '../core/positionNumbers.ts'
import { type Connection, isNoRecord } from './client.ts'
import { knownHead } from './head.ts'
import { quickMs, unlessSlow } from './headSearch.ts'
import type { Sent } from './messages.ts'
import { allOf, openInbox } from './readAhead.ts'
import { readRequest } from './requests.ts'

/** The last event of a stream that is known. */
interface Last {
  stream: string
  revision: number
}

type Appended = Last & { position: Position }

/** What was appended to a stream, or that its metadata was changed: some of it may be hidden. */
type Change = Appended | { limited: string; position: Position }

export interface StreamHeads {
  /** Whether by now a stream has nothing behind this revision; also false where it is not known. */
  endsAt(stream: string, revision: number): Promise<boolean>
  /** Learns of what this process has written itself. */
  appended(written: Appended): void
  /**
   * Begins a read of a stream up to its end; where that is, is told to the function given back: the
   * last revision, -1 for none.
   */
  begin(): Promise<(found: Last) => void>
  /** Whether something of a stream may have been hidden since this process knows it. */
  isLimited(stream: string): boolean
  /** It has been looked at since: nothing is missing. */
  isWhole(stream: string): void
}

/** Events to look through at most: beyond that it costs more than reading streams anew. */
const tailMax = 500
const streamsMax = 20_000
/** What took longer would take ever longer: others write much behind the last event of this log. */
const slowMs = 500

/**
 * Follows the ends of streams. Everything up to `seen` is known: a stream that is in `ends` has no
 * event behind its end at or before `seen`. The server acknowledges an append once it is in what
 * it reads of the whole log, in the order of positions: so a read from `seen` up to the end of the
 * log that begins after the question has everything that was acknowledged before it.
 */
export function followStreamHeads(connection: Connection): StreamHeads {
  const ends = createHeads(connection)
  let seen: Position | undefined
  /** Counts how often everything was forgotten: what a read found that began before is too old. */
  let epoch = 0

  function forget() {
    ends.clear()
    seen = undefined
    epoch += 1
  }

  const refresh = createSingleFlight(async () => {
    if (seen === undefined) return false
    const [after, began, beganAt] = [seen, epoch, performance.now()]
    const tail = await readBehind(connection, after)
    if (epoch !== began) return false
    if (tail === undefined || tail === 'late') {
      if (tail === 'late') ends.doubt()
      forget()
      return false
    }
    for (const change of tail) {
      ends.learn(change)
      if (change.position > seen) seen = change.position
    }
    // The next one begins at the end of the server, and not at the last event of this log.
    if (performance.now() - beganAt > slowMs) forget()
    return true
  })
  const findHead = createSingleFlight(() => knownHead(connection))

  return {
    async endsAt(stream, revision) {
      const seemsAt = () => ends.seemsAt(stream, revision)
      return seemsAt() && (await refresh()) && seemsAt()
    },
    appended(written) {
      // At or before `seen`, others may have written behind it: only a read tells.
      if (seen === undefined || written.position <= seen) return
      ends.extend(written)
      if (ends.size() > streamsMax) forget()
    },
    async begin() {
      if (ends.size() > streamsMax) forget()
      if (seen === undefined) {
        const { upTo } = await findHead()
        // Not where somebody else was quicker: what they know goes no further than theirs.
        seen ??= upTo
      }
      const began = epoch
      return found => {
        // What was appended meanwhile is in `ends` already, and further on than what was found.
        if (epoch === began) ends.extend(found)
      }
    },
    isLimited: ends.isLimited,
    isWhole: ends.isWhole,
  }
}

/** Where streams end as far as is known. */
function createHeads({ own }: Connection) {
  const ends = new Map<string, number>()
  /** Of these something may have been hidden. */
  const limited = new Set<string>()
  function extend({ stream, revision }: Last) {
    const before = ends.get(stream)
    if (before === undefined || revision > before) ends.set(stream, revision)
  }
  return {
    clear: () => ends.clear(),
    size: () => ends.size,
    extend,
    learn(change: Change) {
      if (limited.size > streamsMax) limited.clear()
      if ('limited' in change) limited.add(change.limited)
      else extend(change)
    },
    /** What was hidden meanwhile was not seen: each stream that is known is looked at again. */
    doubt() {
      for (const stream of ends.keys()) limited.add(stream)
    },
    isLimited: (stream: string) => limited.has(stream),
    isWhole: (stream: string) => void limited.delete(stream),
    seemsAt(stream: string, revision: number): boolean {
      // The end of the log says nothing of a stream that does not belong to it.
      const isOurs = own.nameOf(own.nameOnServer(stream)) !== undefined
      const last = isOurs ? ends.get(stream) : undefined
      return last !== undefined && last <= revision && !limited.has(stream)
    },
  }
}

/**
 * What was appended behind a position; 'late' where that takes too long, undefined where it is too
 * much, and where the log does not have that position any more: it would seem to have nothing new.
 */
async function readBehind(
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
