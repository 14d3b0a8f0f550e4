// Applies batches of events to projections; rows and checkpoint commit together or not at all.
import { type Kysely, sql } from 'kysely'
import { advance, type Lease } from './checkpoints.ts'
import type { Committed, Projection, ReadEvent } from './projection.ts'
import type { Tables } from './tables.ts'

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

/**
 * Applies a batch under a lease. An event that cannot be applied parks its stream for this
 * projection; everything else goes on. Throws LeaseLost, or what the database throws when it is
 * the database that fails.
 */
export async function commitBatch(
  db: Db,
  projection: Projection,
  lease: Lease,
  on: { batch: Batch; parking: Parking },
): Promise<Committed> {
  const { batch, parking } = on
  const committed = await db.transaction().execute(async trx => {
    await advance(trx, lease, batch.position)
    return applyItems(trx, projection, batch.items, parking)
  })
  lease.position = batch.position
  return committed
}

async function applyItems(
  db: Db,
  projection: Projection,
  items: readonly Item[],
  parking: Parking,
): Promise<Committed> {
  const events = items.flatMap(item => ('event' in item ? [item.event] : []))
  const isClean =
    events.length === items.length && !events.some(event => parking.streams.has(event.stream))
  if (!isClean) return applyOneByOne(db, projection, items, parking)
  if (events.length === 0) return {}
  await sql`savepoint whole_batch`.execute(db)
  try {
    return await projection.apply(events, db)
  } catch (error) {
    if (isWeather(error)) throw error
    await sql`rollback to savepoint whole_batch`.execute(db)
    return applyOneByOne(db, projection, items, parking)
  }
}

async function applyOneByOne(
  db: Db,
  projection: Projection,
  items: readonly Item[],
  parking: Parking,
): Promise<Committed> {
  const all: Committed = {}
  for (const item of items) {
    if ('poison' in item) {
      await park(db, projection.name, item.poison, parking)
      continue
    }
    const { event } = item
    if (parking.streams.has(event.stream)) {
      await park(db, projection.name, poisonOf(event, 'an earlier event is parked'), parking)
      continue
    }
    await sql`savepoint one_event`.execute(db)
    try {
      Object.assign(all, onlyTrue(await projection.apply([event], db)))
    } catch (error) {
      if (isWeather(error)) throw error
      await sql`rollback to savepoint one_event`.execute(db)
      await park(db, projection.name, poisonOf(event, String(error)), parking)
    }
  }
  return all
}

function onlyTrue(committed: Committed): Committed {
  return Object.fromEntries(Object.entries(committed).filter(([, value]) => value === true))
}

function poisonOf(event: ReadEvent, error: string): Poison {
  return { type: event.type, stream: event.stream, position: event.position, error }
}

async function park(db: Db, name: string, poison: Poison, parking: Parking): Promise<void> {
  const { position, stream, type, error } = poison
  await sql`
    insert into shop.parked_events (name, position, stream, type, error)
    values (${name}, ${position}, ${stream}, ${type}, ${error.slice(0, 2_000)})
    on conflict (name, position) do nothing
  `.execute(db)
  parking.streams.add(stream)
  parking.onParked(poison)
}

/**
 * Connection loss, time-outs, deadlocks, shutdown: what passes by itself and is no event's fault.
 * Errors without a SQLSTATE are bugs of the projection, unless the connection is gone.
 */
export function isWeather(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  // What the database says may quote an event: only its code tells what happened.
  if (/^[0-9A-Z]{5}$/.test(code)) return /^(08|40|53|55|57|58|25P0)/.test(code)
  return /^E[A-Z]+$/.test(code) || /connection|terminated|timeout/i.test(error.message)
}
