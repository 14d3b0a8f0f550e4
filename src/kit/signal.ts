// Signal: wakes loops that otherwise poll. A hint that something is new, never the truth.

export interface Signal {
  /** Wakes every waiter; a waiter that comes right after sees it too. */
  notify(): void
  /** Resolves at the next notification after `since`, after `timeoutMs`, or when `abort` aborts. */
  wait(since: number, timeoutMs: number, abort?: AbortSignal): Promise<void>
  /** The number of notifications. Taken before a poll and given to `wait`, none is missed. */
  count(): number
}

/** A signal without a notification yet. */
export function createSignal(): Signal {
  let notifications = 0
  const waiters = new Set<() => void>()
  return {
    notify() {
      notifications += 1
      for (const resume of [...waiters]) resume()
    },
    count: () => notifications,
    wait(since, timeoutMs, abort) {
      if (since !== notifications || abort?.aborted) return Promise.resolve()
      return new Promise(resolve => {
        const resume = () => {
          clearTimeout(timer)
          waiters.delete(resume)
          abort?.removeEventListener('abort', resume)
          resolve()
        }
        const timer = setTimeout(resume, timeoutMs)
        waiters.add(resume)
        abort?.addEventListener('abort', resume, { once: true })
      })
    },
  }
}
