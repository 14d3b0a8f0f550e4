// Bounded caches in the memory of this process.
import { LRUCache } from 'lru-cache'
import type { CacheFactory } from '../../ports/caches.ts'

export interface StreamCaches {
  factory: CacheFactory
  /** Empties all of them: what is asked for next comes from the log. */
  clear(): void
}

/** Caches that keep the most recently used streams, at most `max` of each kind. */
export function createStreamCaches(max: number): StreamCaches {
  const all: { clear(): void }[] = []
  return {
    factory: <Value extends object>() => {
      // As sizes: with `max` room for all of them is taken at once, 0.5 MB for each kind.
      const cache = new LRUCache<string, Value>({ maxSize: max, sizeCalculation: () => 1 })
      all.push(cache)
      return cache
    },
    clear() {
      for (const cache of all) cache.clear()
    },
  }
}

/** The same for who never empties them. */
export function streamCaches(max: number): CacheFactory {
  return createStreamCaches(max).factory
}
