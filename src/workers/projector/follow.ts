// Follows the log for projections whose leases this process holds. A lease is renewed only after
// progress, or after a read that found nothing to do. A loop that hangs loses its leases within
// seconds and is started again.

import { setTimeout as sleep } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import { decodeAll, decodeAt } from '../../commands/core/decoding.ts'
import { withDeadline } from '../../kit/deadline.ts'
import type { Position } from '../../kit/position.ts'
import type { EventFilter } from '../../ports/eventStore.ts'
import { advance, leaseSeconds, release, renew } from '../../projections/core/checkpoints.ts'
import { type ActiveProjection, commitBatch } from '../../projections/core/engine.ts'
import { filterFor } from '../../projections/core/items.ts'
import type { Consumer } from '../../projections/core/projection.ts'
import { catchUp, readableByNow } from '../../projections/core/retryParked.ts'
import type { ConsumerGroup } from './parts.ts'
import { readAhead } from './readAhead.ts'

const batchSize = 1_000
/** How often checkpoints are moved past events that no projection reads. */
const idlePersistMs = 100
/** How often to check for leases that have become available. */
export const leasePollMs = 400
const renewMs = (leaseSeconds * 1_000) / 4
/** Longer than a lease: without progress for so long, the loop is restarted. */
const stallMs = 7_000
/** Timeout of the read that shows whether the log has new events. */
const proofMs = 2_000
/** Timeout of the last batch at shutdown. */
const lastBatchMs = 5_000
/** Timeout of releasing leases, which expire anyway. */
const releaseMs = 2_000
export interface Following {
  members: ActiveProjection[]
  signal: AbortSignal
  /** Acquires leases that have become available. */
  acquireLeases(others: readonly Consumer[]): Promise<ActiveProjection[]>
}

/** No progress although there may be events to process. */
export class Stalled extends Error {
  constructor({ leases }: RunningGroup) {
    super(`no progress for ${stallMs} ms: ${leases.map(({ name }) => name).join(', ')}`)
    this.name = 'Stalled'
  }
}

interface RunningGroup {
  members: ActiveProjection[]
  leases: ActiveProjection['lease'][]
  filter: EventFilter
  /** Serialises batches, lease renewals and checkpoint moves. */
  exclusive: LimitFunction
  /** The position up to which the log was read for all of them. */
  reached: Position
  /** Counts progress. */
  steps: number
  /** Time of the last progress, or of the last read that found nothing to do. */
  progressAt: number
  /** Duration of the last commit. */
  spentMs: number
  /** Abandoned while an operation hung: its result is ignored. */
  isAbandoned: boolean
  signal: AbortSignal
}

/**
 * Follows the log until the signal aborts, a lease is lost, or further leases were acquired. Throws
 * Stalled if there is no progress although there may be events.
 */
export async function follow(parts: ConsumerGroup, following: Following): Promise<void> {
  const { signal } = following
  const ending = new AbortController()
  const group = groupOf(following, AbortSignal.any([signal, ending.signal]))
  const held = new Set(group.leases.map(({ name }) => name))
  const others = parts.consumers.filter(({ name }) => !held.has(name))
  const loops = [consume(parts, group), keepLeases(parts, group)]
  if (others.length > 0) loops.push(watchForLeases(group, () => following.acquireLeases(others)))
  const stalled = watch(group).catch(error => {
    group.isAbandoned = true
    throw error
  })
  try {
    await Promise.race([...loops, stalled])
  } finally {
    ending.abort()
    // The race above has reported the first error; here all of them only have to end.
    const ended = Promise.allSettled([...loops, stalled])
    const waitMs = group.isAbandoned ? 0 : lastBatchMs
    await withDeadline(waitMs, 'the last batch', ended).catch(() => {
      group.isAbandoned = true
    })
    await releaseLeases(parts, group, signal)
  }
}

function groupOf({ members }: Following, signal: AbortSignal): RunningGroup {
  const positions = members.map(({ lease }) => lease.position)
  return {
    members,
    leases: members.map(({ lease }) => lease),
    filter: filterFor(members.map(({ projection }) => projection)),
    exclusive: pLimit(1),
    reached: positions.reduce((a, b) => (a < b ? a : b)),
    steps: 0,
    progressAt: performance.now(),
    spentMs: 0,
    isAbandoned: false,
    signal,
  }
}

async function releaseLeases(
  parts: ConsumerGroup,
  group: RunningGroup,
  stopping: AbortSignal,
): Promise<void> {
  if (group.isAbandoned) return
  const persistAndRelease = async () => {
    await persist(parts, group).catch(() => undefined)
    if (stopping.aborted) await release(parts.db, group.leases).catch(() => undefined)
  }
  await withDeadline(releaseMs, 'giving leases back', persistAndRelease()).catch(() => undefined)
}

