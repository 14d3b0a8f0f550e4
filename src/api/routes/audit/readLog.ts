// Reads the log for auditors: by filter through the index, or as it is.

import { eventsAt, firstOf } from '../../../audit/events.ts'
import { storedEvent } from '../../../audit/hashChain.ts'
import { justBefore, type Position, startOfLog } from '../../../kit/position.ts'
import type { CheckpointBook } from '../../../ports/audit.ts'
import type { RecordedEvent } from '../../../ports/eventStore.ts'
import { type EventFilter, findEvents } from '../../../projections/audit/eventIndexQueries.ts'
import type { ApiContext } from '../../http/context.ts'

const placesAtOnce = 100

type LogContext = Pick<ApiContext, 'db' | 'eventStore' | 'codec'>

/** The first events behind a position that a filter lets through. */
export async function eventsBehind(
  context: LogContext,
  filter: EventFilter,
  part: { after: Position; limit: number },
): Promise<RecordedEvent[]> {
  if (isEmpty(filter)) return firstOf(context.eventStore.readAll({ after: part.after }), part.limit)
  return eventsAt(context, await findEvents(context.db, filter, part))
}

function isEmpty(filter: EventFilter): boolean {
  return Object.values(filter).every(value => value === undefined)
}

/**
 * All events behind a position that a filter lets through, as the log holds them: what is sealed
 * stays sealed, so that an export forgets with the shop. Each has the hash of the chain up to it,
 * where that has been signed already.
 */
export async function* exportLines(
  context: LogContext & { audit: { book: CheckpointBook } },
  filter: EventFilter,
  after: Position,
): AsyncGenerator<object> {
  const hashAt = hashesInOrder(context.audit.book)
  for await (const event of everyEvent(context, filter, after)) {
    const hash = await hashAt(event.position)
    yield { ...storedEvent(event), ...(hash === undefined ? {} : { hash }) }
  }
}

async function* everyEvent(
  context: LogContext,
  filter: EventFilter,
  after: Position,
): AsyncGenerator<RecordedEvent> {
  if (isEmpty(filter)) return yield* context.eventStore.readAll({ after })
  let behind = after
  for (;;) {
    const part = { after: behind, limit: placesAtOnce }
    const places = await findEvents(context.db, filter, part)
    yield* await eventsAt(context, places)
    const last = places.at(-1)
    if (last === undefined || places.length < placesAtOnce) return
    behind = last.position
  }
}

/** Looks up hashes for positions that grow; one part of the chain is in memory. */
function hashesInOrder(book: CheckpointBook) {
  let hashes = new Map<Position, string>()
  let upTo = startOfLog
  let isOver = false
  return async (position: Position) => {
    if (position > upTo && !isOver) {
      const [part] = await book.segmentsAfter(justBefore(position), 1)
      isOver = part === undefined
      upTo = part?.position ?? upTo
      hashes = new Map(part?.marks.map(mark => [mark.position, mark.hash]))
    }
    return hashes.get(position)
  }
}
