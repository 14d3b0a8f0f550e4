// An event store whose appends are counted, and are part of the traces of their commands.
import { appendTrace, type Observing, type Tracing } from '../tracing.ts'
import { type EventStore, type NewEvent, WrongRevision } from './port.ts'

/**
 * The same store, of which conflicts are counted; its writes are where it cannot do that itself.
 * An append takes from when it was asked for until it is on disk.
 */
export function observedStore(
  store: EventStore,
  { metrics, tracing }: Observing,
  { countsWrites = true }: { countsWrites?: boolean } = {},
): EventStore {
  return {
    ...store,
    async append(stream, expected, events) {
      const [startedAt, began] = [Date.now(), performance.now()]
      try {
        const done = await store.append(stream, expected, events)
        if (countsWrites) metrics.append((performance.now() - began) / 1_000, events.length, 1)
        if (tracing.isOn) noteAppends(tracing, stream, { events, startedAt })
        return done
      } catch (error) {
        if (error instanceof WrongRevision) metrics.conflict()
        throw error
      }
    },
  }
}

/** Commands that were decided together have been written together: a span for each of them. */
function noteAppends(
  tracing: Tracing,
  stream: string,
  { events, startedAt }: { events: readonly NewEvent[]; startedAt: number },
): void {
  const current = tracing.current()
  const byCommand = new Map(events.map(event => [String(event.metadata.commandId), event.metadata]))
  for (const [commandId, { correlationId, causationId }] of byCommand) {
    const self = appendTrace({ commandId, correlationId: String(correlationId) })
    const cause = appendTrace({ commandId: String(causationId), correlationId: self.traceId })
    const isHere = current?.traceId === self.traceId
    const parent = isHere ? current : cause.spanId === self.spanId ? undefined : cause
    tracing.note(`append ${stream.split('-')[0]}`, {
      self,
      parent,
      startedAt,
      attributes: { stream, events: events.length },
    })
  }
}
