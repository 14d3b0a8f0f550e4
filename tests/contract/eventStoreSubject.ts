// What the event store contract needs of an adapter, and the small tools its tests share.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, type TestContext } from 'vitest'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import type {
  AppendResult,
  EventStore,
  ExpectedRevision,
  JsonObject,
  NewEvent,
  RecordedEvent,
  SubscribeOptions,
  SubscriptionBatch,
} from '../../src/ports/eventStore.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import type { EventLog } from '../../src/ports/logInspection.ts'

/** One event store under test; what an adapter cannot do is left out and its tests are skipped. */
export interface Subject {
  store: EventLog
  /** Opens another client, as another process would, on the same log. */
  second?: () => Promise<EventLog>
  /** Breaks every connection to the log; new ones are possible at once. */
  cutConnections?: () => Promise<void>
  /** What whoever may write to the server can do to a stream. */
  hide?: Hide
  /** Takes events out of a stream, as no store does by itself. */
  lose?: (stream: string, revisions: readonly number[]) => Promise<void>
  /** Appends one event to `stream` in a transaction that stays open until told how to end. */
  holdAppend?: (stream: string) => Promise<HeldAppend>
  close(): Promise<void>
}

export interface Hide {
  /** Sets what the store keeps or shows of a stream; `{}` takes that back. */
  limit(
    stream: string,
    limits: { $tb?: number; $maxCount?: number; $maxAge?: number },
  ): Promise<void>
  softDelete(stream: string): Promise<void>
  tombstone(stream: string): Promise<void>
}

export interface HeldAppend {
  release(): Promise<void>
  rollback(): Promise<void>
}

export type Setup = () => Promise<Subject>

/** The subject of the tests around it: made before the first, closed after the last. */
export type Current = () => Subject

export function useSubject(setup: Setup): Current {
  let subject: Subject | undefined
  beforeAll(async () => {
    subject = await setup()
  }, 120_000)
  afterAll(async () => {
    await subject?.close()
  }, 60_000)
  return () => {
    if (subject === undefined) throw new Error('the event store was not set up')
    return subject
  }
}

/** An ability of the subject, or the test is skipped with the reason. */
export function ability<K extends 'second' | 'cutConnections' | 'hide' | 'lose' | 'holdAppend'>(
  { skip }: TestContext,
  subject: Subject,
  key: K,
): NonNullable<Subject[K]> {
  return subject[key] ?? skip(`this adapter has no ${key}`)
}

export function newStream(category = 'thing'): string {
  return `${category}-${randomUUID()}`
}

export function anEvent(data: JsonObject = {}, type = 'ThingHappened'): NewEvent {
  return { id: randomUUID(), type, data, metadata: { from: 'contract' } }
}

export function someEvents(count: number, type?: string): NewEvent[] {
  return Array.from({ length: count }, (_, n) => anEvent({ n }, type))
}

/** Appends events to a stream that may or may not exist and forgets the result. */
export async function seed(store: EventStore, stream: string, count: number) {
  return store.append(stream, 'any', someEvents(count))
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export const idsOf = (events: readonly { id: string }[]): string[] => events.map(({ id }) => id)
export const revisionsOf = (events: readonly RecordedEvent[]): number[] =>
  events.map(({ revision }) => revision)
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Fails unless every position is above the one before it. */
export function expectInOrder(events: readonly RecordedEvent[]): void {
  const wrong = events.findIndex((event, n) => {
    const before = events[n - 1]
    return before !== undefined && event.position <= before.position
  })
  expect(wrong, 'index of the first event whose position is not above the one before').toBe(-1)
}

/** Appends until the store answers, as a caller does that gets Unavailable. */
export async function appendStubbornly(
  store: EventStore,
  append: { stream: string; expected: ExpectedRevision; events: NewEvent[] },
): Promise<AppendResult> {
  const deadline = performance.now() + 30_000
  for (;;) {
    try {
      return await store.append(append.stream, append.expected, append.events)
    } catch (error) {
      if (!(error instanceof Unavailable) || performance.now() > deadline) throw error
    }
  }
}

/** A subscription read in the background. */
export interface Follower {
  events: RecordedEvent[]
  batches: SubscriptionBatch[]
  position(): Position
  isLive(): boolean
  /** Waits until the condition holds; fails after `ms`. */
  until(condition: () => boolean, ms?: number): Promise<void>
  /** Aborts the subscription and waits for its end, which must be an orderly one. */
  stop(): Promise<void>
  /** Settles when the iteration has ended. */
  ended: Promise<void>
}

export function follow(store: EventStore, options: Omit<SubscribeOptions, 'signal'>): Follower {
  const abort = new AbortController()
  const events: RecordedEvent[] = []
  const batches: SubscriptionBatch[] = []
  const watchers = new Set<() => void>()
  const read = async () => {
    for await (const batch of store.subscribe({ ...options, signal: abort.signal })) {
      events.push(...batch.events)
      batches.push(batch)
      for (const watch of [...watchers]) watch()
    }
  }
  const ended = read()
  // Told through `ended` or `stop` as well; without this a failure would not wait for them.
  ended.catch(() => undefined)
  return {
    events,
    batches,
    position: () => batches.at(-1)?.position ?? options.after ?? startOfLog,
    isLive: () => batches.at(-1)?.live ?? false,
    until: (condition, ms = 30_000) => {
      const state = () => `${batches.length} batches, ${events.length} events came`
      return Promise.race([
        holds({ condition, watchers, ms, state }),
        ended.then(() => expect(condition(), `ended early: ${state()}`).toBe(true)),
      ])
    },
    stop: async () => {
      abort.abort()
      await ended
    },
    ended,
  }
}

function holds(wanted: {
  condition: () => boolean
  watchers: Set<() => void>
  ms: number
  state: () => string
}): Promise<void> {
  const { condition, watchers, ms, state } = wanted
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      watchers.delete(look)
      settle()
    }
    const look = () => {
      if (condition()) finish(resolve)
    }
    const timer = setTimeout(() => finish(() => reject(new Error(`too late: ${state()}`))), ms)
    watchers.add(look)
    look()
  })
}
