// Bounded waits for a server that is optional: after a failure it is not asked for a while.

import { withDeadline } from '../../kit/deadline.ts'

/** Asks, and throws where there is no answer in time. */
export type BoundedWait = <T>(ask: () => Promise<T>) => Promise<T>

/** Longer than Redis takes to answer, and short enough to go on without it. */
export const redisTimeoutMs = 250
/** After a failure the server is not asked for so long. */
const silenceMs = 1_000

/** The bounded waits of one user of a server. */
export function createBoundedWait(): BoundedWait {
  let silentUntil = 0
  return async ask => {
    if (performance.now() < silentUntil) throw new Error('there was no answer a moment ago')
    try {
      return await withDeadline(redisTimeoutMs, 'Redis', ask())
    } catch (error) {
      silentUntil = performance.now() + silenceMs
      throw error
    }
  }
}
