// Metrics and traces of the batches of projections and reactions.

import { appendTrace, type Observing, type Tracing } from '../../ports/tracing.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { readsHeaders } from '../../projections/core/items.ts'
import type { Consumer, Projection, Reaction } from '../../projections/core/projection.ts'

/** A batch with more commands is catching up and is not traced. */
const tracedMax = 50

/** The same projection; planning a batch is timed. */
export function observed(consumer: Projection, parts: Observing): Projection
/** The same reaction; planning a batch is timed. */
export function observed(consumer: Reaction, parts: Observing): Reaction
export function observed(consumer: Consumer, { metrics, tracing }: Observing): Consumer {
  if (readsHeaders(consumer)) return consumer
  const { name } = consumer
  return {
    ...consumer,
    async plan(events, db) {
      const [startedAt, began] = [Date.now(), performance.now()]
      const plan = await consumer.plan(events, db)
      const replaced = events.filter(({ isReplaced }) => isReplaced).length
      if (replaced > 0) metrics.textReplaced(name, replaced)
      metrics.projectionBatch(name, events.length, (performance.now() - began) / 1_000)
      if (tracing.isOn) noteBatch(tracing, name, { events, startedAt })
      return plan
    },
  }
}

function noteBatch(
  tracing: Tracing,
  name: string,
  { events, startedAt }: { events: readonly ReadEvent[]; startedAt: number },
): void {
  const byCommand = new Map(events.map(event => [event.commandId, event]))
  if (byCommand.size > tracedMax) return
  for (const event of byCommand.values()) {
    const attributes = { projection: name, events: events.length }
    tracing.note(`project ${name}`, { parent: appendTrace(event), startedAt, attributes })
  }
}