async function pause(ms: number, signal: AbortSignal) {
  if (ms <= 0) return
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Throws Stalled once nothing has moved for too long; ends with the signal. */
async function watch(group: RunningGroup): Promise<void> {
  while (!group.signal.aborted) {
    await pause(leasePollMs / 2, group.signal)
    if (!group.signal.aborted && performance.now() - group.progressAt > stallMs) {
      throw new Stalled(group)
    }
  }
}

async function consume(parts: ConsumerGroup, group: RunningGroup) {
  const { db, progress } = parts
  const { members, exclusive: turns } = group
  // The previous runner may have died between a commit and its signals.
  await parts.onCommitted(members.flatMap(allSignals))
  for (const { lease } of members) progress.reached(lease.name, lease.position)
  await retryParkedStreams(parts, group)
  for await (const batch of readAhead(decoded(parts, group))) {
    if (group.isAbandoned) return
    if (batch.items.length > 0) {
      const began = performance.now()
      const raised = await turns(() => commitBatch(db, members, batch))
      if (group.isAbandoned) return
      await parts.onCommitted(raised)
      group.spentMs = performance.now() - began
    }
    if (group.isAbandoned) return
    group.reached = batch.position
    recordProgress(group)
    for (const { lease } of members) {
      if (lease.position <= batch.position) progress.reached(lease.name, batch.position)
    }
  }
}

/** Every signal of a consumer, without a payload: some may have been missed. */
function allSignals({ projection }: ActiveProjection) {
  return projection.signals.map(signal => signal.raise())
}

/** Applies events that an older release has parked as unknown and this one can read. */
async function retryParkedStreams(parts: ConsumerGroup, group: RunningGroup): Promise<void> {
  const { db, codec, log } = parts
  const knows = (name: string) => codec.knows(name)
  for (const member of group.members) {
    const streams = await readableByNow(db, member.projection.name, { knows })
    for (const stream of streams) {
      if (group.signal.aborted || group.isAbandoned) return
      const read = (of: string, positions: readonly Position[]) => decodeAt(parts, of, positions)
      await group.exclusive(() => catchUp(db, member, { stream, read }))
      recordProgress(group)
    }
    if (streams.length === 0) continue
    log.info({ projection: member.projection.name, streams: streams.length }, 'parked events read')
    await parts.onCommitted(allSignals(member))
  }
}

function recordProgress(group: RunningGroup): void {
  group.steps += 1
  group.progressAt = performance.now()
}

async function* decoded({ eventStore, codec, pace }: ConsumerGroup, group: RunningGroup) {
  const { reached, filter, signal } = group
  const subscription = eventStore.subscribe({ after: reached, filter, batchSize, signal })
  let askedAt = performance.now()
  for await (const { events, position, live } of subscription) {
    yield { items: await decodeAll(codec, events), position }
    const cycleMs = Math.min(pace.mostMs, Math.max(pace.leastMs, pace.times * group.spentMs))
    if (live) await pause(cycleMs - (performance.now() - askedAt), signal)
    askedAt = performance.now()
  }
}

/**
 * Moves checkpoints past events that no projection reads, and renews leases after progress or after
 * a read that found nothing to do.
 */
async function keepLeases(parts: ConsumerGroup, group: RunningGroup) {
  let renewed = { at: performance.now(), steps: group.steps }
  while (!group.signal.aborted) {
    await pause(idlePersistMs, group.signal)
    if (group.signal.aborted) return
    await group.exclusive(() => persist(parts, group))
    const now = performance.now()
    if (now - renewed.at <= renewMs) continue
    const { steps } = group
    const healthyAt = steps > renewed.steps ? group.progressAt : await idleAt(parts, group)
    if (healthyAt === undefined) continue
    await group.exclusive(() => renewLeases(parts, group, healthyAt))
    renewed = { at: now, steps }
  }
}

/** Resolves once a further lease was acquired. */
async function watchForLeases({ signal }: RunningGroup, enlist: () => Promise<ActiveProjection[]>) {
  while (!signal.aborted) {
    await pause(leasePollMs, signal)
    if (!signal.aborted && (await enlist()).length > 0) return
  }
}

/** The time of a read that found nothing to do; undefined if there are events or it failed. */
async function idleAt(parts: ConsumerGroup, group: RunningGroup): Promise<number | undefined> {
  const at = performance.now()
  const isIdle = await withDeadline(proofMs, 'the log', hasNothingToDo(parts, group)).catch(
    () => false,
  )
  return isIdle ? at : undefined
}

/** Whether the log has no events after those that were processed. */
async function hasNothingToDo({ eventStore }: ConsumerGroup, { reached, filter }: RunningGroup) {
  for await (const _ of eventStore.readAll({ after: reached, filter })) return false
  return true
}

async function renewLeases(
  { db }: ConsumerGroup,
  group: RunningGroup,
  wellAt: number,
): Promise<void> {
  if (group.isAbandoned) return
  await renew(db, group.leases, (performance.now() - wellAt) / 1_000)
  group.progressAt = Math.max(group.progressAt, wellAt)
}

async function persist({ db }: Pick<ConsumerGroup, 'db'>, group: RunningGroup): Promise<void> {
  const { leases, reached } = group
  const behind = leases.filter(({ position }) => position < reached)
  if (behind.length === 0 || group.isAbandoned) return
  await advance(db, behind, reached)
  for (const lease of behind) lease.position = reached
}
