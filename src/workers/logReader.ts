// The log as projections read it: decoded, in batches, up to where somebody wants it.

import { decodeAll } from '../commands/decoding.ts'
import type { Codec } from '../commands/ports.ts'
import type { EventStore, RecordedEvent } from '../eventstore/port.ts'
import type { Position } from '../kit/position.ts'
import type { Batch } from '../projections/engine.ts'
import { filterFor } from '../projections/items.ts'
import type { Projection } from '../projections/projection.ts'
import type { Rebuilding } from '../projections/rebuild.ts'
import { readAhead } from './readAhead.ts'

export interface LogParts {
  eventStore: EventStore
  codec: Codec
}

/**
 * Nobody waits for a batch here: larger ones fold more events of one key into one write. With 4,000
 * a rebuild of everything takes 20 MB more and is no quicker, with 2,500 it is slower.
 */
const batchSize = 3_000

/** The log for those who rebuild projections. */
export function logFor({ eventStore, codec }: LogParts): Pick<Rebuilding, 'head' | 'read'> {
  return {
    head: () => eventStore.head(),
    read: (projections, range) => readAhead(readBatches({ eventStore, codec }, projections, range)),
  }
}

/** What projections read of the log behind a position, in batches, up to another or to its head. */
export async function* readBatches(
  { eventStore, codec }: LogParts,
  projections: readonly Projection[],
  { after, upTo }: { after: Position; upTo?: Position },
): AsyncGenerator<Batch> {
  await eventStore.assertOwn?.()
  const end = upTo ?? (await eventStore.head())
  if (after >= end) return
  const filter = filterFor(projections)
  let events: RecordedEvent[] = []
  for await (const event of eventStore.readAll({ after, filter })) {
    if (event.position > end) break
    events.push(event)
    if (events.length >= batchSize) {
      yield { items: await decodeAll(codec, events), position: event.position }
      events = []
    }
  }
  yield { items: await decodeAll(codec, events), position: end }
}
