// Group commit: appends that arrive while a write is under way leave together in the next one.
import { setImmediate as endOfTurn } from 'node:timers/promises'

export interface Bounds {
  maxCount: number
  maxBytes: number
  /** Appends that may wait before further ones are refused. */
  maxWaiting: number
}

export interface Waiting<Request, Result> {
  stream: string
  bytes: number
  request: Request
  resolve(result: Result): void
  reject(error: unknown): void
}

export type Flush<Request, Result> = (batch: Waiting<Request, Result>[]) => Promise<void>

/**
 * Collects appends into batches: one when idle, more by itself under load. A batch holds one append
 * a stream at most, so that appends to one stream are decided one after the other. `flush` settles
 * every member of its batch and never throws.
 */
export function groupCommit<Request, Result>(flush: Flush<Request, Result>, bounds: Bounds) {
  let waiting: Waiting<Request, Result>[] = []
  let running: Promise<void> | undefined

  async function drain() {
    // One tick, so that appends of the same turn of the event loop share the first batch.
    await Promise.resolve()
    while (waiting.length > 0) {
      await flush(takeBatch())
      // Where several wait, more have arrived that are not read yet: they come along.
      if (waiting.length > 1) await endOfTurn()
    }
    running = undefined
  }

  function takeBatch() {
    const batch: Waiting<Request, Result>[] = []
    const left: Waiting<Request, Result>[] = []
    const streams = new Set<string>()
    let bytes = 0
    for (const item of waiting) {
      const full = batch.length >= bounds.maxCount || bytes + item.bytes > bounds.maxBytes
      if ((full && batch.length > 0) || streams.has(item.stream)) {
        left.push(item)
        // What waits on a stream keeps its order: nothing overtakes it into this batch.
        streams.add(item.stream)
        continue
      }
      streams.add(item.stream)
      batch.push(item)
      bytes += item.bytes
    }
    waiting = left
    return batch
  }

  return {
    /** Queues one append; the promise settles with its own outcome, not that of its neighbours. */
    add(stream: string, bytes: number, request: Request): Promise<Result> {
      return new Promise((resolve, reject) => {
        waiting.push({ stream, bytes, request, resolve, reject })
        running ??= drain()
      })
    },
    isFull: () => waiting.length >= bounds.maxWaiting,
    /** Resolves when everything queued so far has been settled. */
    settled: async () => {
      while (running) await running
    },
  }
}
