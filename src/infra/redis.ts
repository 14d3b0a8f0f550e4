// The one place that knows the Redis client: connections, and wake-up signals.
import { Redis } from 'ioredis'
import { ConfigError } from '../config.ts'

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

const ownerKey = 'orderstream:shop'

/**
 * Takes a logical database of Redis for this shop, or refuses it when it holds the jobs of another
 * one: they would send each other's mails. Throws ConfigError.
 */
export async function assertOwnRedis(redis: Redis, shopId: string): Promise<void> {
  await redis.set(ownerKey, shopId, 'NX')
  if ((await redis.get(ownerKey)) === shopId) return
  throw new ConfigError(
    'REDIS_URL names a Redis that another shop uses: give this one a Redis of its own, or ' +
      'another database number (redis://host:6379/1); if that shop is gone, empty it with FLUSHDB',
  )
}

/** Calls between processes; a lost one costs a poll interval, never a message. */
export interface Signals {
  send(channel: string, text?: string): void
  on(channel: string, listener: (text: string) => void): void
  close(): void
}

/**
 * Signals over Redis pub/sub. They stay within a logical database, as keys do: Redis itself has one
 * set of channels for all of them, and another shop there has news of its own.
 */
export function createSignals(redis: Redis): Signals {
  const subscriber = redis.duplicate()
  subscriber.on('error', () => undefined)
  const listeners = new Map<string, Set<(text: string) => void>>()
  const own = (channel: string) => `${channel}@${redis.options.db ?? 0}`
  subscriber.on('message', (channel: string, text: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(text)
  })
  return {
    send(channel, text = '') {
      redis.publish(own(channel), text).catch(() => undefined)
    },
    on(channel, listener) {
      const name = own(channel)
      const known = listeners.get(name) ?? new Set()
      listeners.set(name, known.add(listener))
      if (known.size === 1) subscriber.subscribe(name).catch(() => undefined)
    },
    close() {
      subscriber.disconnect()
    },
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
