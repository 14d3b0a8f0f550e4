// The version under which answers about the catalogue are cached: a new one with every change.
import { randomUUID } from 'node:crypto'
import { withDeadline } from '../../kit/deadline.ts'
import { type BoundedWait, createBoundedWait, redisTimeoutMs } from '../redis/boundedWait.ts'
import type { Redis } from '../redis/redis.ts'

export const versionKey = 'answers:version'

/** The key of the answers of a version in Redis; the part after the dot is not from Redis. */
export function answersKey(version: string): string {
  return `answers:${version.split('.')[0]}`
}

export interface CacheVersion {
  /** The version as far as this process knows without asking; undefined where it has to ask. */
  believed(): string | undefined
  /** The version after asking; undefined where it cannot be known, so that nothing is cached. */
  current(): Promise<string | undefined>
  /** Ends the version: what is cached under it is not served again. */
  raise(): Promise<void>
}

/** The version that the database has, which changes in the transaction that changes listings. */
export type ReadVersion = () => Promise<string>

const retryMs = 200
/**
 * How long a version is believed without asking Redis again. One question then serves all requests
 * of these milliseconds; asking for each would halve what a process can answer, and asking every
 * 5 ms takes a twentieth of it.
 */
const believedMs = 60
const askAgainMs = 10
/** How often the database is asked, for changes of which the signal in Redis was lost. */
const readEveryMs = 500

interface Belief {
  known: string | undefined
  believedUntil: number
  /** Asked before this process raised it, Redis may still answer what was before. */
  raises: number
  asking: Promise<string | undefined> | undefined
  /** Whether Redis does not know yet that its answers are old. */
  isBehind: boolean
}

/**
 * A random version in Redis that every change deletes and the next reader draws anew: it never
 * repeats, whatever Redis loses, and it can be deleted when Redis is full. The version of the
 * database is part of it, so that a change is seen within a second whose deletion was lost.
 */
export function createCacheVersion(redis: Redis, readVersion?: ReadVersion): CacheVersion {
  const state: Belief = {
    known: undefined,
    believedUntil: 0,
    raises: 0,
    asking: undefined,
    isBehind: false,
  }
  const stored = followStored(readVersion)
  const bounded = createBoundedWait()

  async function ask(): Promise<string | undefined> {
    const { raises } = state
    const until = performance.now() + believedMs
    const [shared, version] = await Promise.all([sharedVersion(redis, bounded), stored.version()])
    const found = shared === undefined ? undefined : `${shared}.${version}`
    if (raises !== state.raises) return found
    state.asking = undefined
    state.known = found
    state.believedUntil = found === undefined ? 0 : until
    return found
  }

  function disbelieve() {
    state.raises += 1
    state.believedUntil = 0
    state.asking = undefined
  }

  async function raise(): Promise<void> {
    disbelieve()
    const isRaised = await withDeadline(redisTimeoutMs, 'Redis', endVersion(redis)).then(
      () => true,
      () => false,
    )
    disbelieve()
    state.isBehind = !isRaised
    if (!isRaised) setTimeout(raise, retryMs).unref()
  }

  function believed(): string | undefined {
    const left = state.believedUntil - performance.now()
    if (state.isBehind || left <= 0) return undefined
    // Asked again in good time: were it only asked at the end, many would have to wait for that.
    if (left < believedMs - askAgainMs) state.asking ??= ask()
    return state.known
  }

  return {
    raise,
    believed,
    async current() {
      if (state.isBehind) return undefined
      const known = believed()
      if (known !== undefined) return known
      state.asking ??= ask()
      return state.asking
    },
  }
}

async function sharedVersion(redis: Redis, bounded: BoundedWait): Promise<string | undefined> {
  try {
    const known = await bounded(() => redis.get(versionKey))
    if (known !== null) return known
    const drawn = randomUUID()
    const isOurs = (await redis.set(versionKey, drawn, 'NX')) === 'OK'
    return isOurs ? drawn : ((await redis.get(versionKey)) ?? undefined)
  } catch {
    return undefined
  }
}

/** Deletes the version with its answers: that can be done when Redis is full, too. */
async function endVersion(redis: Redis): Promise<void> {
  const results = await redis.multi().get(versionKey).del(versionKey).exec()
  const [error, ended] = results?.[0] ?? []
  if (error) throw error
  if (typeof ended === 'string') redis.unlink(answersKey(ended)).catch(() => undefined)
}

/**
 * The version of the database, read beside the requests. While the database cannot be asked the
 * last one is believed: what Redis says still counts, and nothing can be computed anyway.
 */
function followStored(read: ReadVersion = async () => '') {
  let version: string | undefined
  let readAt = 0
  let reading: Promise<void> | undefined

  async function look() {
    try {
      version = await read()
    } catch {
      // The next look is soon enough.
    } finally {
      readAt = performance.now()
      reading = undefined
    }
  }

  return {
    async version(): Promise<string> {
      if (version === undefined || performance.now() - readAt > readEveryMs) reading ??= look()
      if (version === undefined) await reading
      return version ?? ''
    },
  }
}
