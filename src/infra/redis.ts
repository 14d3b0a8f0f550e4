// The one place that knows the Redis client: connections, the listing cache, wake-up signals.
import { Redis } from 'ioredis'

export type { Redis } from 'ioredis'

/** A connection that fails fast: what Redis gives can be had elsewhere, only slower. */
export function createRedis(url: string): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    commandTimeout: 1_000,
    connectTimeout: 3_000,
    enableOfflineQueue: true,
    retryStrategy: attempt => Math.min(1_000, 50 * attempt),
  })
  // Without a listener a lost connection would end the process; the client comes back by itself.
  redis.on('error', () => undefined)
  return redis
}

/** Refuses a server that would throw queued jobs away when its memory is full. */
export async function assertKeepsJobs(redis: Redis): Promise<void> {
  const info = await redis.info('memory')
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
  if (policy !== undefined && policy !== 'noeviction') {
    throw new Error(`Redis would drop jobs: set maxmemory-policy noeviction (it is ${policy})`)
  }
}

/** Wake-up calls between processes; a lost one costs a poll interval, never a message. */
export interface Signals {
  send(channel: string): void
  on(channel: string, listener: () => void): void
  close(): void
}

/** Signals over Redis pub/sub. */
export function createSignals(redis: Redis): Signals {
  const subscriber = redis.duplicate()
  subscriber.on('error', () => undefined)
  const listeners = new Map<string, Set<() => void>>()
  subscriber.on('message', (channel: string) => {
    for (const listener of listeners.get(channel) ?? []) listener()
  })
  return {
    send(channel) {
      redis.publish(channel, '').catch(() => undefined)
    },
    on(channel, listener) {
      const known = listeners.get(channel) ?? new Set()
      listeners.set(channel, known.add(listener))
      if (known.size === 1) subscriber.subscribe(channel).catch(() => undefined)
    },
    close() {
      subscriber.disconnect()
    },
  }
}

/** Text by key, valid as long as the catalogue does not change. */
export interface ListingCache {
  /**
   * The cached text, or what `compute` gives; one flight for each missing key. Who wants it `fresh`
   * waits for a change that this process has not heard of yet, and gets what the tables say.
   */
  get(key: string, compute: () => Promise<string>, fresh?: boolean): Promise<string>
  /** Makes everything cached so far old. */
  invalidate(): Promise<void>
}

const generationKey = 'listings:generation'
/** Only the backstop: what is old is found by its generation. */
const ttlSeconds = 3_600
const retryMs = 200

/**
 * Listings under a generation: the number that the catalogue's projection raises after each commit
 * that shoppers can see. The generation is read before the listing is computed, so what is computed
 * while it changes is stored under the old one. Without Redis everything is computed.
 */
export function createListingCache(redis: Redis): ListingCache {
  const flights = new Map<string, Promise<string>>()
  /** Whether Redis has not heard yet that what it holds is old. */
  const state = { isBehind: false }

  async function find(full: string, compute: () => Promise<string>): Promise<string> {
    const cached = await redis.get(full).catch(() => null)
    if (cached !== null) return cached
    const text = await compute()
    redis.set(full, text, 'EX', ttlSeconds).catch(() => undefined)
    return text
  }

  async function raise() {
    await redis.incr(generationKey).then(
      () => {
        state.isBehind = false
      },
      () => {
        state.isBehind = true
        setTimeout(raise, retryMs).unref()
      },
    )
  }

  return {
    async get(key, compute, fresh = false) {
      if (fresh || state.isBehind) return compute()
      const generation = await redis.get(generationKey).catch(() => undefined)
      if (generation === undefined) return compute()
      // A flight of an earlier generation may have left before the change that somebody waits for.
      const full = `listings:${generation ?? 0}:${key}`
      const flying = flights.get(full)
      if (flying !== undefined) return flying
      const flight = find(full, compute).finally(() => flights.delete(full))
      flights.set(full, flight)
      return flight
    },
    invalidate: raise,
  }
}

/** Where a Redis URL points, for clients that take options instead of a URL. */
export function redisOptions(url: string) {
  const parsed = new URL(url)
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    db: Number(parsed.pathname.slice(1) || 0),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}
