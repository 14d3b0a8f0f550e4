// Wakes those who follow the log: at once when there is something for them, and a little later when
// there is not, so that they can say how far they are.
import type { EventFilter } from '../../ports/eventStore.ts'
import { createSignal, type Signal } from './signal.ts'

export interface SubscriberSignals {
  /** Something was appended; of these types, where they are known. */
  call(types?: readonly string[]): void
  /** A pulse for one who wants what a filter lets through. `leave` ends it. */
  join(filter: EventFilter | undefined): { signal: Signal; leave(): void }
}

/** Whoever waits for a position waits so much longer where it is not that of an event for them. */
const laterMs = 20

/** Nobody is woken yet. */
export function createSubscriberSignals(): SubscriberSignals {
  const sleepers = new Set<(types: readonly string[] | undefined) => void>()
  return {
    call(types) {
      for (const notify of sleepers) notify(types)
    },
    join(filter) {
      const signal = createSignal()
      const wants = filteredTypes(filter)
      let later: NodeJS.Timeout | undefined
      const poll = () => {
        clearTimeout(later)
        later = undefined
        signal.beat()
      }
      const notify = (types: readonly string[] | undefined) => {
        const isForThem = !types || types.some(wants)
        if (isForThem) poll()
        else later ??= setTimeout(poll, laterMs)
      }
      sleepers.add(notify)
      return {
        signal,
        leave() {
          clearTimeout(later)
          sleepers.delete(notify)
        },
      }
    },
  }
}

function filteredTypes(filter: EventFilter | undefined): (type: string) => boolean {
  if (filter === undefined || 'streamPrefixes' in filter) return () => true
  if ('types' in filter) {
    const wanted = new Set(filter.types)
    return type => wanted.has(type)
  }
  const unwanted = new Set(filter.exceptTypes)
  return type => !unwanted.has(type)
}
