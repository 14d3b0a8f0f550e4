// Rows 19 and 19b. Paths: appends of one event to new streams, 64 in flight; a catch-up to a
// handler that does nothing, and in batches of 500 to one that takes 20 ms. Limits: batch append
// and filtered subscription of the client. Bars: 80 % of the one at 1.5 times its processor time,
// 90 % of the other; 20,000 events/s.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { END, EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client'
import { eventStoreDb } from '../src/eventstore/eventstoredb/eventstoredb.ts'
import type { Position } from '../src/kit/position.ts'
import type { EventStore } from '../src/ports/eventStore.ts'
import { type Candidate, interleave, judge, type Report, rate, roundsFor } from './harness.ts'
import { sampleEvent } from './rawLog.ts'

const names = {
  batch: 'the client’s batch append, 64 in flight',
  append: 'append to new streams, 64 in flight',
  filtered: 'the client’s filtered subscription',
  noOp: 'catch-up to a no-op handler',
  slow: 'catch-up, batches of 500, 20 ms each',
}
const processor = (name: string) => `${name}, processor time an append`
const handlerMs = 20
const eventsAnAppend = 50

/** Measures the log alone, in streams with this prefix. */
export async function appendsAndCatchUp(
  url: string,
  prefix: string,
  quick: boolean,
): Promise<Report> {
  const store = eventStoreDb({ url })
  const client = EventStoreDBClient.connectionString(url)
  const total = quick ? 20_000 : 100_000
  try {
    const after = await fill(store, prefix, total)
    const log = { store, client, prefix, after, total }
    const measured = await interleave(
      [...appends(log, quick ? 3_000 : 10_000), ...catchUps(log)],
      roundsFor(quick),
    )
    const append = processor(names.append)
    return {
      name: 'eventstoredb, log',
      measured,
      verdicts: [
        judge(measured, { ...row19(names.append, names.batch), bar: { atLeast: 0.8 } }),
        judge(measured, { ...row19(append, processor(names.batch)), bar: { atMost: 1.5 } }),
        judge(measured, { ...row19(names.noOp, names.filtered), bar: { atLeast: 0.9 } }),
        judge(measured, { ...row19(names.slow), bar: { atLeast: 20_000 } }),
      ],
      notes: [`a log of ${total.toLocaleString('en-GB')} events of about 300 bytes`],
    }
  } finally {
    await store.close()
    await client.dispose()
  }
}

function row19(of: string, to?: string) {
  return { row: 19, path: of, of, ...(to !== undefined && { to }) }
}

interface Log {
  store: EventStore
  client: EventStoreDBClient
  prefix: string
  /** Where the log was before its events were written. */
  after: Position
  total: number
}

async function fill(store: EventStore, prefix: string, total: number): Promise<Position> {
  const before = await store.append(`${prefix}first`, 'no-stream', [sampleEvent()])
  await rate({ total: total / eventsAnAppend, inFlight: 16 }, index => {
    const events = Array.from({ length: eventsAnAppend }, sampleEvent)
    return store.append(`${prefix}cart-${index}`, 'no-stream', events)
  })
  return before.position
}

function appends({ store, client, prefix }: Log, total: number): Candidate[] {
  const stream = () => `${prefix}new-${randomUUID()}`
  const asNew = { expectedRevision: 'no_stream' } as const
  return [
    ...timed(names.batch, total, () =>
      client.appendToStream(stream(), [jsonEvent(sampleEvent())], asNew),
    ),
    ...timed(names.append, total, () => store.append(stream(), 'no-stream', [sampleEvent()])),
  ]
}

/** The rate of appends, and what one of them costs this process in the same round. */
function timed(name: string, total: number, append: () => Promise<unknown>): Candidate[] {
  let microseconds = Number.NaN
  const run = async () => {
    const before = process.cpuUsage()
    const perSecond = await rate({ total, inFlight: 64 }, append)
    const { user, system } = process.cpuUsage(before)
    microseconds = (user + system) / total
    return perSecond
  }
  return [
    { name, unit: 'events/s', run },
    { name: processor(name), unit: 'µs', run: async () => microseconds },
  ]
}

function catchUps(log: Log): Candidate[] {
  const { total } = log
  const candidate = (name: string, read: () => Promise<number>): Candidate => ({
    name,
    unit: 'events/s',
    run: async () => {
      const startedAt = performance.now()
      const seen = await read()
      if (seen < total) throw new Error(`${seen} of ${total} events came`)
      return seen / ((performance.now() - startedAt) / 1_000)
    },
  })
  return [
    candidate(names.filtered, () => withClient(log)),
    candidate(names.noOp, () => subscribe(log, async () => undefined)),
    candidate(names.slow, () => subscribe(log, () => sleep(handlerMs))),
  ]
}

async function withClient({ client, prefix, total, after }: Log): Promise<number> {
  const position = BigInt(String(after))
  const subscription = client.subscribeToAll({
    fromPosition: { commit: position, prepare: position },
    filter: streamNameFilter({ prefixes: [`${prefix}cart-`] }),
  })
  let seen = 0
  try {
    for await (const { event } of subscription) {
      if (event !== undefined) seen += 1
      if (seen >= total) break
    }
  } finally {
    await subscription.unsubscribe()
  }
  return seen
}

async function subscribe(
  { store, prefix, total, after }: Log,
  handle: () => Promise<unknown>,
): Promise<number> {
  const filter = { streamPrefixes: [`${prefix}cart-`] }
  let seen = 0
  for await (const { events } of store.subscribe({ after, filter, batchSize: 500 })) {
    seen += events.length
    await handle()
    if (seen >= total) break
  }
  return seen
}

/** Where the log of a server ends for its client. */
export async function endOf(client: EventStoreDBClient): Promise<bigint> {
  const read = client.readAll({ direction: 'backwards', fromPosition: END, maxCount: 1 })
  let end = 0n
  for await (const { event } of read) end = event?.position.commit ?? end
  return end
}
