// A wake-up call for loops that otherwise poll: a hint that something is new, never the truth.

export interface Signal {
  /** Wakes every waiter; a waiter that comes right after sees it too. */
  beat(): void
  /** Resolves at the next beat, after `timeoutMs`, or when the signal aborts. */
  wait(since: number, timeoutMs: number, signal?: AbortSignal): Promise<void>
  /** Counts beats: take it before looking, hand it to wait, and no beat falls in between. */
  count(): number
}

/** Creates a pulse that nobody has beaten yet. */
export function createSignal(): Signal {
  let beats = 0
  const waiters = new Set<() => void>()
  return {
    beat() {
      beats += 1
      for (const resume of [...waiters]) resume()
    },
    count: () => beats,
    wait(since, timeoutMs, signal) {
      if (since !== beats || signal?.aborted) return Promise.resolve()
      return new Promise(resolve => {
        const resume = () => {
          clearTimeout(timer)
          waiters.delete(resume)
          signal?.removeEventListener('abort', resume)
          resolve()
        }
        const timer = setTimeout(resume, timeoutMs)
        waiters.add(resume)
        signal?.addEventListener('abort', resume, { once: true })
      })
    },
  }
}
