// Cached answers in Redis: those of one version together, bounded in number and in bytes.

import { createBoundedWait } from '../redis/boundedWait.ts'
import type { Redis } from '../redis/redis.ts'
import { answersKey, versionKey } from './cacheVersion.ts'

/** Only a backstop: what is old is found by its version. */
export const ttlSeconds = 3_600
export const entriesMax = 10_000

export type Written = 'stored' | 'outdated' | 'full' | 'failed'

export interface ResponseStore {
  find(version: string, field: string): Promise<string | null>
  /** Keeps a text, unless its version has ended. Never fails. */
  keep(version: string, field: string, text: string): Promise<Written>
}

// All answers are dropped when there are too many: those in demand are back at once, and no index
// of what was used last has to be kept. The field #bytes holds what they take together.
const keepScript = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 'outdated' end
  local size = #ARGV[2] + #ARGV[3] + 100
  local used = tonumber(redis.call('hget', KEYS[2], '#bytes') or '0')
  local before = redis.call('hstrlen', KEYS[2], ARGV[2])
  if before > 0 then used = used - (#ARGV[2] + before + 100) end
  if used + size > tonumber(ARGV[5]) or redis.call('hlen', KEYS[2]) > tonumber(ARGV[6]) then
    redis.call('unlink', KEYS[2])
    used = 0
  end
  redis.call('hset', KEYS[2], ARGV[2], ARGV[3], '#bytes', used + size)
  if redis.call('ttl', KEYS[2]) < 0 then redis.call('expire', KEYS[2], ARGV[4]) end
  return 'stored'
`

/** Answers in at most `bytesMax` of Redis, less what Redis needs to keep them in order. */
export function createResponseStore(redis: Redis, bytesMax: number): ResponseStore {
  const boundedWait = createBoundedWait()
  return {
    find: (version, field) =>
      boundedWait(() => redis.hget(answersKey(version), field)).catch(() => null),
    async keep(version, field, text) {
      const shared = version.split('.')[0] ?? ''
      const keys = [versionKey, answersKey(version)]
      const values = [shared, field, text, ttlSeconds, bytesMax, entriesMax]
      try {
        const written = await redis.eval(keepScript, 2, ...keys, ...values)
        return written === 'outdated' ? 'outdated' : 'stored'
      } catch (error) {
        return isOutOfMemory(error) ? 'full' : 'failed'
      }
    },
  }
}

/** Whether Redis has refused a write because its memory is full. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message)
}
