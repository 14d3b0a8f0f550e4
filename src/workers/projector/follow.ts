// Follows the log for some projections whose leases this process holds. A lease is renewed by
// progress, or by the proof that there is nothing to do, and by nothing else, and counts from then:
// work that hangs loses it within seconds, and is given up for a new start.

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
/** Moves past events that no projection reads are written down this often. */
const idlePersistMs = 100
/** How often leases of others that can be had are looked for. */
export const lookMs = 400
const renewMs = (leaseSeconds * 1_000) / 4
/** Without progress for so long, which is longer than a lease lasts, the loop is started anew. */
const stallMs = 7_000
/** So long the log may take to say whether there is something new. */
const proofMs = 2_000
/** So long a batch may take to end once its loop has to. */
const lastBatchMs = 5_000
/** So long the last words of a loop may take: its leases end by themselves. */
const farewellMs = 2_000
export interface Following {
  members: ActiveProjection[]
  signal: AbortSignal
  /** Takes the leases of others that can be had by now. */
  enlist(others: readonly Consumer[]): Promise<ActiveProjection[]>
}

/** There was something to do, or that could not be ruled out, and nothing has been done. */
export class Stalled extends Error {
  constructor({ leases }: Group) {
    super(`no progress for ${stallMs} ms: ${leases.map(({ name }) => name).join(', ')}`)
    this.name = 'Stalled'
  }
}

interface Group {
  members: ActiveProjection[]
  leases: ActiveProjection['lease'][]
  filter: EventFilter
  /** One at a time: batches, heartbeats, and how far they have looked. */
  turns: LimitFunction
  /** How far the log has been looked through for all of them. */
  reached: Position
  /** How often that, or a checkpoint, has moved. */
  steps: number
  /** When there was progress, or nothing to do, for the last time. */
  movedAt: number
  /** How long the last batch took to be written. */
  spentMs: number
  /** Given up while something hung: what still comes of that is nobody's any more. */
  isAbandoned: boolean
  signal: AbortSignal
}

/**
 * Follows the log until the signal aborts, a lease is lost, or there are more projections to run.
 * Throws Stalled when nothing moves although something may have to.
 */
export async function follow(parts: ConsumerGroup, following: Following): Promise<void> {
  const { signal } = following
  const ending = new AbortController()
  const group = groupOf(following, AbortSignal.any([signal, ending.signal]))
  const held = new Set(group.leases.map(({ name }) => name))
  const others = parts.consumers.filter(({ name }) => !held.has(name))
  const loops = [consume(parts, group), keepLeases(parts, group)]
  if (others.length > 0) loops.push(findMore(group, () => following.enlist(others)))
  const stalled = watch(group).catch(error => {
    group.isAbandoned = true
    throw error
  })
  try {
    await Promise.race([...loops, stalled])
  } finally {
    ending.abort()
    // Both are awaited here; how they end has been said above by the first to do so.
    const ended = Promise.allSettled([...loops, stalled])
    const waitMs = group.isAbandoned ? 0 : lastBatchMs
    await withDeadline(waitMs, 'the last batch', ended).catch(() => {
      group.isAbandoned = true
    })
    await sayFarewell(parts, group, signal)
  }
}

function groupOf({ members }: Following, signal: AbortSignal): Group {
  const positions = members.map(({ lease }) => lease.position)
  return {
    members,
    leases: members.map(({ lease }) => lease),
    filter: filterFor(members.map(({ projection }) => projection)),
    turns: pLimit(1),
    reached: positions.reduce((a, b) => (a < b ? a : b)),
    steps: 0,
    movedAt: performance.now(),
    spentMs: 0,
    isAbandoned: false,
    signal,
  }
}

async function sayFarewell(
  parts: ConsumerGroup,
  group: Group,
  stopping: AbortSignal,
): Promise<void> {
  if (group.isAbandoned) return
  const words = async () => {
    await persist(parts, group).catch(() => undefined)
    if (stopping.aborted) await release(parts.db, group.leases).catch(() => undefined)
  }
  await withDeadline(farewellMs, 'giving leases back', words()).catch(() => undefined)
}

