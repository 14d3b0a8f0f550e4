// Runs projections: takes their leases, has them follow the log, takes over and gives up.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Codec } from '../commands/ports.ts'
import type { EventStore } from '../eventstore/port.ts'
import { within } from '../kit/within.ts'
import { acquire, ensureCheckpoints, LeaseLost } from '../projections/checkpoints.ts'
import { type Member, parkedStreams } from '../projections/engine.ts'
import type { Committed, Follower, Projection, Reaction } from '../projections/projection.ts'
import type { Tables } from '../projections/tables.ts'
import { follow, lookMs, Stalled } from './following.ts'
import type { Log } from './log.ts'
import type { Progress } from './progress.ts'
import { runRebuilds } from './rebuilds.ts'

export interface ProjectorParts {
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
  projections: readonly Projection[]
  reactions?: readonly Reaction[]
  /** The name under which this process holds leases. */
  runner: string
  progress: Progress
  /** Runs before the next batch: what it does is done when the projections go on. */
  onCommitted(committed: Committed): Promise<void>
  log: Log
}

/**
 * At the head a batch is left to grow for so long, and for some times as long as the one before
 * took: many small ones would cost more than they bring, and take the processor from who writes the
 * events. Whoever follows an order live waits for the one, and everybody for the other.
 */
const paces = {
  urgent: { leastMs: 2, mostMs: 50, times: 1 },
  usual: { leastMs: 10, mostMs: 50, times: 8 },
}
export type Pace = (typeof paces)[keyof typeof paces]
const retryMs = 500
/** Whoever has stalled leaves its leases to others first: until they have lapsed, and been seen. */
const othersFirstMs = 3_000
/** So long the database may take to say which leases can be had. */
const enlistMs = 3_000
const sameAgainMs = 60_000

/**
 * Starts all projections that nobody else runs: they follow the log together, so that it is read
 * and decoded once, and commit together; those that are urgent do so by themselves. `stop` ends
 * them after the batch under way and gives the leases back.
 */
export function startProjector(parts: ProjectorParts): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const all: readonly Follower[] = [...parts.projections, ...(parts.reactions ?? [])]
  const lanes = [
    { ...parts, followers: all.filter(each => each.isUrgent), pace: paces.urgent },
    { ...parts, followers: all.filter(each => !each.isUrgent), pace: paces.usual },
  ].filter(({ followers }) => followers.length > 0)
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

/** Who follows the log together. */
export interface Lane extends ProjectorParts {
  followers: readonly Follower[]
  pace: Pace
}

async function run(parts: Lane, signal: AbortSignal) {
  const { db, log, followers } = parts
  const told = createTold()
  while (!signal.aborted) {
    try {
      await within(enlistMs, 'the checkpoints', ensureCheckpoints(db, followers))
      const members = await enlist(parts, followers)
      if (members.length === 0) await pause(lookMs, signal)
      else await follow(parts, { members, signal, enlist: others => enlist(parts, others) })
    } catch (error) {
      if (error instanceof LeaseLost) continue
      const said = String(error)
      if (told.isDue(said)) log.error({ error: said }, 'projections stopped, trying again')
      await pause(error instanceof Stalled ? othersFirstMs : retryMs, signal)
    }
  }
}

/** The same again and again is said once a minute. */
function createTold() {
  let last = { text: '', at: Number.NEGATIVE_INFINITY }
  return {
    isDue(text: string): boolean {
      const now = performance.now()
      if (text === last.text && now - last.at < sameAgainMs) return false
      last = { text, at: now }
      return true
    },
  }
}

async function pause(ms: number, signal: AbortSignal) {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Takes the leases that can be had. Throws Overdue. */
function enlist(parts: ProjectorParts, wanted: readonly Follower[]): Promise<Member[]> {
  return within(enlistMs, 'the leases', takeLeases(parts, wanted))
}

async function takeLeases(
  { db, log, runner }: ProjectorParts,
  wanted: readonly Follower[],
): Promise<Member[]> {
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
