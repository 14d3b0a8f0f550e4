// Group commit: appends that arrive while a write is under way leave together in the next one.
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { Unavailable } from '../../ports/eventStore.ts'

export interface Bounds {
  maxCount: number
  maxBytes: number
  /** Appends in the queue before further ones are refused. */
  maxPending: number
  /** An append that was queued for longer is refused: its caller has timed out by then. */
  maxPendingMs: number
}

export interface PendingRequest<Request, Result> {
  stream: string
  bytes: number
  /** When it was asked for, by performance.now(). */
  queuedAt: number
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
  let pending: PendingRequest<Request, Result>[] = []
  let running: Promise<void> | undefined

  async function drain() {
    // One tick, so that appends of the same turn of the event loop share the first batch.
    await Promise.resolve()
    while (pending.length > 0) {
      refuseLate()
      const { batch, rest } = split(pending, bounds)
      pending = rest
      if (batch.length > 0) await flush(batch)
      // Under load further requests have arrived that are not read yet: they join the batch.
      if (pending.length > 1) await endOfTurn()
    }
    running = undefined
  }

  /** Refuses appends that a slow write has delayed; none of them has been sent. */
  function refuseLate() {
    const oldest = performance.now() - bounds.maxPendingMs
    // The queue is in order of arrival: the first entry says whether there are any.
    if (pending[0] === undefined || pending[0].queuedAt >= oldest) return
    const late = pending.filter(({ queuedAt }) => queuedAt < oldest)
    pending = pending.filter(({ queuedAt }) => queuedAt >= oldest)
    for (const { reject } of late) reject(new Unavailable('the event store is too slow'))
  }

  return {
    /** Queues one append; the promise settles with its own outcome, not that of its neighbours. */
    add(stream: string, bytes: number, request: Request): Promise<Result> {
      return new Promise((resolve, reject) => {
        pending.push({ stream, bytes, queuedAt: performance.now(), request, resolve, reject })
        running ??= drain()
      })
    },
    isFull: () => pending.length >= bounds.maxPending,
    /** Resolves when everything queued so far has been settled. */
    drained: async () => {
      while (running) await running
    },
  }
}

/** The next batch, and the rest in order of arrival. */
function split<Request, Result>(
  pending: readonly PendingRequest<Request, Result>[],
  bounds: Bounds,
): { batch: PendingRequest<Request, Result>[]; rest: PendingRequest<Request, Result>[] } {
  const batch: PendingRequest<Request, Result>[] = []
  const rest: PendingRequest<Request, Result>[] = []
  const streams = new Set<string>()
  let bytes = 0
  for (const item of pending) {
    const full = batch.length >= bounds.maxCount || bytes + item.bytes > bounds.maxBytes
    const isDeferred = (full && batch.length > 0) || streams.has(item.stream)
    // What waits on a stream keeps its order: nothing overtakes it into this batch.
    streams.add(item.stream)
    if (isDeferred) rest.push(item)
    else {
      batch.push(item)
      bytes += item.bytes
    }
  }
  return { batch, rest }
}
