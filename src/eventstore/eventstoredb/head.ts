// Where the newest event of this log is, found without looking through what others have written.
import { type Position, startOfLog } from '../../kit/position.ts'
import { type Connection, type KnownHead, retrying, within } from './client.ts'
import { behindKnown, newestRecord, quickMs, search } from './headSearch.ts'

/** The search has no deadline, each of its steps has one. The longest that a timer takes. */
const noDeadlineMs = 2 ** 31 - 1

/**
 * The position of the newest event of this log; `startOfLog` when there is none. The server's
 * newest record says whether anything is new; then what is new is searched, on the server, for
 * events of this log. Where that takes long, since others have written much, it is waited for.
 */
export async function head(connection: Connection): Promise<Position> {
  return (await knownHead(connection)).head
}

/** The head, and up to where the server was looked through for it. */
export async function knownHead(connection: Connection): Promise<KnownHead> {
  const { headMemory, own, closing } = connection
  const before = headMemory.known
  const newest = await retrying(connection, (_, ms) => newestRecord(connection, ms))
  if (newest === undefined) return { head: startOfLog, upTo: startOfLog }
  const { position } = newest
  // Another log than that of before: nothing is known of it.
  if (before !== undefined && before.upTo > position) headMemory.known = undefined
  const ours = own.take(newest.event)
  if (ours !== undefined) return updated(connection, { head: ours.position, upTo: position })
  for (;;) {
    const known = headMemory.known ?? (await within(noDeadlineMs, closing, searched(connection)))
    if (known !== undefined) {
      if (known.upTo >= position) return known
      const found = await behindKnown(connection, {
        known,
        upTo: position,
        ms: quickMs(connection),
      })
      if (found !== undefined) return updated(connection, found)
      await within(noDeadlineMs, closing, searched(connection))
    }
  }
}

/** The position of the newest record of the server, whoever has written it. */
export function storeHead(connection: Connection): Promise<Position> {
  return retrying(connection, async (_, ms) => {
    const newest = await newestRecord(connection, ms)
    return newest?.position ?? startOfLog
  })
}

/** Nobody who was slower takes back what is known. */
function updated({ headMemory }: Connection, found: KnownHead): KnownHead {
  const { known } = headMemory
  if (known === undefined || known.upTo < found.upTo) headMemory.known = found
  return found
}

/** Whoever asks while a search goes on waits for the same one; `known` is further then. */
function searched(connection: Connection): Promise<undefined> {
  const { headMemory } = connection
  headMemory.search ??= search(connection).finally(() => {
    headMemory.search = undefined
  })
  return headMemory.search.then(() => undefined)
}
