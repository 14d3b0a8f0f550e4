// Rebuilds projections from the beginning of the log into new tables while the old ones serve.

import { type Kysely, sql } from 'kysely'
import pLimit, { type LimitFunction } from 'p-limit'
import { type Position, startOfLog } from '../../kit/position.ts'
import { settleAll } from '../../kit/settleAll.ts'
import { isTransient } from '../../kit/transient.ts'
import { ensureCheckpoints, isLeaseLost, outdated, positionOf } from '../core/checkpoints.ts'
import { parkedStreams } from '../core/engine.ts'
import type { Projection } from '../core/projection.ts'
import type { Tables } from '../core/tables.ts'
import { findBroken } from './brokenStreams.ts'
import {
  compare,
  findDifferences,
  type Live,
  lookAtLive,
  nearEnough,
  withoutTimeout,
} from './compare.ts'
import type { RebuildContext, RebuildMember, Rebuilt } from './context.ts'
import { fill, turnOf, writersMax } from './fill.ts'
import { begin, fail, finish, lockEpoch, type Resumed, savePosition } from './rebuildStates.ts'
import {
  addKeys,
  analyze,
  blockAutovacuum,
  createShadow,
  dropSchema,
  hasTables,
  missingIndexes,
  shadowOf,
  sizeOf,
} from './shadow.ts'
import { checkMember, isRefused, stop, stopBroken } from './stop.ts'
import { swap } from './swap.ts'

type Db = Kysely<Tables>

/** Another process is rebuilding it. */
export class BeingRebuilt extends Error {
  constructor(name: string) {
    super(`${name} is being rebuilt already`)
    this.name = 'BeingRebuilt'
  }
}

/** One at a time: a swap takes two sessions of a shared pool. */
const concludersMax = 1

/**
 * Fills shadow tables from the first event, catches up, compares them with the live ones where both
 * are of one version, and puts them in their place in one transaction: readers see the old rows or
 * the new ones, never half of them. Several projections share one reading of the log. A rebuild
 * that was interrupted goes on where it was. The runner of a projection loses its lease and goes on
 * from where the new tables are. Throws BeingRebuilt, or what the database throws: then the old
 * tables stay. They also stay where events of streams that a projection reads are missing, unless
 * that is accepted or its serving tables are of another version: an old gap must not keep a shop
 * from its next release.
 */
export async function rebuild(
  db: Db,
  projections: readonly Projection[],
  on: RebuildContext,
): Promise<Rebuilt[]> {
  return db.connection().execute(async session => {
    const names = projections.map(({ name }) => name)
    await lock(session, names)
    try {
      // Another process may have finished it just before.
      const due = (await on.stillDue?.(projections)) ?? projections
      return due.length === 0 ? [] : await rebuildAlone(db, due, on)
    } catch (error) {
      // Another process has taken over: our lock was lost with its session.
      if (isLeaseLost(error)) throw new BeingRebuilt(names.join(', '))
      // Interrupted, not failed: the next process resumes it.
      const isCut = on.signal?.aborted === true || isTransient(error)
      if (!isCut) await fail(db, names, String(error)).catch(() => undefined)
      throw error
    } finally {
      // A closed session has released its locks.
      await sql`select pg_advisory_unlock_all()`.execute(session).catch(() => undefined)
    }
  })
}

