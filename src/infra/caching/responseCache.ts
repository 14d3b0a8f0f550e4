// Answers about the catalogue as they are sent, kept in this process and in Redis until it changes.

import { LRUCache } from 'lru-cache'
import { type Position, parsePosition } from '../../kit/position.ts'
import { type Metrics, noMetrics } from '../../ports/metrics.ts'
import type { Redis } from '../redis/redis.ts'
import { createCacheVersion, type ReadVersion } from './cacheVersion.ts'
import { createResponseStore, type ResponseStore } from './responseStore.ts'

/** An answer that only has to be sent. */
export interface ReadyAnswer {
  etag: string
  body: string
  /** Of a list: where it goes on, and how many there are. */
  nextCursor?: string | undefined
  total?: number | undefined
}

type Answer = ReadyAnswer | undefined
type Compute = () => Promise<Answer>

export interface CacheRequest {
  kind: string
  key: string
  /** The position that the answer has to show at least. */
  after: Position
  /** The position that the catalogue is known to have reached: what is computed now shows it. */
  asOf: Position
}

export interface Found {
  answer: Answer
  /** The position of the catalogue that it shows at least. */
  asOf: Position
  /** Whether it was asked for before, so that it is worth keeping. */
  isRepeated: boolean
}

/** Answers by kind and key, valid as long as the catalogue does not change. */
export interface ResponseCache {
  /** The cached answer, or what `compute` gives; one flight for each missing key. */
  get(wanted: CacheRequest, compute: Compute): Promise<Found>
  /** Which answers are true as far as this process knows; undefined where it has to ask. */
  generation(): string | undefined
  /** The same after asking; undefined where that cannot be known. */
  current(): Promise<string | undefined>
  /** Makes everything cached so far old. */
  invalidate(): Promise<void>
}

export interface ResponseCacheOptions {
  metrics?: Metrics
  readVersion?: ReadVersion
  /** What the answers may take in Redis. */
  bytesMax?: number
}

/** Of the memory of this process. */
const memoryMax = 16 * 1024 * 1024
/** However sure a process is of its version, it looks again after so long. */
const memoryMs = 10_000
const defaultBytesMax = 32 * 1024 * 1024

/** A cached answer, and the position of the catalogue that it shows at least. */
interface CachedEntry {
  answer: ReadyAnswer
  asOf: Position
  isShared: boolean
}

interface Flight {
  asOf: Position
  landing: Promise<Found>
}

interface Parts {
  memory: LRUCache<string, CachedEntry>
  store: ResponseStore
  metrics: Metrics
}

/**
 * Answers under a version that ends after each commit that shoppers can see. The version is read
 * before an answer is computed, so what is computed while it changes is kept under the old one.
 * Redis gets what is asked for twice: what is asked for once would only fill it. Without Redis
 * everything is computed.
 */
export function createResponseCache(
  redis: Redis,
  options: ResponseCacheOptions = {},
): ResponseCache {
  const { metrics = noMetrics, bytesMax = defaultBytesMax } = options
  const version = createCacheVersion(redis, options.readVersion)
  const flights = new Map<string, Flight>()
  const memory = new LRUCache<string, CachedEntry>({
    maxSize: memoryMax,
    sizeCalculation: ({ answer }, key) => 2 * (answer.body.length + key.length),
    ttl: memoryMs,
    ttlResolution: 100,
  })
  const parts = { memory, store: createResponseStore(redis, bytesMax), metrics }

  async function get(wanted: CacheRequest, compute: Compute): Promise<Found> {
    const { kind, key, after, asOf } = wanted
    const now = await version.current()
    if (now === undefined) return { answer: await compute(), asOf, isRepeated: false }
    const full = `${now}:${kind}:${key}`
    const known = memory.get(full)
    if (known !== undefined && known.asOf >= after) {
      metrics.cache(kind, true)
      if (!known.isShared) share(parts, { now, full, kept: known })
      return { answer: known.answer, asOf: known.asOf, isRepeated: true }
    }
    const flying = flights.get(full)
    if (flying !== undefined && flying.asOf >= after) {
      metrics.cache(kind, true)
      return { ...(await flying.landing), isRepeated: true }
    }
    const landing = find(parts, { now, full, ...wanted }, compute)
    const flight: Flight = { asOf, landing: landing.finally(() => leave(full, flight)) }
    flights.set(full, flight)
    return flight.landing
  }

  function leave(full: string, flight: Flight) {
    if (flights.get(full) === flight) flights.delete(full)
  }

  return {
    get,
    generation: version.believed,
    current: version.current,
    invalidate: version.raise,
  }
}

async function find(
  { memory, store, metrics }: Parts,
  { now, full, kind, after, asOf }: CacheRequest & { now: string; full: string },
  compute: Compute,
): Promise<Found> {
  const text = await store.find(now, full)
  const shared = text === null ? undefined : read(text)
  const isUsable = shared !== undefined && shared.asOf >= after
  metrics.cache(kind, isUsable)
  if (isUsable) {
    memory.set(full, shared)
    return { answer: shared.answer, asOf: shared.asOf, isRepeated: true }
  }
  const answer = await compute()
  if (answer !== undefined) memory.set(full, { answer, asOf, isShared: false })
  return { answer, asOf, isRepeated: false }
}

/** Puts an answer into Redis for other processes, without anybody waiting for it. */
function share(
  { store, metrics }: Parts,
  on: { now: string; full: string; kept: CachedEntry },
): void {
  const { now, full, kept } = on
  kept.isShared = true
  void store.keep(now, full, write(kept)).then(written => metrics.cacheWrite(written))
}

/** In Redis an answer is lines of text: JSON has no line breaks in it, so nothing is parsed. */
function write({ answer: { etag, nextCursor = '', total, body }, asOf }: CachedEntry): string {
  return [asOf, etag, nextCursor, total ?? '', body].join('\n')
}

function read(text: string): CachedEntry {
  const [asOf = '0', etag = '', nextCursor = '', total = ''] = text.split('\n', 4)
  const head = asOf.length + etag.length + nextCursor.length + total.length + 4
  const answer = {
    etag,
    body: text.slice(head),
    ...(nextCursor === '' ? {} : { nextCursor }),
    ...(total === '' ? {} : { total: Number(total) }),
  }
  return { answer, asOf: parsePosition(asOf), isShared: true }
}
