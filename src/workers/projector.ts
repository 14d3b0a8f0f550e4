// Runs projections: takes their leases, follows the log, commits batches, takes over and gives up.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Codec } from '../commands/ports.ts'
import { type EventStore, type RecordedEvent, Unavailable } from '../eventstore/port.ts'
import {
  acquire,
  advance,
  ensureCheckpoint,
  type Lease,
  LeaseLost,
  leaseSeconds,
  release,
  renew,
} from '../projections/checkpoints.ts'
import { commitBatch, type Item, type Parking, parkedStreams } from '../projections/engine.ts'
import type { Committed, Projection } from '../projections/projection.ts'
import { rebuild } from '../projections/rebuild.ts'
import type { Tables } from '../projections/tables.ts'
import type { Log } from './log.ts'
import type { Progress } from './progress.ts'

export interface ProjectorParts {
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
  projections: readonly Projection[]
  /** The name under which this process holds leases. */
  runner: string
  progress: Progress
  /** Runs before the next batch: what it does is done when the projection goes on. */
  onCommitted(projection: string, committed: Committed): Promise<void>
  log: Log
}

const batchSize = 1_000
/** Moves past events that a projection does not read are written down this often. */
const idlePersistMs = 100
const retryMs = 500
const everything: Committed = {
  listingsChanged: true,
  notified: true,
  mailsQueued: true,
  imagesQueued: true,
}

/** Starts all projections; `stop` ends them after the batch under way and gives the leases back. */
export function startProjector(parts: ProjectorParts): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const loops = parts.projections.map(each => run(parts, each, stopping.signal))
  return {
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function run(parts: ProjectorParts, projection: Projection, signal: AbortSignal) {
  const { db, log, runner } = parts
  const { name } = projection
  while (!signal.aborted) {
    try {
      await ensureCheckpoint(db, name, projection.version)
      const lease = await acquire(db, name, runner)
      if (lease === undefined) await pause(retryMs, signal)
      else if (lease.version !== projection.version) await upgrade(parts, projection)
      else await follow(parts, projection, { lease, signal })
    } catch (error) {
      if (error instanceof LeaseLost) continue
      log.error({ projection: name, error: String(error) }, 'projection stopped, trying again')
      await pause(retryMs, signal)
    }
  }
}

async function pause(ms: number, signal: AbortSignal) {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

async function upgrade(parts: ProjectorParts, projection: Projection) {
  const { db, eventStore, codec, log } = parts
  log.info({ projection: projection.name }, 'projection has a new version, rebuilding')
  await rebuild(db, projection, {
    read: after => readBatches({ eventStore, codec }, projection, after),
    onProgress: () => undefined,
  })
}

async function follow(
  parts: ProjectorParts,
  projection: Projection,
  on: { lease: Lease; signal: AbortSignal },
) {
  const { lease } = on
  const ending = new AbortController()
  const signal = AbortSignal.any([on.signal, ending.signal])
  const turns = createTurns()
  const reached = { position: lease.position }
  const keeping = keepLease({ parts, lease, turns, reached, signal }).catch(error => {
    ending.abort()
    throw error
  })
  // It is awaited below; until then a lost lease or connection must not count as unhandled, which
  // would end the whole process.
  keeping.catch(() => undefined)
  try {
    await consume(parts, projection, { lease, turns, reached, signal })
  } finally {
    ending.abort()
    await keeping
    await persist(parts, lease, reached.position).catch(() => undefined)
    if (on.signal.aborted) await release(parts.db, lease).catch(() => undefined)
  }
}

interface Following {
  lease: Lease
  turns: ReturnType<typeof createTurns>
  reached: { position: bigint }
  signal: AbortSignal
}

async function consume(parts: ProjectorParts, projection: Projection, on: Following) {
  const { db, eventStore, codec, progress, log } = parts
  const { lease, turns, reached, signal } = on
  const { name } = projection
  const parking: Parking = {
    streams: await parkedStreams(db, name),
    onParked: poison =>
      log.error({ projection: name, ...poison, position: String(poison.position) }, 'event parked'),
  }
  // Who ran it before may have died between a commit and the calls that follow it.
  await parts.onCommitted(name, everything)
  progress.reached(name, lease.position)
  const subscription = eventStore.subscribe({
    after: lease.position,
    filter: { types: projection.on },
    batchSize,
    signal,
  })
  for await (const { events, position } of subscription) {
    if (events.length > 0) {
      const items = await decodeAll(codec, events)
      const committed = await turns.take(() =>
        commitBatch(db, projection, lease, { batch: { items, position }, parking }),
      )
      await parts.onCommitted(name, committed)
    }
    reached.position = position
    progress.reached(name, position)
  }
}

/** Heartbeats, and writes down how far the projection has looked without finding anything. */
async function keepLease(on: Following & { parts: ProjectorParts }) {
  const { parts, lease, turns, reached, signal } = on
  let renewedAt = performance.now()
  while (!signal.aborted) {
    await pause(idlePersistMs, signal)
    if (signal.aborted) return
    await turns.take(() => persist(parts, lease, reached.position))
    if (performance.now() - renewedAt > (leaseSeconds * 1_000) / 3) {
      await renew(parts.db, lease)
      renewedAt = performance.now()
    }
  }
}

async function persist({ db }: ProjectorParts, lease: Lease, position: bigint) {
  if (position <= lease.position) return
  await advance(db, lease, position)
  lease.position = position
}

/** One at a time, in the order of asking. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve()
  return {
    take<T>(work: () => Promise<T>): Promise<T> {
      const turn = last.then(work)
      last = turn.catch(() => undefined)
      return turn
    },
  }
}

async function decodeAll(codec: Codec, events: readonly RecordedEvent[]): Promise<Item[]> {
  const items: Item[] = []
  for (const recorded of events) {
    try {
      items.push({ event: await codec.decode(recorded) })
    } catch (error) {
      // A key that cannot be fetched now can be later; a seal that does not open never will.
      if (error instanceof Unavailable) throw error
      const { type, stream, position } = recorded
      items.push({ poison: { type, stream, position, error: String(error) } })
    }
  }
  return items
}

/** The part of the log that a projection reads, in batches, up to the head of this moment. */
export async function* readBatches(
  { eventStore, codec }: Pick<ProjectorParts, 'eventStore' | 'codec'>,
  projection: Projection,
  after: bigint,
) {
  const end = await eventStore.head()
  let events: RecordedEvent[] = []
  for await (const event of eventStore.readAll({ after, filter: { types: projection.on } })) {
    if (event.position > end) break
    events.push(event)
    if (events.length >= batchSize) {
      yield { items: await decodeAll(codec, events), position: event.position }
      events = []
    }
  }
  yield { items: await decodeAll(codec, events), position: end }
}
