// Event stores whose appends are counted, or are part of the traces of their commands.

import {
  BrokenStream,
  type EventStore,
  type NewEvent,
  WrongRevision,
} from '../../ports/eventStore.ts'
import type { Metrics } from '../../ports/metrics.ts'
import { appendTrace, type Tracing } from '../../ports/tracing.ts'

/**
 * The same store, for one that does not count what it writes. An append takes from when it was
 * asked for until it is on disk.
 */
export function countedStore<Store extends EventStore>(store: Store, metrics: Metrics): Store {
  return {
    ...store,
    async append(stream, expected, events) {
      const began = performance.now()
      try {
        const done = await store.append(stream, expected, events)
        metrics.append((performance.now() - began) / 1_000, events.length, 1)
        return done
      } catch (error) {
        if (error instanceof WrongRevision) metrics.conflict()
        throw error
      }
    },
  }
}

/** The same store, which reports streams that cannot be read whole, and that can be again. */
export function watchedStore<Store extends EventStore>(
  store: Store,
  { brokenStream }: BrokenStreams,
): Store {
  const broken = new Set<string>()
  const failed = (error: unknown) => {
    if (!(error instanceof BrokenStream) || broken.has(error.stream)) return
    broken.add(error.stream)
    brokenStream(error.stream, error.fault)
  }
  const whole = (stream: string) => {
    if (broken.delete(stream)) brokenStream(stream, undefined)
  }
  const reporting = async <T>(work: Promise<T>, done?: () => void): Promise<T> => {
    try {
      const result = await work
      done?.()
      return result
    } catch (error) {
      failed(error)
      throw error
    }
  }
  return {
    ...store,
    append: (stream, expected, events) => reporting(store.append(stream, expected, events)),
    // Only a stream that was read from its beginning is known to be whole.
    read: ranges =>
      reporting(store.read(ranges), () => {
        for (const { stream, after, upTo } of ranges) {
          if (after < 0 && upTo === undefined) whole(stream)
        }
      }),
  }
}

type BrokenStreams = Pick<Metrics, 'brokenStream'>

/** The same store, whose appends are spans; the store itself where tracing is off. */
export function tracedStore<Store extends EventStore>(store: Store, tracing: Tracing): Store {
  if (!tracing.isOn) return store
  return {
    ...store,
    async append(stream, expected, events) {
      const startedAt = Date.now()
      const done = await store.append(stream, expected, events)
      noteAppends(tracing, stream, { events, startedAt })
      return done
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
