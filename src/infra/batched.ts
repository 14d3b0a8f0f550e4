// Look-ups by key that share round trips: those asked while one is under way leave in the next.

/** `load` is asked for each key once at a time and for at most `countMax` keys together. */
export function batched<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  countMax = 500,
): (key: string) => Promise<Value | undefined> {
  type Waiting = PromiseWithResolvers<Value | undefined>
  const waiting = new Map<string, Waiting>()
  const underWay = new Map<string, Waiting>()
  let isRunning = false

  async function run() {
    // Whoever asks in the same turn comes along.
    await Promise.resolve()
    while (waiting.size > 0) {
      for (const [key, promise] of [...waiting].slice(0, countMax)) {
        waiting.delete(key)
        underWay.set(key, promise)
      }
      await settle(underWay, load)
      underWay.clear()
    }
    isRunning = false
  }

  return key => {
    const known = underWay.get(key) ?? waiting.get(key)
    if (known !== undefined) return known.promise
    const fresh: Waiting = Promise.withResolvers()
    waiting.set(key, fresh)
    if (!isRunning) {
      isRunning = true
      void run()
    }
    return fresh.promise
  }
}

async function settle<Value>(
  batch: ReadonlyMap<string, PromiseWithResolvers<Value | undefined>>,
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): Promise<void> {
  try {
    const found = await load([...batch.keys()])
    for (const [key, { resolve }] of batch) resolve(found.get(key))
  } catch (error) {
    for (const { reject } of batch.values()) reject(error)
  }
}
