// Where streams in EventStoreDB end, learned from the end of the log: most reads ask whether a
// stream has got any further, and one read of what was appended answers that for all of them.
import { createSingleFlight } from '../../kit/batchLoader.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import { toPosition } from '../core/positionNumbers.ts'
import { type Connection, repeating } from './client.ts'
import { head } from './head.ts'
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

/**
 * Follows the ends of streams. Everything up to `seen` is known: a stream that is in `ends` has no
 * event behind its end at or before `seen`. The server acknowledges an append once it is in what
 * it reads of the whole log, in the order of positions: so a read from `seen` up to the end of the
 * log that begins after the question has everything that was acknowledged before it.
 */
export function followStreamHeads(connection: Connection): StreamHeads {
  const ends = createHeads(connection)
  const limited = new Set<string>()
  let seen: Position | undefined
  /** Counts how often everything was forgotten: what a read found that began before is too old. */
  let era = 0

  function forget() {
    ends.clear()
    seen = undefined
    era += 1
  }

  const refresh = createSingleFlight(async () => {
    if (seen === undefined) return false
    const [after, began] = [seen, era]
    const tail = await readBehind(connection, after)
    if (era !== began) return false
    if (tail === undefined) {
      forget()
      return false
    }
    for (const change of tail) {
      if ('limited' in change) limited.add(change.limited)
      else ends.extend(change)
      if (change.position > seen) seen = change.position
    }
    if (limited.size > streamsMax) limited.clear()
    return true
  })
  const findHead = createSingleFlight(() => head(connection))

  return {
    async endsAt(stream, revision) {
      const seemsAt = () => ends.seemsAt(stream, revision) && !limited.has(stream)
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
        const newest = await findHead()
        // Not where somebody else was quicker: what they know goes no further than their head.
        seen ??= newest
      }
      const began = era
      return found => {
        // What was appended meanwhile is in `ends` already, and further on than what was found.
        if (era === began) ends.extend(found)
      }
    },
    isLimited: stream => limited.has(stream),
    isWhole: stream => void limited.delete(stream),
  }
}

/** Where streams end as far as is known. */
function createHeads({ own }: Connection) {
  const ends = new Map<string, number>()
  return {
    clear: () => ends.clear(),
    size: () => ends.size,
    extend({ stream, revision }: Last) {
      const before = ends.get(stream)
      if (before === undefined || revision > before) ends.set(stream, revision)
    },
    seemsAt(stream: string, revision: number): boolean {
      // The end of the log says nothing of a stream that does not belong to it.
      const isOurs = own.nameOf(own.nameOnServer(stream)) !== undefined
      const last = isOurs ? ends.get(stream) : undefined
      return last !== undefined && last <= revision
    },
  }
}

/**
 * What was appended behind a position; undefined where that is too much, and where the log does not
 * have that position any more: it would seem to have nothing new for long.
 */
async function readBehind(connection: Connection, after: Position): Promise<Change[] | undefined> {
  const { client, own, closing } = connection
  const request = readRequest(after, own.changesFilter(), tailMax + 2)
  const found = await repeating(connection, (_, ms) =>
    allOf(openInbox(client, request, placeOf), { ms, signal: closing }),
  )
  const isThere = after === startOfLog || found[0]?.position === after
  const tail = found.filter(({ position }) => position > after)
  if (!isThere || tail.length > tailMax) return undefined
  return tail.flatMap(({ name, revision, position }): Change[] => {
    const isAbout = own.limitedBy(name)
    if (isAbout !== undefined) return [{ limited: isAbout, position }]
    const stream = own.nameOf(name)
    return stream === undefined ? [] : [{ stream, revision, position }]
  })
}

function placeOf(sent: Sent) {
  if (!('event' in sent)) return undefined
  const { stream: name, revision, commit } = sent.event
  return { name, revision: Number(revision), position: toPosition(commit) }
}
