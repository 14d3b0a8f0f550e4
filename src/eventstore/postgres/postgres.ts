// The event store on PostgreSQL: one function call a batch of appends, positions in commit order.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '../../infra/postgres/database.ts'
import { firstOf } from '../../kit/firstOf.ts'
import { earliest, type Position, startOfLog } from '../../kit/position.ts'
import type { Signal } from '../../kit/signal.ts'
import {
  type AppendResult,
  type NewEvent,
  passes,
  type SubscribeOptions,
  type SubscriptionBatch,
  Unavailable,
} from '../../ports/eventStore.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import { type Metrics, noMetrics } from '../../ports/metrics.ts'
import { groupCommit } from '../core/groupCommit.ts'
import { advanced, eventsBetween } from '../core/positionNumbers.ts'
import { followStreamHeads } from '../core/streamHeads.ts'
import { createSubscriberSignals, type SubscriberSignals } from '../core/subscriberSignals.ts'
import { type AppendRequest, flush, pack } from './appends.ts'
import { endOfEmptyPage, head, pageSize, readAll, readBehind, readBetween } from './logReads.ts'
import { logTail } from './logTail.ts'
import { createStreamReads, streamHeads } from './streamReads.ts'

/** Polling is the truth, notifications are the hint; this is how long a lost hint costs. */
const pollMs = 500
const reconnectMs = 200
const bounds = {
  maxCount: 1_000,
  maxBytes: 8 * 1024 * 1024,
  maxPending: 20_000,
  maxPendingMs: 8_000,
}

/**
 * The event store on a PostgreSQL database that has been migrated. It shares the pool with others
 * and does not end it; `close` waits for appends under way and ends its subscriptions.
 */
export function postgresEventStore(pool: Pool, metrics: Metrics = noMetrics): EventLog {
  const subscribers = createSubscriberSignals()
  const closing = new AbortController()
  const heads = followStreamHeads(logTail(pool))
  const observer = { onWritten: heads.appended.bind(heads), onConflict: metrics.conflict }
  const appends = groupCommit<AppendRequest, AppendResult>(async batch => {
    const began = performance.now()
    await flush(pool, batch, observer)
    const events = batch.reduce((sum, { request }) => sum + request.events.length, 0)
    metrics.append((performance.now() - began) / 1_000, events, batch.length)
    subscribers.notify()
  }, bounds)
  const refuse = (events: readonly NewEvent[]): Error | undefined => {
    if (closing.signal.aborted) return new Unavailable('the event store is closed')
    if (events.length === 0) return new Error('an append holds at least one event')
    return appends.isFull() ? new Unavailable('too many appends are waiting') : undefined
  }
  // Each append notifies every listener: only a process with subscriptions listens.
  let listening: Promise<void> | undefined

  return {
    append(stream, expected, events) {
      const refusal = refuse(events)
      if (refusal !== undefined) return Promise.reject(refusal)
      const packed = events.map(pack)
      const bytes = packed.reduce(
        (sum, { data, metadata }) => sum + data.length + metadata.length,
        0,
      )
      return appends.add(stream, bytes, { stream, expected, events: packed })
    },
    read: createStreamReads(pool, heads),
    readAll: options => readAll(pool, options),
    async eventAt(position) {
      if (position === startOfLog) return undefined
      // Positions are numbers without gaps here.
      const next = await firstOf(readAll(pool, { after: advanced(position, -1) }))
      return next?.position === position ? next : undefined
    },
    subscribe: (options = {}) => {
      const ends = options.signal
        ? AbortSignal.any([options.signal, closing.signal])
        : closing.signal
      listening ??= listen(pool, subscribers.notify, closing.signal)
      return subscribe(pool, subscribers, { ...options, signal: ends })
    },
    head: () => head(pool),
    storeHead: () => head(pool),
    streamHeads: streams => streamHeads(pool, streams),
    async *streamLimits() {},
    distance: eventsBetween,
    async close() {
      closing.abort()
      await appends.drained()
      await listening
    },
  }
}

async function* subscribe(
  pool: Pool,
  subscribers: SubscriberSignals,
  options: SubscribeOptions & { signal: AbortSignal },
): AsyncGenerator<SubscriptionBatch> {
  const { signal: appendSignal, leave } = subscribers.join(options.filter)
  try {
    yield* stepsOf(pool, appendSignal, options)
  } finally {
    leave()
  }
}

async function* stepsOf(
  pool: Pool,
  appendSignal: Signal,
  options: SubscribeOptions & { signal: AbortSignal },
): AsyncGenerator<SubscriptionBatch> {
  const { signal } = options
  let after = options.after ?? startOfLog
  let wasLive = false
  let failures = 0
  while (!signal.aborted) {
    const notifications = appendSignal.count()
    try {
      const batch: SubscriptionBatch = await (wasLive ? follow : catchUp)(pool, after, options)
      failures = 0
      const moved = batch.position > after
      after = batch.position
      if (signal.aborted) return
      if (moved || !wasLive) yield batch
      wasLive = batch.live
      if (batch.live) await appendSignal.wait(notifications, pollMs, signal)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      failures += 1
      await appendSignal.wait(appendSignal.count(), Math.min(2_000, 50 * 2 ** failures), signal)
    }
  }
}

/** Far from the head the database applies the filter. */
async function catchUp(
  pool: Pool,
  after: Position,
  { filter, batchSize = pageSize }: SubscribeOptions,
): Promise<SubscriptionBatch> {
  const end = await head(pool)
  if (after >= end) return { events: [], position: after, live: true }
  const upTo = earliest(end, advanced(after, batchSize))
  const events = await readBetween(pool, after, upTo, filter)
  const position = events.length > 0 ? upTo : await endOfEmptyPage(pool, upTo)
  return { events, position, live: position >= end }
}

/** At the head one round trip gives the new events and the new head. */
async function follow(
  pool: Pool,
  after: Position,
  { filter, batchSize = pageSize }: SubscribeOptions,
): Promise<SubscriptionBatch> {
  const found = await readBehind(pool, after, batchSize)
  return {
    events: found.filter(event => passes(filter, event)),
    position: found.at(-1)?.position ?? after,
    live: found.length < batchSize,
  }
}

type Notify = SubscriberSignals['notify']

/** Keeps one session listening for appends of other processes until the signal aborts. */
async function listen(pool: Pool, notify: Notify, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await listenOnce(pool, notify, signal).catch(() => undefined)
    await sleep(reconnectMs, undefined, { signal }).catch(() => undefined)
  }
}

async function listenOnce(pool: Pool, notify: Notify, signal: AbortSignal): Promise<void> {
  const session = await pool.connect()
  try {
    session.onNotification(payload => notify(payload ? payload.split(',') : undefined))
    await session.query('listen eventstore')
    notify()
    await Promise.race([session.lost, aborted(signal)])
  } finally {
    // Destroyed, not returned: a session that listens must not serve others.
    session.release(true)
  }
}

function aborted(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
}
