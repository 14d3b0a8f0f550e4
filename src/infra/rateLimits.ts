// Counts requests in Redis, and in this process as long as Redis cannot be asked.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Redis } from './redis.ts'

/** What is left after a request was counted. */
export interface Counted {
  allowed: boolean
  remaining: number
  resetSeconds: number
}

/** Counts what somebody does under one policy. */
export interface Counter {
  /** Counts once more; never fails: without Redis this process counts for itself. */
  count(key: string): Promise<Counted>
  /** Forgets what was counted. */
  forget(key: string): Promise<void>
}

/** `quota` in `windowSeconds`, from the first request on. */
export type Counters = (policy: string, quota: number, windowSeconds: number) => Counter

/** Counters that all processes on one Redis share. */
export function createCounters(redis: Redis): Counters {
  return (policy, points, duration) => {
    const limits = { keyPrefix: `limit:${policy}`, points, duration }
    const limiter = new RateLimiterRedis({
      ...limits,
      storeClient: redis,
      // A request must not wait for a server that is not there.
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory(limits),
    })
    return {
      async count(key) {
        try {
          return counted(await limiter.consume(key), true)
        } catch (refused) {
          if (refused instanceof RateLimiterRes) return counted(refused, false)
          throw refused
        }
      },
      async forget(key) {
        await limiter.delete(key)
      },
    }
  }
}

function counted(result: RateLimiterRes, allowed: boolean): Counted {
  return {
    allowed,
    remaining: result.remainingPoints,
    resetSeconds: Math.max(1, Math.ceil(result.msBeforeNext / 1000)),
  }
}
