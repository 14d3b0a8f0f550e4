// Counts requests in Redis, and in this process as long as Redis cannot be asked.
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Counted, Counters } from '../../ports/requests.ts'
import type { Redis } from './redis.ts'

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
      async count(key, times = 1) {
        try {
          return counted(await limiter.consume(key, times), true)
        } catch (refused) {
          if (refused instanceof RateLimiterRes) return counted(refused, false)
          throw refused
        }
      },
      async reset(key) {
        await limiter.delete(key)
      },
      async refund(key) {
        await limiter.reward(key, 1)
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
