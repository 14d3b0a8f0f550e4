// Projections and reactions whose batches are counted, and are part of the traces that led to them.

import { appendTrace, type Observing, type Tracing } from '../../ports/tracing.ts'
import type { Follower, ReadEvent } from '../../projections/core/projection.ts'

/** A batch with more commands than this is catching up: nobody waits for any one of them. */
const tracedMax = 50

/** The same projection or reaction; what it does to a batch is timed. */
export function observed<Kind extends Follower>(
  projection: Kind,
  { metrics, tracing }: Observing,
): Kind {
  const { name, plan }: Follower = projection
  const timed = async <T>(events: readonly ReadEvent[], work: () => Promise<T>): Promise<T> => {
    const [startedAt, began] = [Date.now(), performance.now()]
    const done = await work()
    // What cannot be planned is applied, and counted then.
    if (done === undefined) return done
    const replaced = events.filter(({ isReplaced }) => isReplaced).length
    if (replaced > 0) metrics.textReplaced(name, replaced)
    metrics.projectionBatch(name, events.length, (performance.now() - began) / 1_000)
    if (tracing.isOn) noteBatch(tracing, name, { events, startedAt })
    return done
  }
  return {
    ...projection,
    apply: (events, db) => timed(events, () => projection.apply(events, db)),
    ...(plan && { plan: (events, db) => timed(events, () => plan(events, db)) }),
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