async function pause(ms: number, signal: AbortSignal) {
  if (ms <= 0) return
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Throws Stalled once nothing has moved for too long; ends with the signal. */
async function watch(group: Group): Promise<void> {
  while (!group.signal.aborted) {
    await pause(lookMs / 2, group.signal)
    if (!group.signal.aborted && performance.now() - group.movedAt > stallMs) {
      throw new Stalled(group)
    }
  }
}

async function consume(parts: ConsumerGroup, group: Group) {
  const { db, progress } = parts
  const { members, turns } = group
  // The runner before may have died between a commit and its signals.
  await parts.onCommitted(members.flatMap(allSignals))
  for (const { lease } of members) progress.reached(lease.name, lease.position)
  await readAgain(parts, group)
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
    moved(group)
    for (const { lease } of members) {
      if (lease.position <= batch.position) progress.reached(lease.name, batch.position)
    }
  }
}

/** Every signal that a consumer can raise, for what may have been missed. */
function allSignals({ projection }: ActiveProjection) {
  return projection.signals.map(signal => signal.raise())
}

/** What an older release has parked because it did not know it, and this one does. */
async function readAgain(parts: ConsumerGroup, group: Group): Promise<void> {
  const { db, codec, log } = parts
  const knows = (name: string) => codec.knows(name)
  for (const member of group.members) {
    const streams = await readableByNow(db, member.projection.name, { knows })
    for (const stream of streams) {
      if (group.signal.aborted || group.isAbandoned) return
      const read = (of: string, positions: readonly Position[]) => decodeAt(parts, of, positions)
      await group.turns(() => catchUp(db, member, { stream, read }))
      moved(group)
    }
    if (streams.length === 0) continue
    log.info({ projection: member.projection.name, streams: streams.length }, 'parked events read')
    await parts.onCommitted(allSignals(member))
  }
}

function moved(group: Group): void {
  group.steps += 1
  group.movedAt = performance.now()
}

async function* decoded({ eventStore, codec, pace }: ConsumerGroup, group: Group) {
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
 * Writes down how far the projections have looked without finding anything, and renews the leases
 * after progress, or after the log has been read again and had nothing for them.
 */
async function keepLeases(parts: ConsumerGroup, group: Group) {
  let renewed = { at: performance.now(), steps: group.steps }
  while (!group.signal.aborted) {
    await pause(idlePersistMs, group.signal)
    if (group.signal.aborted) return
    await group.turns(() => persist(parts, group))
    const now = performance.now()
    if (now - renewed.at <= renewMs) continue
    const { steps } = group
    const wellAt = steps > renewed.steps ? group.movedAt : await provenAt(parts, group)
    if (wellAt === undefined) continue
    await group.turns(() => keep(parts, group, wellAt))
    renewed = { at: now, steps }
  }
}

/** Ends when there is a projection more that this process may run. */
async function findMore({ signal }: Group, enlist: () => Promise<ActiveProjection[]>) {
  while (!signal.aborted) {
    await pause(lookMs, signal)
    if (!signal.aborted && (await enlist()).length > 0) return
  }
}

/** When it was looked, if there was nothing to do; undefined where that cannot be said. */
async function provenAt(parts: ConsumerGroup, group: Group): Promise<number | undefined> {
  const at = performance.now()
  const isIdle = await withDeadline(proofMs, 'the log', hasNothingToDo(parts, group)).catch(
    () => false,
  )
  return isIdle ? at : undefined
}

/** The log is read behind where all that was read has been dealt with. */
async function hasNothingToDo({ eventStore }: ConsumerGroup, { reached, filter }: Group) {
  for await (const _ of eventStore.readAll({ after: reached, filter })) return false
  return true
}

async function keep({ db }: ConsumerGroup, group: Group, wellAt: number): Promise<void> {
  if (group.isAbandoned) return
  await renew(db, group.leases, (performance.now() - wellAt) / 1_000)
  group.movedAt = Math.max(group.movedAt, wellAt)
}

async function persist({ db }: Pick<ConsumerGroup, 'db'>, group: Group): Promise<void> {
  const { leases, reached } = group
  const behind = leases.filter(({ position }) => position < reached)
  if (behind.length === 0 || group.isAbandoned) return
  await advance(db, behind, reached)
  for (const lease of behind) lease.position = reached
}
