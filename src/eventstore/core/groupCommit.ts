// Group commit: appends that arrive while a write is under way leave together in the next one.
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { Unavailable } from '../../ports/eventStore.ts'

export interface Bounds {
  maxCount: number
  maxBytes: number
  /** Appends that may wait before further ones are refused. */
  maxWaiting: number
  /** One that has waited so long is refused: who asked has gone, and others wait behind it. */
  maxWaitingMs: number
}

export interface PendingRequest<Request, Result> {
  stream: string
  bytes: number
  /** When it was asked for, by performance.now(). */
  askedAt: number
  request: Request
  resolve(result: Result): void
  reject(error: unknown): void
}

export type Flush<Request, Result> = (batch: PendingRequest<Request, Result>[]) => Promise<void>

/**
 * Collects appends into batches: one when idle, more by itself under load. A batch holds one append
 * a stream at most, so that appends to one stream are decided one after the other. `flush` settles
 * every member of its batch and never throws.
 */
export function groupCommit<Request, Result>(flush: Flush<Request, Result>, bounds: Bounds) {
  let waiting: PendingRequest<Request, Result>[] = []
  let running: Promise<void> | undefined

  async function drain() {
    // One tick, so that appends of the same turn of the event loop share the first batch.
    await Promise.resolve()
    while (waiting.length > 0) {
      refuseLate()
      const { batch, left } = split(waiting, bounds)
      waiting = left
      if (batch.length > 0) await flush(batch)
      // Where several wait, more have arrived that are not read yet: they come along.
      if (waiting.length > 1) await endOfTurn()
    }
    running = undefined
  }

  /** A write that took long has kept these waiting: nothing of them has been sent. */
  function refuseLate() {
    const oldest = performance.now() - bounds.maxWaitingMs
    // In the order of asking: mostly one look says that there are none.
    if (waiting[0] === undefined || waiting[0].askedAt >= oldest) return
    const late = waiting.filter(({ askedAt }) => askedAt < oldest)
    waiting = waiting.filter(({ askedAt }) => askedAt >= oldest)
    for (const { reject } of late) reject(new Unavailable('the event store is too slow'))
  }

  return {
    /** Queues one append; the promise settles with its own outcome, not that of its neighbours. */
    add(stream: string, bytes: number, request: Request): Promise<Result> {
      return new Promise((resolve, reject) => {
        waiting.push({ stream, bytes, askedAt: performance.now(), request, resolve, reject })
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

/** The next batch, and what is left behind it in the order of asking. */
function split<Request, Result>(
  waiting: readonly PendingRequest<Request, Result>[],
  bounds: Bounds,
): { batch: PendingRequest<Request, Result>[]; left: PendingRequest<Request, Result>[] } {
  const batch: PendingRequest<Request, Result>[] = []
  const left: PendingRequest<Request, Result>[] = []
  const streams = new Set<string>()
  let bytes = 0
  for (const item of waiting) {
    const full = batch.length >= bounds.maxCount || bytes + item.bytes > bounds.maxBytes
    const isLeft = (full && batch.length > 0) || streams.has(item.stream)
    // What waits on a stream keeps its order: nothing overtakes it into this batch.
    streams.add(item.stream)
    if (isLeft) left.push(item)
    else {
      batch.push(item)
      bytes += item.bytes
    }
  }
  return { batch, left }
}
