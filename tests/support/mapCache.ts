// A cache without a bound, for tests that count what is read.
import type { Cache } from '../../src/ports/caches.ts'

/** What a process remembers, for as long as a test lasts. */
export function mapCache<Value>(): Cache<Value> {
  const kept = new Map<string, Value>()
  return {
    get: key => kept.get(key),
    set: (key, value) => void kept.set(key, value),
    delete: key => void kept.delete(key),
  }
}
