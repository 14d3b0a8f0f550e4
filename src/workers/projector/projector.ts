// Runs projections: acquires their leases, follows the log, and restarts after failures.
import { setTimeout as sleep } from 'node:timers/promises'
import { withDeadline } from '../../kit/deadline.ts'
import { acquire, ensureCheckpoints, LeaseLost } from '../../projections/core/checkpoints.ts'
import { type ActiveProjection, parkedStreams } from '../../projections/core/engine.ts'
import type { Consumer } from '../../projections/core/projection.ts'
import { follow, leasePollMs, Stalled } from './follow.ts'
import { type ConsumerGroup, type ProjectorParts, paces } from './parts.ts'
import { runRebuilds } from './rebuilds.ts'

const retryMs = 500
/** After a stall, wait until the leases have expired, so that another process can take over. */
const othersFirstMs = 3_000
/** Timeout of acquiring leases. */
const acquireMs = 3_000
const repeatMs = 60_000

/**
 * Starts all projections that no other process runs. Urgent ones form one group, the rest another;
 * a group reads and decodes the log once and commits in one transaction. `stop` ends them after the
 * current batch and releases the leases.
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
  const throttle = createLogThrottle()
  while (!signal.aborted) {
    try {
      await withDeadline(acquireMs, 'the checkpoints', ensureCheckpoints(db, consumers))
      const members = await acquireLeases(parts, consumers)
      if (members.length === 0) await pause(leasePollMs, signal)
      else
        await follow(parts, {
          members,
          signal,
          acquireLeases: others => acquireLeases(parts, others),
        })
    } catch (error) {
      if (error instanceof LeaseLost) continue
      const text = String(error)
      if (throttle.isDue(text)) log.error({ error: text }, 'projections stopped, trying again')
      await pause(error instanceof Stalled ? othersFirstMs : retryMs, signal)
    }
  }
}

/** Logs a repeated error once a minute. */
function createLogThrottle() {
  let last = { text: '', at: Number.NEGATIVE_INFINITY }
  return {
    isDue(text: string): boolean {
      const now = performance.now()
      if (text === last.text && now - last.at < repeatMs) return false
      last = { text, at: now }
      return true
    },
  }
}

async function pause(ms: number, signal: AbortSignal) {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Acquires the leases that are available. Throws Overdue. */
function acquireLeases(
  parts: ProjectorParts,
  wanted: readonly Consumer[],
): Promise<ActiveProjection[]> {
  return withDeadline(acquireMs, 'the leases', acquireNow(parts, wanted))
}

async function acquireNow(
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
