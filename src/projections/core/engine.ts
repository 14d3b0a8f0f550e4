// Applies batches of events to projections; rows and checkpoint commit together or not at all.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { storableText } from '../../kit/storableText.ts'
import { isTransient } from '../../kit/transient.ts'
import {
  advance,
  advancing,
  isLeaseLost,
  type Lease,
  LeaseLost,
  leaseLost,
  renew,
} from './checkpoints.ts'
import {
  concerns,
  type Item,
  isReadable,
  type Poison,
  placeOf,
  type Work,
  workOf,
} from './items.ts'
import { runPipeline } from './pipeline.ts'
import { applyPlan, type Plan } from './plan.ts'
import type { Consumer } from './projection.ts'
import type { Raised } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** A batch that takes longer prolongs its leases on the way: each answer is progress. */
const slowMs = 1_000

/** An event that is to be parked. */
type Trouble = Omit<Poison, 'place'>

export interface Batch {
  items: readonly Item[]
  /** Where the projection is once this batch is in. */
  position: Position
}

/** What a projection remembers of streams that it could not follow. */
export interface Parking {
  /** Under which its events are parked. */
  name: string
  streams: Set<string>
  /** Told about each event that is parked. */
  onParked(poison: Omit<Poison, 'place'>): void
}

/** The streams that are parked for a projection. */
export async function parkedStreams(db: Db, name: string): Promise<Set<string>> {
  const { rows } = await sql<{ stream: string }>`
    select distinct stream from shop.parked_events where name = ${name}
  `.execute(db)
  return new Set(rows.map(row => row.stream))
}

/** A projection that is run here: its lease, and what it could not follow. */
export interface ActiveProjection {
  projection: Consumer
  lease: Lease
  parking: Parking
}

/**
 * Applies a batch to every member that is not behind it yet, in one transaction with their
 * checkpoints. Where that fails each member is tried in a transaction of its own, so that the
 * trouble of one does not hold up the others; an event that cannot be applied parks its stream for
 * that projection. Throws LeaseLost, or what the database throws when it is the database that
 * fails; who got through is then ahead of the others, as the leases say.
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
    return { ...member, items: itemsFor(projection, lease.position, batch) }
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

/** What a projection reads of a batch, behind a position. */
export function itemsFor(projection: Consumer, after: Position, { items }: Batch): readonly Item[] {
  return items.filter(item => placeOf(item).position > after && concerns(projection, item))
}

/** Whether a part holds nothing that has to be parked for all that is known. */
function isClean({ projection, items, parking }: Omit<ProjectionBatch, 'lease'>): boolean {
  return items.every(item => isReadable(projection, item) && isFree(parking, item))
}

/** Whether nothing before an event in its stream is parked. */
function isFree({ streams }: Parking, item: Item): boolean {
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
      await moving(trx, leases, position, async () => {
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

/** Moves checkpoints in a transaction and does the work; what took long keeps its leases. */
async function moving<T>(
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
 * First reads what all of them need, and then sends all that they write. Between the two nothing
 * changes: who else would write to these tables takes the lease first, and then nothing of this is
 * written. Undefined where one of them
 * has work to do inside the transaction.
 */
async function commitPlanned(
  db: Db,
  busy: readonly Work[],
  { leases, position }: { leases: readonly Lease[]; position: Position },
): Promise<Raised[] | undefined> {
  return db.connection().execute(async session => {
    const plans: Plan[] = []
    let keptAt = performance.now()
    for (const work of busy) {
      const plan = await work.plan(session)
      if (plan.work !== undefined) return undefined
      plans.push(plan)
      if (performance.now() - keptAt < slowMs) continue
      await renew(session, leases, 0)
      keptAt = performance.now()
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
          moving(trx, [part.lease], position, () =>
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

/** Applies items inside a transaction; what cannot be applied is parked. */
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

/** The work of items none of which has to be parked for all that is known. */
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
    if (!isFree(parking, item)) {
      await park(db, troubleOf(item, 'an earlier event is parked'), parking)
      continue
    }
    await sql`savepoint one_event`.execute(db)
    try {
      all.push(...(await applyWork(workOf(projection, [item]), db)))
    } catch (error) {
      if (isTransient(error)) throw error
      await sql`rollback to savepoint one_event`.execute(db)
      await park(db, troubleOf(item, String(error)), parking)
    }
  }
  return all
}

function troubleOf(item: Item, error: string): Trouble {
  const { type, stream, position } = placeOf(item)
  return { type, stream, position, error, awaits: null }
}

async function park(db: Db, trouble: Trouble, parking: Parking): Promise<void> {
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