/** Held by the session, so the locks end with the process that rebuilds, however that ends. */
async function lock(session: Db, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(hashtext(${`rebuild ${name}`})) as taken
    `.execute(session)
    if (rows[0]?.taken !== true) {
      await sql`select pg_advisory_unlock_all()`.execute(session)
      throw new BeingRebuilt(name)
    }
  }
}

async function rebuildAlone(
  db: Db,
  projections: readonly Projection[],
  on: RebuildContext,
): Promise<Rebuilt[]> {
  const target = await on.head()
  // If no worker has ever run: it must not start at the first event once these tables are full.
  await ensureCheckpoints(db, projections)
  const upgraded = await outdated(db, projections)
  const members = await Promise.all(
    projections.map(async each => {
      const acceptsBroken = on.acceptsBroken === true || upgraded.includes(each.name)
      return enlist(db, each, await begin(db, each, { target, acceptsBroken }))
    }),
  )
  const live = await lookAtLive(db, members, { target, on })
  try {
    return await fillAndReplace(db, members, { on, live, target })
  } finally {
    // No query of a rebuild outlives it.
    await live.digests.catch(() => undefined)
  }
}

interface RebuildPlan {
  on: RebuildContext
  live: Live
  /** The head of the log at the start. */
  target: Position
}

async function fillAndReplace(
  db: Db,
  members: readonly RebuildMember[],
  { on, live, target }: RebuildPlan,
): Promise<Rebuilt[]> {
  const wanted = members.map(member => ({
    member,
    upTo: live.positions.get(member.projection.name) ?? target,
  }))
  await fill(db, wanted, on)
  const turns = { tables: pLimit(writersMax), ends: pLimit(concludersMax) }
  const found = await findBroken(db, target, on)
  const { going, stopped } = await stopBroken(db, members, { found, on })
  // The largest first, so that it does not finish long after the others.
  const sized = await largestFirst(db, going)
  const replaced = await settleAll(
    sized.map(async member => {
      await turns.tables(() => completeKeys(db, member))
      const [matches] = await settleAll([
        turns.tables(() => compare(db, member, live)),
        prepare(db, member, turns.tables),
        // Stop autovacuum of the old tables now rather than before the swap.
        turns.tables(() => withoutTimeout(db, trx => blockAutovacuum(trx, member.projection))),
      ])
      return turns.ends(() => conclude(db, member, { on, target, matches, found }))
    }),
  )
  return [...replaced, ...stopped]
}

async function largestFirst(db: Db, members: readonly RebuildMember[]): Promise<RebuildMember[]> {
  const sizes = await Promise.all(
    members.map(({ projection, shadow }) => sizeOf(db, projection, shadow)),
  )
  const all = members.map((member, at) => ({ member, size: sizes[at] ?? 0 }))
  return all.toSorted((a, b) => b.size - a.size).map(({ member }) => member)
}

/** Resumes an interrupted rebuild, or starts one. */
async function enlist(db: Db, projection: Projection, before: Resumed): Promise<RebuildMember> {
  const { name } = projection
  const shadow = shadowOf(name)
  const parkedAs = `${name}~rebuild`
  const isLeft = before.position > startOfLog && (await hasTables(db, projection, shadow))
  const { epoch, acceptsBroken } = before
  if (!isLeft) {
    await db.transaction().execute(async trx => {
      await lockEpoch(trx, { name, epoch })
      await createShadow(trx, projection, shadow)
      await sql`delete from shop.parked_events where name = ${parkedAs}`.execute(trx)
      await savePosition(trx, { name, epoch }, startOfLog)
    })
  }
  const streams = isLeft ? await parkedStreams(db, parkedAs) : new Set<string>()
  const parking = { name: parkedAs, streams, onParked: () => undefined }
  const position = isLeft ? before.position : startOfLog
  return { projection, shadow, epoch, acceptsBroken, position, parking }
}

/** Adds the primary keys. With duplicate rows the new tables are dropped, to start again. */
async function completeKeys(db: Db, member: RebuildMember): Promise<void> {
  const { projection, shadow } = member
  try {
    await withoutTimeout(db, trx => addKeys(trx, projection, shadow))
  } catch (error) {
    if (isTransient(error)) throw error
    await db.transaction().execute(async trx => {
      await lockEpoch(trx, turnOf(member))
      await dropSchema(trx, shadow)
    })
    throw error
  }
}

/** Creates indexes, in several sessions, and collects statistics. */
async function prepare(
  db: Db,
  { projection, shadow }: RebuildMember,
  turns: LimitFunction,
): Promise<void> {
  const missing = await missingIndexes(db, projection, shadow)
  await settleAll(
    missing.map(statement =>
      turns(() => withoutTimeout(db, trx => sql.raw(statement).execute(trx))),
    ),
  )
  await turns(() => withoutTimeout(db, trx => analyze(trx, projection, shadow)))
}

interface Conclusion extends Omit<RebuildPlan, 'live'> {
  matches: boolean | undefined
  /** Broken streams found when the tables were filled. */
  found: ReadonlyMap<string, string>
}

async function conclude(
  db: Db,
  member: RebuildMember,
  { on, target, matches, found }: Conclusion,
): Promise<Rebuilt> {
  const { projection } = member
  const differences = matches === false ? await findDifferences(db, member, on) : []
  // An erasure between the two readings makes a difference that is gone on the second look.
  const isEqual = matches === undefined ? undefined : differences.length === 0
  await fill(db, [{ member, upTo: target }], on)
  for (;;) {
    const upTo = await positionOf(db, projection.name)
    // Each round applies the events written during the one before.
    if ((await fill(db, [{ member, upTo }], on)) <= nearEnough) break
  }
  // Check again: more of the log has been read.
  const checked = await checkMember(member, { found, on })
  if (isRefused(checked)) return stop(db, checked)
  const { broken } = checked
  const position = await swap(db, member, on)
  const outcome = { matches: isEqual, differences, broken }
  await finish(db, turnOf(member), outcome)
  return { name: projection.name, serves: true, position, ...outcome }
}
