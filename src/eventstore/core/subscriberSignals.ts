// Signals of subscriptions: at once for appends that match the filter, a little later for others,
// so that the position of the subscription follows.
import { createSignal, type Signal } from '../../kit/signal.ts'
import type { EventFilter } from '../../ports/eventStore.ts'

export interface SubscriberSignals {
  /** Something was appended; of these types, where they are known. */
  notify(types?: readonly string[]): void
  /** A signal for a filter. `leave` ends it. */
  join(filter: EventFilter | undefined): { signal: Signal; leave(): void }
}

/** A wait for the position of an event that does not match takes so much longer. */
const laterMs = 20

/** Signals without subscribers yet. */
export function createSubscriberSignals(): SubscriberSignals {
  const subscribers = new Set<(types: readonly string[] | undefined) => void>()
  return {
    notify(types) {
      for (const notify of subscribers) notify(types)
    },
    join(filter) {
      const signal = createSignal()
      const matches = typeMatcher(filter)
      let later: NodeJS.Timeout | undefined
      const notifyNow = () => {
        clearTimeout(later)
        later = undefined
        signal.notify()
      }
      const notify = (types: readonly string[] | undefined) => {
        if (types === undefined || types.some(matches)) notifyNow()
        else later ??= setTimeout(notifyNow, laterMs)
      }
      subscribers.add(notify)
      return {
        signal,
        leave() {
          clearTimeout(later)
          subscribers.delete(notify)
        },
      }
    },
  }
}

function typeMatcher(filter: EventFilter | undefined): (type: string) => boolean {
  if (filter === undefined || 'streamPrefixes' in filter) return () => true
  if ('types' in filter) {
    const included = new Set(filter.types)
    return type => included.has(type)
  }
  const excluded = new Set(filter.exceptTypes)
  return type => !excluded.has(type)
}
