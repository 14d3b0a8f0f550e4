// Answers about the catalogue as they are sent, kept in this process and in Redis until it changes.
import { LRUCache } from 'lru-cache'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { Redis } from './redis.ts'

/** An answer that only has to be sent. */
export interface ReadyAnswer {
  etag: string
  body: string
  /** Of a list: where it goes on, and how many there are. */
  nextCursor?: string | undefined
  total?: number | undefined
}

type Compute = () => Promise<ReadyAnswer | undefined>

/** Answers by kind and key, valid as long as the catalogue does not change. */
export interface AnswerCache {
  /**
   * The cached answer, or what `compute` gives; one flight for each missing key. Who wants it
   * `fresh` waits for a change that this process has not heard of yet, and gets what the tables
   * say.
   */
  get(on: { kind: string; key: string; fresh: boolean }, compute: Compute): Promise<Answer>
  /** Which answers are true as far as this process knows; undefined where it has to ask. */
  generation(): string | undefined
  /** The same after asking; undefined where that cannot be known. */
  current(): Promise<string | undefined>
  /** Makes everything cached so far old. */
  invalidate(): Promise<void>
}

type Answer = ReadyAnswer | undefined

const generationKey = 'answers:generation'
/** Only the backstop: what is old is found by its generation. */
const ttlSeconds = 3_600
const retryMs = 200
/**
 * How long the generation is believed without asking Redis again. One question then serves all
 * requests of these milliseconds; asking for each would halve what a process can answer, and asking
 * every 5 ms takes a twentieth of it.
 */
const believedMs = 60
const askAgainMs = 10
const bytesMax = 16 * 1024 * 1024

/**
 * Answers under a generation: the number that the catalogue's projection raises after each commit
 * that shoppers can see. The generation is read before an answer is computed, so what is computed
 * while it changes is kept under the old one. Without Redis everything is computed.
 */
export function createAnswerCache(redis: Redis, metrics: Metrics = noMetrics): AnswerCache {
  const generation = createGeneration(redis)
  const flights = new Map<string, Promise<Answer>>()
  const memory = new LRUCache<string, ReadyAnswer>({
    maxSize: bytesMax,
    sizeCalculation: ({ body }, key) => 2 * (body.length + key.length),
  })

  async function find(kind: string, full: string, compute: Compute): Promise<Answer> {
    const cached = await redis.get(full).catch(() => null)
    metrics.cache(kind, cached !== null)
    const answer = cached === null ? await compute() : read(cached)
    if (answer === undefined) return undefined
    memory.set(full, answer)
    if (cached === null) redis.set(full, write(answer), 'EX', ttlSeconds).catch(() => undefined)
    return answer
  }

  return {
    async get({ kind, key, fresh }, compute) {
      const now = fresh ? undefined : await generation.current()
      if (now === undefined) return compute()
      // A flight of an earlier generation may have left before the change that somebody waits for.
      const full = `answers:${now}:${kind}:${key}`
      const known = memory.get(full)
      const flying = known === undefined ? flights.get(full) : undefined
      if (known !== undefined || flying !== undefined) {
        metrics.cache(kind, true)
        return known ?? flying
      }
      const flight = find(kind, full, compute).finally(() => flights.delete(full))
      flights.set(full, flight)
      return flight
    },
    generation: generation.believed,
    current: generation.current,
    invalidate: generation.raise,
  }
}

interface Belief {
  known: string | undefined
  believedUntil: number
  /** Asked before this process raised it, Redis may still answer what was before. */
  raises: number
  asking: Promise<string | undefined> | undefined
  /** Whether Redis has not heard yet that what it holds is old. */
  isBehind: boolean
}

const unbelieved: Belief = {
  known: undefined,
  believedUntil: 0,
  raises: 0,
  asking: undefined,
  isBehind: false,
}

/** The generation as Redis has it, and the way to the next one. */
function createGeneration(redis: Redis) {
  const state = { ...unbelieved }

  async function ask(): Promise<string | undefined> {
    const { raises } = state
    const until = performance.now() + believedMs
    const found = await redis.get(generationKey).then(
      text => text ?? '0',
      () => undefined,
    )
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
    const isRaised = await redis.incr(generationKey).then(
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
    /** Undefined while it is not known whether what is cached is old. */
    async current(): Promise<string | undefined> {
      if (state.isBehind) return undefined
      const known = believed()
      if (known !== undefined) return known
      state.asking ??= ask()
      return state.asking
    },
  }
}

/** In Redis an answer is lines of text: JSON has no line breaks in it, so nothing is parsed. */
function write({ etag, nextCursor = '', total, body }: ReadyAnswer): string {
  return [etag, nextCursor, total ?? '', body].join('\n')
}

function read(text: string): ReadyAnswer {
  const [etag = '', nextCursor = '', total = ''] = text.split('\n', 3)
  return {
    etag,
    body: text.slice(etag.length + nextCursor.length + total.length + 3),
    ...(nextCursor === '' ? {} : { nextCursor }),
    ...(total === '' ? {} : { total: Number(total) }),
  }
}
