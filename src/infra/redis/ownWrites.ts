// How far everybody has written, so that on every process they see at least that.

import { LRUCache } from 'lru-cache'
import { createBatchLoader } from '../../kit/batchLoader.ts'
import { type Position, parsePosition, startOfLog } from '../../kit/position.ts'
import { createSingleFlight } from '../../kit/singleFlight.ts'
import { type BoundedWait, createBoundedWait } from './boundedWait.ts'
import type { Redis } from './redis.ts'

/** How far somebody has written. */
export interface OwnPosition {
  /** What they have written for certain goes so far. */
  known: Position
  /** What they may have written goes so far: Redis cannot say. */
  possible: Position
}

export interface OwnWrites {
  /**
   * Remembers for all processes that a caller has written up to a position; false where that was
   * not possible. Never fails.
   */
  note(caller: string, position: Position): Promise<boolean>
  /** Throws Unavailable where neither Redis nor the log can be asked. */
  of(caller: string): Promise<OwnPosition>
}

interface Note {
  caller: string
  position: Position
}

const floorKey = 'own-writes:floor'
const keyOf = (caller: string) => `own-writes:${caller}`
/** Read models that are further behind than that are an outage, and are reported as one. */
const ttlSeconds = 900
const callersMax = 20_000
/** Positions are texts of one length, so that they compare like numbers without losing digits. */
const width = 20

/** Of each caller the highest position: the first argument is how long to remember them. */
const noteScript = `
  for at, key in ipairs(KEYS) do
    local before = redis.call('get', key)
    local now = ARGV[at + 1]
    if not before or before < now then redis.call('set', key, now, 'EX', ARGV[1]) end
  end
`

/**
 * Positions by caller in Redis, and in this process what was written through it. A Redis that has
 * lost its memory has lost the floor, too: the log's head becomes the new one, which everything
 * that was forgotten is below. While Redis is away, what is below the head may have been written.
 */
export function createOwnWrites(redis: Redis, readHead: () => Promise<Position>): OwnWrites {
  const local = new LRUCache<string, Position>({ max: callersMax })
  const head = createSingleFlight(readHead)
  const boundedWait = createBoundedWait()
  // A server that comes back may have forgotten the last second before it went.
  let connections = 1
  let trusted = 0
  let localFloor = startOfLog
  redis.on('ready', () => {
    connections += 1
  })

  async function newFloor(): Promise<Position> {
    const position = await head()
    // Not where another process was quicker, nor where Redis is full: then the next one asks, too.
    redis.set(floorKey, textOf(position), 'NX').catch(() => undefined)
    return position
  }

  async function look(callers: readonly string[]): Promise<OwnPosition[]> {
    const connection = connections
    const found = await boundedWait(() => redis.mget(floorKey, ...callers.map(keyOf))).catch(
      () => undefined,
    )
    if (found === undefined) {
      const possible = await head()
      return callers.map(() => ({ known: startOfLog, possible }))
    }
    const [floor, ...own] = found
    const isTrusted = trusted === connection && floor !== null && floor !== undefined
    if (!isTrusted) localFloor = await newFloor()
    trusted = connection
    const shared = parsePosition(floor ?? '0')
    const possible = shared > localFloor ? shared : localFloor
    return own.map(text => ({ known: parsePosition(text ?? '0'), possible }))
  }
  const ask = createBatchLoader(look)

  const noteWrites = createBatchLoader((notes: readonly Note[]) =>
    writeNotes(notes, { redis, boundedWait }),
  )

  return {
    async note(caller, position) {
      const before = local.get(caller)
      if (before === undefined || before < position) local.set(caller, position)
      return noteWrites({ caller, position })
    },
    async of(caller) {
      const { known, possible } = await ask(caller)
      const here = local.get(caller) ?? startOfLog
      return { known: here > known ? here : known, possible }
    },
  }
}

/** For another log: what callers have written is in none that they could be kept waiting for. */
export async function forgetOwnWrites(redis: Redis): Promise<void> {
  for await (const keys of redis.scanStream({ match: keyOf('*'), count: 1_000 })) {
    if (Array.isArray(keys) && keys.length > 0) await redis.unlink(...keys.map(String))
  }
}

const textOf = (position: Position) => String(position).padStart(width, '0')

/** Writes what callers have come to in one round trip; false for all of them where that failed. */
async function writeNotes(
  notes: readonly Note[],
  { redis, boundedWait }: { redis: Redis; boundedWait: BoundedWait },
): Promise<boolean[]> {
  const keys = notes.map(({ caller }) => keyOf(caller))
  const positions = notes.map(({ position }) => textOf(position))
  const write = () => redis.eval(noteScript, keys.length, ...keys, ttlSeconds, ...positions)
  const isWritten = await boundedWait(write).then(
    () => true,
    () => false,
  )
  return notes.map(() => isWritten)
}
