// Runs projections: takes their leases, follows the log, commits batches, takes over and gives up.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { decodeAll } from '../commands/decoding.ts'
import type { Codec } from '../commands/ports.ts'
import type { EventStore } from '../eventstore/port.ts'
import { createSlots, type Slots } from '../kit/slots.ts'
import {
  acquire,
  advance,
  ensureCheckpoints,
  LeaseLost,
  leaseSeconds,
  release,
  renew,
} from '../projections/checkpoints.ts'
import { commitBatch, type Member, parkedStreams } from '../projections/engine.ts'
import type { Committed, Projection } from '../projections/projection.ts'
import type { Tables } from '../projections/tables.ts'
import type { Log } from './log.ts'
import type { Progress } from './progress.ts'
import { readAhead } from './readAhead.ts'
import { runRebuilds } from './rebuilds.ts'

export interface ProjectorParts {
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
  projections: readonly Projection[]
  /** The name under which this process holds leases. */
  runner: string
  progress: Progress
  /** Runs before the next batch: what it does is done when the projections go on. */
  onCommitted(committed: Committed): Promise<void>
  log: Log
}

const batchSize = 1_000
/**
 * At the head a batch is left to grow for so long, and for some times as long as the one before
 * took: many small ones would cost more than they bring, and take the processor from who writes the
 * events. Whoever follows an order live waits for the one, and everybody for the other.
 */
const paces = {
  urgent: { leastMs: 2, mostMs: 50, times: 1 },
  usual: { leastMs: 10, mostMs: 50, times: 8 },
}
type Pace = (typeof paces)[keyof typeof paces]
/** Moves past events that no projection reads are written down this often. */
const idlePersistMs = 100
const retryMs = 500
const everything: Committed = {
  listingsChanged: true,
  notified: true,
  mailsQueued: true,
  imagesQueued: true,
  webhooksQueued: true,
}

/**
 * Starts all projections that nobody else runs: they follow the log together, so that it is read
 * and decoded once, and commit together; those that are urgent do so by themselves. `stop` ends
 * them after the batch under way and gives the leases back.
 */
