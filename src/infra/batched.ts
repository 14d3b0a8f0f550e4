// Look-ups by key that share round trips: those asked while one is under way leave in the next.
import { Lookup } from '../kit/shortLived.ts'

interface Waiting<Value> extends PromiseWithResolvers<Value | undefined> {
  key: string
}

/** `load` is asked for each key once at a time and for at most `countMax` keys together. */
export function batched<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  countMax = 500,
): (key: string) => Promise<Value | undefined> {
  const asked = new Lookup<Waiting<Value>>()
  const waiting: Waiting<Value>[] = []
  let isRunning = false

  async function run() {
    // Whoever asks in the same turn comes along.
    await Promise.resolve()
    while (waiting.length > 0) {
      const batch = waiting.splice(0, countMax)
      await settle(batch, load)
      for (const { key } of batch) asked.delete(key)
    }
    isRunning = false
  }

  return key => {
    const known = asked.get(key)
    if (known !== undefined) return known.promise
    const fresh: Waiting<Value> = { key, ...Promise.withResolvers() }
    asked.set(key, fresh)
    waiting.push(fresh)
    if (!isRunning) {
      isRunning = true
      void run()
    }
    return fresh.promise
  }
}

async function settle<Value>(
  batch: readonly Waiting<Value>[],
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): Promise<void> {
  try {
    const found = await load(batch.map(({ key }) => key))
    for (const { key, resolve } of batch) resolve(found.get(key))
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}
