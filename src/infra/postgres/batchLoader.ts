// Look-ups by key that share round trips: those asked while one is under way leave in the next.
import { createBatchLoader } from '../../kit/batchLoader.ts'
import { Lookup } from '../../kit/shortLived.ts'

/** `load` is asked for each key once at a time and for at most `countMax` keys together. */
export function batched<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  countMax?: number,
): (key: string) => Promise<Value | undefined> {
  const underWay = new Lookup<Promise<Value | undefined>>()
  const ask = createBatchLoader<string, Value | undefined>(async keys => {
    const found = await load(keys)
    return keys.map(key => found.get(key))
  }, countMax)
  return key => {
    const known = underWay.get(key)
    if (known !== undefined) return known
    const fresh = ask(key)
    underWay.set(key, fresh)
    const done = () => underWay.delete(key)
    fresh.then(done, done)
    return fresh
  }
}