export function startProjector(parts: ProjectorParts): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const lanes = [
    { ...parts, projections: parts.projections.filter(each => each.isUrgent), pace: paces.urgent },
    { ...parts, projections: parts.projections.filter(each => !each.isUrgent), pace: paces.usual },
  ].filter(({ projections }) => projections.length > 0)
  const loops = [
    ...lanes.map(lane => run(lane, stopping.signal)),
    runRebuilds(parts, stopping.signal),
  ]
  return {
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

/** Projections that follow the log together. */
interface Lane extends ProjectorParts {
  pace: Pace
}

async function run(parts: Lane, signal: AbortSignal) {
  const { db, log, projections } = parts
  while (!signal.aborted) {
    try {
      await ensureCheckpoints(db, projections)
      const members = await enlist(parts, projections)
      if (members.length === 0) await pause(retryMs, signal)
      else await follow(parts, { members, signal })
    } catch (error) {
      if (error instanceof LeaseLost) continue
      log.error({ error: String(error) }, 'projections stopped, trying again')
      await pause(retryMs, signal)
    }
  }
}

async function pause(ms: number, signal: AbortSignal) {
  if (ms <= 0) return
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Takes the leases that can be had. */
async function enlist(parts: ProjectorParts, wanted: readonly Projection[]): Promise<Member[]> {
  const { db, log, runner } = parts
  const byName = new Map(wanted.map(each => [each.name, each]))
  const members: Member[] = []
  for (const lease of await acquire(db, wanted, runner)) {
    const { name } = lease
    const projection = byName.get(name)
    if (projection === undefined) continue
    const onParked: Member['parking']['onParked'] = poison =>
      log.error({ projection: name, ...poison, position: String(poison.position) }, 'event parked')
    const streams = await parkedStreams(db, name)
    members.push({ projection, lease, parking: { name, streams, onParked } })
  }
  return members
}

interface Following {
  members: Member[]
  signal: AbortSignal
}

/**
 * Follows the log until the signal aborts, a lease is lost, or there are more projections to run.
 */
async function follow(parts: Lane, { members, signal }: Following) {
  const ending = new AbortController()
  const group: Group = {
    members,
    leases: members.map(({ lease }) => lease),
    turns: createSlots(1),
    reached: least(members),
    spentMs: 0,
    signal: AbortSignal.any([signal, ending.signal]),
  }
  const keeping = keepLeases(parts, group).finally(() => ending.abort())
  // It is awaited below; until then a lost lease or connection must not count as unhandled, which
  // would end the whole process.
  keeping.catch(() => undefined)
  try {
    await consume(parts, group)
  } finally {
    ending.abort()
    await keeping
    await persist(parts, group).catch(() => undefined)
    if (signal.aborted) await release(parts.db, group.leases).catch(() => undefined)
  }
}

interface Group {
  members: Member[]
  leases: Member['lease'][]
  /** One at a time: batches, heartbeats, and how far they have looked. */
  turns: Slots
  /** How far the log has been looked through for all of them. */
  reached: bigint
  /** How long the last batch took to be written. */
  spentMs: number
  signal: AbortSignal
}

function least(members: readonly Member[]): bigint {
  const positions = members.map(({ lease }) => lease.position)
  return positions.reduce((a, b) => (a < b ? a : b))
}

async function consume(parts: Lane, group: Group) {
  const { db, progress } = parts
  const { members, turns } = group
  // Who ran them before may have died between a commit and the calls that follow it.
  await parts.onCommitted(everything)
  for (const { lease } of members) progress.reached(lease.name, lease.position)
  for await (const batch of readAhead(decoded(parts, group))) {
    if (batch.items.length > 0) {
      const began = performance.now()
      const committed = await turns.take(() => commitBatch(db, members, batch))
      await parts.onCommitted(committed)
      group.spentMs = performance.now() - began
    }
    group.reached = batch.position
    for (const { lease } of members) {
      if (lease.position <= batch.position) progress.reached(lease.name, batch.position)
    }
  }
}

async function* decoded({ eventStore, codec, pace }: Lane, group: Group) {
  const { members, reached, signal } = group
  const types = new Set<string>(members.flatMap(({ projection }) => projection.on))
  const subscription = eventStore.subscribe({
    after: reached,
    filter: { types: [...types] },
    batchSize,
    signal,
  })
  let askedAt = performance.now()
  for await (const { events, position, live } of subscription) {
    yield { items: await decodeAll(codec, events), position }
    const cycleMs = Math.min(pace.mostMs, Math.max(pace.leastMs, pace.times * group.spentMs))
    if (live) await pause(cycleMs - (performance.now() - askedAt), signal)
    askedAt = performance.now()
  }
}

/**
 * Heartbeats, and writes down how far the projections have looked without finding anything. Ends
 * when there is a projection more that this process may run.
 */
async function keepLeases(parts: ProjectorParts, group: Group) {
  const { leases, turns, signal } = group
  const held = new Set(leases.map(({ name }) => name))
  const others = parts.projections.filter(({ name }) => !held.has(name))
  let renewedAt = performance.now()
  let lookedAt = renewedAt
  while (!signal.aborted) {
    await pause(idlePersistMs, signal)
    if (signal.aborted) return
    await turns.take(() => persist(parts, group))
    const now = performance.now()
    if (now - renewedAt > (leaseSeconds * 1_000) / 3) {
      await turns.take(() => renew(parts.db, leases))
      renewedAt = now
    }
    if (others.length > 0 && now - lookedAt > retryMs) {
      const more = await enlist(parts, others)
      if (more.length > 0) return
      lookedAt = now
    }
  }
}

async function persist({ db }: ProjectorParts, { leases, reached }: Group) {
  const behind = leases.filter(({ position }) => position < reached)
  if (behind.length === 0) return
  await advance(db, behind, reached)
  for (const lease of behind) lease.position = reached
}
