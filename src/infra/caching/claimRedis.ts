// Takes Redis for this shop at the start, also where Redis cannot be written to yet.
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError } from '../../config/config.ts'
import { withDeadline } from '../../kit/deadline.ts'
import { assertKeepsJobs, assertOwnRedis, type Redis, redisCode } from '../redis/redis.ts'
import { isOutOfMemory } from './responseStore.ts'

export interface ClaimLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const firstTryMs = 4_000
const everyMs = 1_000
/** What no waiting mends: the settings have to be other ones. */
const refusesUs = /^(WRONGPASS|NOAUTH|NOPERM)$/

/**
 * Takes the Redis of the settings for this shop. Where that is not possible now, because Redis is
 * away, full, loading or a replica, the shop starts without it, and it is tried again until it is:
 * jobs wait meanwhile. Throws ConfigError for a Redis that refuses us, would drop jobs, or belongs
 * to another shop.
 */
export async function claimRedis(redis: Redis, shopId: string, log: ClaimLog) {
  const stopping = new AbortController()
  const claim = async () => {
    await assertKeepsJobs(redis)
    await assertOwnRedis(redis, shopId)
  }
  let trying = Promise.resolve()
  try {
    await withDeadline(firstTryMs, 'Redis', claim())
  } catch (error) {
    refuseForGood(error)
    const reason = reasonOf(error)
    log.warn({ reason }, 'Redis cannot be taken for this shop yet: started without it')
    trying = goOn(claim, log, stopping.signal)
  }
  return {
    async stop() {
      stopping.abort()
      await trying
    },
  }
}

/** What an operator has to see to before the shop can start. */
function refuseForGood(error: unknown): void {
  if (error instanceof ConfigError) throw error
  const code = redisCode(error)
  if (code === undefined || !refusesUs.test(code)) return
  throw new ConfigError(
    `REDIS_URL: Redis refuses its user or password, or what they may do (${code})`,
  )
}

function reasonOf(error: unknown): string {
  return isOutOfMemory(error) ? 'out of memory' : (redisCode(error) ?? 'away')
}

async function goOn(claim: () => Promise<void>, log: ClaimLog, signal: AbortSignal) {
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    try {
      await withDeadline(firstTryMs, 'Redis', claim())
      log.info({}, 'Redis is taken for this shop')
      return
    } catch (error) {
      if (!(error instanceof ConfigError)) continue
      log.error({ error: error.message }, 'Redis must not be used by this shop')
      return
    }
  }
}
