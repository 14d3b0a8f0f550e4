// Applies batches of events to projections; rows and checkpoint commit together or not at all.
import { type Kysely, sql } from 'kysely'
import { holdableText } from '../kit/holdable.ts'
import { isTransient } from '../kit/transient.ts'
import { advance, advancing, isLeaseLost, type Lease, LeaseLost, leaseLost } from './checkpoints.ts'
import type { Committed, Follower, Plan, ReadEvent } from './projection.ts'
import type { Tables } from './tables.ts'
import { runTogether } from './together.ts'

type Db = Kysely<Tables>

/** An event of the log that could not be decoded. */
export interface Poison {
  type: string
  stream: string
  position: bigint
  error: string
}
export type Item = { event: ReadEvent } | { poison: Poison }

export interface Batch {
  items: readonly Item[]
  /** Where the projection is once this batch is in. */
  position: bigint
}

/** What a projection remembers of streams that it could not follow. */
export interface Parking {
  /** Under which its events are parked. */
  name: string
  streams: Set<string>
  /** Told about each event that is parked. */
  onParked(poison: Poison): void
}

/** The streams that are parked for a projection. */
export async function parkedStreams(db: Db, name: string): Promise<Set<string>> {
  const { rows } = await sql<{ stream: string }>`
    select distinct stream from shop.parked_events where name = ${name}
  `.execute(db)
  return new Set(rows.map(row => row.stream))
}

/** A projection that is run here: its lease, and what it could not follow. */
export interface Member {
  projection: Follower
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
  members: readonly Member[],
  batch: Batch,
): Promise<Committed> {
  const due = members.filter(({ lease }) => lease.position < batch.position)
  if (due.length === 0) return {}
  const parts = due.map(member => {
    const { projection, lease } = member
    return { ...member, items: itemsFor(projection, lease.position, batch) }
  })
  const clean = parts.filter(isClean)
  const all: Committed = {}
  try {
    await commitTogether(db, clean, batch.position, all)
  } catch (error) {
    if (error instanceof LeaseLost) throw error
    await commitEach(db, clean, batch.position, all)
  }
  const unclean = parts.filter(part => !clean.includes(part))
  await commitEach(db, unclean, batch.position, all)
  return all
}

interface Part extends Member {
  items: readonly Item[]
}

const wantedTypes = new WeakMap<Follower, ReadonlySet<string>>()

function typesOf(projection: Follower): ReadonlySet<string> {
  const known = wantedTypes.get(projection)
  if (known !== undefined) return known
  const types = new Set<string>(projection.on)
  wantedTypes.set(projection, types)
  return types
}

/** What a projection reads of a batch, behind a position. */
export function itemsFor(projection: Follower, after: bigint, { items }: Batch): readonly Item[] {
  const types = typesOf(projection)
  return items.filter(item => {
    const { type, position } = placeOf(item)
    return types.has(type) && position > after
  })
}

/** Where an item is in the log, and of which type. */
export function placeOf(item: Item): { type: string; position: bigint } {
  return 'event' in item ? item.event : item.poison
}

/** Whether a part holds nothing that has to be parked for all that is known. */
function isClean({ items, parking }: Pick<Part, 'items' | 'parking'>): boolean {
  return items.every(item => 'event' in item && isFree(parking, item.event))
}

/** Whether nothing before an event in its stream is parked. */
function isFree({ streams }: Parking, { stream }: ReadEvent): boolean {
  return streams.size === 0 || !streams.has(stream)
}

async function commitTogether(
  db: Db,
  parts: readonly Part[],
  position: bigint,
  all: Committed,
): Promise<void> {
  if (parts.length === 0) return
  const leases = parts.map(({ lease }) => lease)
  const busy = parts
    .map(({ projection, items }) => ({ projection, events: eventsOf(items) }))
    .filter(({ events }) => events.length > 0)
  const committed =
    (await commitPlanned(db, busy, { leases, position })) ??
    (await db.transaction().execute(async trx => {
      await advance(trx, leases, position)
      const found: Committed = {}
      for (const { projection, events } of busy) merge(found, await projection.apply(events, trx))
      return found
    }))
  for (const lease of leases) lease.position = position
  merge(all, committed)
}

interface Work {
  projection: Follower
  events: readonly ReadEvent[]
}

