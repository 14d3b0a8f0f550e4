// So many at once, and no more; the others wait in the order of asking.

export interface Semaphore {
  /** Runs `work` once there is room for it. */
  take<T>(work: () => Promise<T>): Promise<T>
}

/** Room for so many at once: one makes turns of it. */
export function createSemaphore(count: number): Semaphore {
  const waiting: (() => void)[] = []
  let free = count
  return {
    async take(work) {
      if (free > 0) free -= 1
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) free += 1
        else next()
      }
    },
  }
}
