// The one place that knows the Redis client: connections, and wake-up signals.
import { Redis } from 'ioredis'
import { ConfigError } from '../../config/config.ts'

export type { Redis } from 'ioredis'

const commandMs = 1_000
const connectMs = 3_000
const keepAliveMs = 10_000
/** A connection that owes an answer for so long is dead, whatever TCP says; another is opened. */
const silenceMs = 2_000
/** A subscriber has nothing to ask: it pings, so that it notices. */
const pingMs = 2_000
/** A worker waits for jobs with a command that the server answers after ten seconds at most. */
const blockedMs = 11_500

/**
 * A connection that fails fast: what Redis gives can be had elsewhere, only slower. While there is
 * no connection, commands fail at once instead of waiting for it.
 */
export function createRedis(url: string): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    commandTimeout: commandMs,
    connectTimeout: connectMs,
    socketTimeout: silenceMs,
    keepAlive: keepAliveMs,
    enableOfflineQueue: true,
    retryStrategy: attempt => Math.min(1_000, 50 * attempt),
  })
  // At the start, commands wait for the first connection.
  redis.once('ready', () => {
    redis.options.enableOfflineQueue = false
  })
  // Without a listener a lost connection would end the process; the client comes back by itself.
  redis.on('error', () => undefined)
  return redis
}

/** Error replies of Redis, by their first word. */
export function redisCode(error: unknown): string | undefined {
  return error instanceof Error ? /^([A-Z]{3,20}) /.exec(error.message)?.[1] : undefined
}

/**
 * Refuses a server that would throw queued jobs away when its memory is full. Throws ConfigError.
 */
export async function assertKeepsJobs(redis: Redis): Promise<void> {
  const info = await redis.info('memory')
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
  if (policy !== undefined && policy !== 'noeviction') {
    throw new ConfigError(
      `Redis would drop jobs: set maxmemory-policy noeviction (it is ${policy})`,
    )
  }
}

const ownerKey = 'orderstream:shop'

/**
 * Takes a logical database of Redis for this shop, or refuses it when it holds the jobs of another
 * one: they would send each other's mails. Throws ConfigError.
 */
export async function assertOwnRedis(redis: Redis, shopId: string): Promise<void> {
  const written = redis.set(ownerKey, shopId, 'NX').then(() => undefined)
  const trouble: unknown = await written.catch((error: unknown) => error)
  // A Redis that is full, or only reads, still says whose it is.
  const owner = await redis.get(ownerKey)
  if (owner === shopId) return
  if (owner === null && trouble !== undefined) throw trouble
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
  // The client would subscribe again by itself, and end the process where that is not answered.
  const subscriber = redis.duplicate({ autoResubscribe: false })
  subscriber.on('error', () => undefined)
  const pinging = setInterval(() => {
    if (subscriber.status === 'ready') subscriber.ping().catch(() => undefined)
  }, pingMs).unref()
  const listeners = new Map<string, Set<(text: string) => void>>()
  const own = (channel: string) => `${channel}@${redis.options.db ?? 0}`
  const subscribe = (names: readonly string[]) => {
    if (subscriber.status !== 'ready' || names.length === 0) return
    // What is not subscribed is not heard of: another connection tries all of it again.
    subscriber.subscribe(...names).catch(() => {
      if (subscriber.status === 'ready') subscriber.disconnect(true)
    })
  }
  subscriber.on('ready', () => subscribe([...listeners.keys()]))
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
      if (known.size === 1) subscribe([name])
    },
    close() {
      clearInterval(pinging)
      subscriber.disconnect()
    },
  }
}

/**
 * Where a Redis URL points, for clients that take options instead of a URL, and how long these wait
 * for a server that has gone silent.
 */
export function redisOptions(url: string) {
  const parsed = new URL(url)
  return {
    connectTimeout: connectMs,
    socketTimeout: blockedMs,
    keepAlive: keepAliveMs,
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    db: Number(parsed.pathname.slice(1) || 0),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
  }
}