/**
 * First reads what all of them need, and then sends all that they write. Between the two nothing
 * changes: who else would write to these tables takes the lease first, and then nothing of this is
 * written. Undefined where one of them cannot say beforehand what it writes.
 */
async function commitPlanned(
  db: Db,
  busy: readonly Work[],
  { leases, position }: { leases: readonly Lease[]; position: bigint },
): Promise<Committed | undefined> {
  return db.connection().execute(async session => {
    const plans: Plan[] = []
    for (const { projection, events } of busy) {
      const plan = await projection.plan?.(events, session)
      if (plan === undefined) return undefined
      plans.push(plan)
    }
    const writes = plans.flatMap(plan => plan.writes)
    const moving = advancing(session, leases, position)
    const [, ...written] = await runTogether(session, [moving, ...writes]).catch(error => {
      throw isLeaseLost(error) ? leaseLost(leases) : error
    })
    const found: Committed = {}
    for (const plan of plans) merge(found, plan.committed(written.splice(0, plan.writes.length)))
    return found
  })
}

async function commitEach(
  db: Db,
  parts: readonly Part[],
  position: bigint,
  all: Committed,
): Promise<void> {
  const failures: unknown[] = []
  for (const part of parts) {
    try {
      const committed = await db.transaction().execute(async trx => {
        await advance(trx, [part.lease], position)
        return applyItems(trx, part.projection, part.items, part.parking)
      })
      part.lease.position = position
      merge(all, committed)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** Applies items inside a transaction; what cannot be applied is parked. */
export async function applyItems(
  db: Db,
  projection: Follower,
  items: readonly Item[],
  parking: Parking,
): Promise<Committed> {
  const events = wholeEvents(items, parking)
  if (events === undefined) return applyOneByOne(db, projection, items, parking)
  if (events.length === 0) return {}
  await sql`savepoint whole_batch`.execute(db)
  try {
    return await projection.apply(events, db)
  } catch (error) {
    if (isTransient(error)) throw error
    await sql`rollback to savepoint whole_batch`.execute(db)
    return applyOneByOne(db, projection, items, parking)
  }
}

/** The events of items none of which has to be parked for all that is known. */
export function wholeEvents(items: readonly Item[], parking: Parking): ReadEvent[] | undefined {
  return isClean({ items, parking }) ? eventsOf(items) : undefined
}

function eventsOf(items: readonly Item[]): ReadEvent[] {
  const events: ReadEvent[] = []
  for (const item of items) if ('event' in item) events.push(item.event)
  return events
}

async function applyOneByOne(
  db: Db,
  projection: Follower,
  items: readonly Item[],
  parking: Parking,
): Promise<Committed> {
  const all: Committed = {}
  for (const item of items) {
    if ('poison' in item) {
      await park(db, item.poison, parking)
      continue
    }
    const { event } = item
    if (parking.streams.has(event.stream)) {
      await park(db, poisonOf(event, 'an earlier event is parked'), parking)
      continue
    }
    await sql`savepoint one_event`.execute(db)
    try {
      merge(all, await projection.apply([event], db))
    } catch (error) {
      if (isTransient(error)) throw error
      await sql`rollback to savepoint one_event`.execute(db)
      await park(db, poisonOf(event, String(error)), parking)
    }
  }
  return all
}

/** Adds what a batch has brought about to what others have. */
function merge(all: Committed, committed: Committed): void {
  const { notifications = [], ...rest } = committed
  const news = Object.entries(rest).filter(([, value]) => value === true)
  Object.assign(all, Object.fromEntries(news))
  if (notifications.length > 0) {
    all.notifications = [...(all.notifications ?? []), ...notifications]
  }
}

function poisonOf(event: ReadEvent, error: string): Poison {
  return { type: event.type, stream: event.stream, position: event.position, error }
}

async function park(db: Db, poison: Poison, parking: Parking): Promise<void> {
  const { position, stream, type } = poison
  const error = holdableText(poison.error.slice(0, 2_000))
  await sql`
    insert into shop.parked_events (name, position, stream, type, error)
    values (${parking.name}, ${position}, ${stream}, ${type}, ${error})
    on conflict (name, position) do nothing
  `.execute(db)
  parking.streams.add(stream)
  parking.onParked(poison)
}
