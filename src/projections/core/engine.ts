// Applies batches of events to projections; rows and checkpoint commit together or not at all.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { storableText } from '../../kit/storableText.ts'
import { isTransient } from '../../kit/transient.ts'
import type { Poison } from '../../ports/codec.ts'
import {
  advance,
  advancing,
  isLeaseLost,
  type Lease,
  LeaseLost,
  leaseLost,
  renew,
} from './checkpoints.ts'
import { concerns, type Item, isReadable, placeOf, type Work, workOf } from './items.ts'
import { runPipeline } from './pipeline.ts'
import { applyPlan, type Plan } from './plan.ts'
import type { Consumer } from './projection.ts'
import type { Raised } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A batch that takes longer renews its leases on the way. */
const slowMs = 1_000

/** An event to park. */
type ParkedEvent = Omit<Poison, 'place'>

export interface Batch {
  items: readonly Item[]
  /** The checkpoint after this batch. */
  position: Position
}

/** The parked streams of a projection. */
export interface Parking {
  /** The name under which its events are parked. */
  name: string
  streams: Set<string>
  /** Called for each event that is parked. */
  onParked(parked: ParkedEvent): void
}

/** The streams that are parked for a projection. */
export async function parkedStreams(db: Db, name: string): Promise<Set<string>> {
  const { rows } = await sql<{ stream: string }>`
    select distinct stream from shop.parked_events where name = ${name}
  `.execute(db)
  return new Set(rows.map(row => row.stream))
}

/** A projection run by this process, with its lease and its parked streams. */
export interface ActiveProjection {
  projection: Consumer
  lease: Lease
  parking: Parking
}

/**
 * Applies a batch to every member that has not applied it yet, in one transaction with their
 * checkpoints. If that fails, each member gets its own transaction, so that one failure does not
 * block the others; an event that cannot be applied parks its stream for that projection. Throws
 * LeaseLost, or the error of the database; members that succeeded are then ahead of the others.
 */
export async function commitBatch(
  db: Db,
  members: readonly ActiveProjection[],
  batch: Batch,
): Promise<Raised[]> {
  const due = members.filter(({ lease }) => lease.position < batch.position)
  if (due.length === 0) return []
  const parts = due.map(member => {
    const { projection, lease } = member
    return { ...member, items: itemsAfter(projection, lease.position, batch) }
  })
  const clean = parts.filter(isClean)
  const all: Raised[] = []
  try {
    await commitInOneTransaction(db, clean, batch.position, all)
  } catch (error) {
    if (error instanceof LeaseLost) throw error
    await commitEach(db, clean, batch.position, all)
  }
  const unclean = parts.filter(part => !clean.includes(part))
  await commitEach(db, unclean, batch.position, all)
  return all
}

interface ProjectionBatch extends ActiveProjection {
  items: readonly Item[]
}

/** The items of a batch that a projection reads, after a position. */
export function itemsAfter(
  projection: Consumer,
  after: Position,
  { items }: Batch,
): readonly Item[] {
  return items.filter(item => placeOf(item).position > after && concerns(projection, item))
}

/** Whether no item is unreadable or belongs to a parked stream. */
function isClean({ projection, items, parking }: Omit<ProjectionBatch, 'lease'>): boolean {
  return items.every(item => isReadable(projection, item) && isNotParked(parking, item))
}

/** Whether the stream of an item is not parked. */
function isNotParked({ streams }: Parking, item: Item): boolean {
  return streams.size === 0 || !streams.has(placeOf(item).stream)
}

async function commitInOneTransaction(
  db: Db,
  parts: readonly ProjectionBatch[],
  position: Position,
  all: Raised[],
): Promise<void> {
  if (parts.length === 0) return
  const leases = parts.map(({ lease }) => lease)
  const busy = parts
    .map(({ projection, items }) => workOf(projection, items))
    .filter(({ count }) => count > 0)
  const committed =
    (await commitPlanned(db, busy, { leases, position })) ??
    (await db.transaction().execute(async trx => {
      const raised: Raised[] = []
      await movingCheckpoints(trx, leases, position, async () => {
        for (const work of busy) raised.push(...(await applyWork(work, trx)))
      })
      return raised
    }))
  for (const lease of leases) lease.position = position
  all.push(...committed)
}

async function applyWork(work: Work, trx: Db): Promise<readonly Raised[]> {
  return applyPlan(await work.plan(trx), trx)
}

