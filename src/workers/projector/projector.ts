// Runs projections: takes their leases, has them follow the log, takes over and gives up.
import { setTimeout as sleep } from 'node:timers/promises'
import { withDeadline } from '../../kit/deadline.ts'
import { acquire, ensureCheckpoints, LeaseLost } from '../../projections/core/checkpoints.ts'
import { type ActiveProjection, parkedStreams } from '../../projections/core/engine.ts'
import type { Consumer } from '../../projections/core/projection.ts'
import { follow, lookMs, Stalled } from './follow.ts'
import { type ConsumerGroup, type ProjectorParts, paces } from './parts.ts'
import { runRebuilds } from './rebuilds.ts'

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
  const all: readonly Consumer[] = [...parts.projections, ...(parts.reactions ?? [])]
  const groups = [
    { ...parts, consumers: all.filter(each => each.isUrgent), pace: paces.urgent },
    { ...parts, consumers: all.filter(each => !each.isUrgent), pace: paces.usual },
  ].filter(({ consumers }) => consumers.length > 0)
  const loops = [
    ...groups.map(group => run(group, stopping.signal)),
    runRebuilds(parts, stopping.signal),
  ]
  return {
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function run(parts: ConsumerGroup, signal: AbortSignal) {
  const { db, log, consumers } = parts
  const told = createLogThrottle()
  while (!signal.aborted) {
    try {
      await withDeadline(enlistMs, 'the checkpoints', ensureCheckpoints(db, consumers))
      const members = await enlist(parts, consumers)
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
function createLogThrottle() {
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
function enlist(parts: ProjectorParts, wanted: readonly Consumer[]): Promise<ActiveProjection[]> {
  return withDeadline(enlistMs, 'the leases', takeLeases(parts, wanted))
}

async function takeLeases(
  { db, log, runner }: ProjectorParts,
  wanted: readonly Consumer[],
): Promise<ActiveProjection[]> {
  const byName = new Map(wanted.map(each => [each.name, each]))
  const members: ActiveProjection[] = []
  for (const lease of await acquire(db, wanted, runner)) {
    const { name } = lease
    const projection = byName.get(name)
    if (projection === undefined) continue
    const onParked: ActiveProjection['parking']['onParked'] = poison =>
      log.error({ projection: name, ...poison, position: String(poison.position) }, 'event parked')
    const streams = await parkedStreams(db, name)
    members.push({ projection, lease, parking: { name, streams, onParked } })
  }
  return members
}