/** Moves checkpoints and runs the work in a transaction; renews the leases after slow work. */
async function movingCheckpoints<T>(
  trx: Db,
  leases: readonly Lease[],
  position: Position,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now()
  await advance(trx, leases, position)
  const done = await work()
  if (performance.now() - began > slowMs) {
    const moved = leases.map(lease => ({ ...lease, position }))
    await renew(trx, moved, 0)
  }
  return done
}

/**
 * Reads what all members need, then sends all writes in one pipeline. The rows cannot change in
 * between: another writer needs the lease, and without the lease nothing here is written. Undefined
 * if a member has work to do inside the transaction.
 */
async function commitPlanned(
  db: Db,
  busy: readonly Work[],
  { leases, position }: { leases: readonly Lease[]; position: Position },
): Promise<Raised[] | undefined> {
  return db.connection().execute(async session => {
    const plans: Plan[] = []
    let renewedAt = performance.now()
    for (const work of busy) {
      const plan = await work.plan(session)
      if (plan.work !== undefined) return undefined
      plans.push(plan)
      if (performance.now() - renewedAt < slowMs) continue
      await renew(session, leases, 0)
      renewedAt = performance.now()
    }
    const writes = plans.flatMap(plan => plan.writes)
    const first = advancing(session, leases, position)
    const [, ...written] = await runPipeline(session, [first, ...writes]).catch(error => {
      throw isLeaseLost(error) ? leaseLost(leases) : error
    })
    return plans.flatMap(({ writes, signals }) => {
      const counts = written.splice(0, writes.length)
      return signals?.(counts) ?? []
    })
  })
}

async function commitEach(
  db: Db,
  parts: readonly ProjectionBatch[],
  position: Position,
  all: Raised[],
): Promise<void> {
  const failures: unknown[] = []
  for (const part of parts) {
    try {
      const committed = await db
        .transaction()
        .execute(trx =>
          movingCheckpoints(trx, [part.lease], position, () =>
            applyItems(trx, part.projection, part.items, part.parking),
          ),
        )
      part.lease.position = position
      all.push(...committed)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** Applies items inside a transaction and parks those that cannot be applied. */
export async function applyItems(
  db: Db,
  projection: Consumer,
  items: readonly Item[],
  parking: Parking,
): Promise<readonly Raised[]> {
  const work = wholeWork(projection, items, parking)
  if (work === undefined) return applyOneByOne(db, projection, items, parking)
  if (work.count === 0) return []
  await sql`savepoint whole_batch`.execute(db)
  try {
    return await applyWork(work, db)
  } catch (error) {
    if (isTransient(error)) throw error
    await sql`rollback to savepoint whole_batch`.execute(db)
    return applyOneByOne(db, projection, items, parking)
  }
}

/** The work of all items; undefined if one of them has to be parked. */
export function wholeWork(
  projection: Consumer,
  items: readonly Item[],
  parking: Parking,
): Work | undefined {
  return isClean({ projection, items, parking }) ? workOf(projection, items) : undefined
}

async function applyOneByOne(
  db: Db,
  projection: Consumer,
  items: readonly Item[],
  parking: Parking,
): Promise<Raised[]> {
  const all: Raised[] = []
  for (const item of items) {
    if ('poison' in item && !isReadable(projection, item)) {
      await park(db, item.poison, parking)
      continue
    }
    if (!isNotParked(parking, item)) {
      await park(db, poisonFrom(item, 'an earlier event is parked'), parking)
      continue
    }
    await sql`savepoint one_event`.execute(db)
    try {
      all.push(...(await applyWork(workOf(projection, [item]), db)))
    } catch (error) {
      if (isTransient(error)) throw error
      await sql`rollback to savepoint one_event`.execute(db)
      await park(db, poisonFrom(item, String(error)), parking)
    }
  }
  return all
}

function poisonFrom(item: Item, error: string): ParkedEvent {
  const { type, stream, position } = placeOf(item)
  return { type, stream, position, error, awaits: null }
}

async function park(db: Db, trouble: ParkedEvent, parking: Parking): Promise<void> {
  const { position, stream, type, awaits } = trouble
  const error = storableText(trouble.error.slice(0, 2_000))
  await sql`
    insert into shop.parked_events (name, position, stream, type, error, awaits)
    values (${parking.name}, ${position}, ${stream}, ${type}, ${error}, ${awaits})
    on conflict (name, position) do update set error = excluded.error, awaits = excluded.awaits
  `.execute(db)
  parking.streams.add(stream)
  parking.onParked({ type, stream, position, error, awaits })
}
