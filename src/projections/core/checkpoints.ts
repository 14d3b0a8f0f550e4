// Checkpoints and leases: how far a projection is, who runs it, and the fence between two runners.

import { type CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely'
import { type Position, startOfLog } from '../../kit/position.ts'
import { executePrepared } from './pipeline.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** The right to run a projection from a position; a later epoch makes it worthless. */
export interface Lease {
  name: string
  runner: string
  epoch: bigint
  position: Position
}

/** Somebody else runs this projection now, or has moved it. */
export class LeaseLost extends Error {
  constructor(name: string) {
    super(`the lease on ${name} is lost`)
    this.name = 'LeaseLost'
  }
}

/**
 * How long a lease lasts behind the last progress: long enough for a slow batch, and short enough
 * for others, who look every 0.4 s, to take over within five seconds.
 */
export const leaseSeconds = 3.5
/** A transaction that holds leases and whose client has gone silent is ended after so long. */
const silentMs = 3_000

/** Makes sure that the checkpoints of projections exist. */
export async function ensureCheckpoints(db: Db, projections: readonly Named[]): Promise<void> {
  await sql`
    insert into shop.checkpoints (name, version)
    select p.name, p.version from ${versions(projections)}
    on conflict (name) do nothing
  `.execute(db)
}

interface Named {
  name: string
  /** None for reactions. */
  version?: number
}

function versions(projections: readonly Named[]) {
  const rows = projections.map(({ name, version }) => ({ name, version }))
  return sql`json_to_recordset(${json(rows)}) as p(name text, version integer)`
}

/**
 * Takes those leases that are free, expired, or were this runner's before: a process that comes
 * back under its name goes on at once, and its former self is fenced off by the epoch. Those that
 * a transaction holds are left to it: it is a batch that is being written, or the server ends it.
 * Tables of another version are nobody's to write to.
 */
export async function acquire(db: Db, wanted: readonly Named[], runner: string): Promise<Lease[]> {
  const { rows } = await sql<Lease>`
    with free as (
      select c.name
      from shop.checkpoints c
      join ${versions(wanted)} on c.name = p.name and c.version is not distinct from p.version
      where c.runner = ${runner} or c.leased_until is null or c.leased_until < now()
      for update of c skip locked
    )
    update shop.checkpoints c
    set runner = ${runner},
      epoch = epoch + 1,
      leased_until = now() + make_interval(secs => ${leaseSeconds})
    from free
    where c.name = free.name
    returning c.name, c.runner, c.epoch, c.position
  `.execute(db)
  return rows
}

/** Which of these projections have tables of another version. */
export async function outdated(db: Db, projections: readonly Named[]): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.name
    from shop.checkpoints c
    join ${versions(projections)} on c.name = p.name and c.version <> p.version
  `.execute(db)
  return rows.map(({ name }) => name)
}

/**
 * Prolongs leases for progress that was made some seconds ago: nothing else keeps them. Throws
 * LeaseLost, with none of them prolonged.
 */
export async function renew(db: Db, leases: readonly Lease[], secondsAgo: number): Promise<void> {
  const until = sql`clock_timestamp() + make_interval(secs => ${leaseSeconds - secondsAgo})`
  await all(db, leases, sql`leased_until = greatest(leased_until, ${until})`)
}

/** Gives leases back, so that the next runner need not wait. */
export async function release(db: Db, leases: readonly Lease[]): Promise<void> {
  await sql`
    update shop.checkpoints c
    set leased_until = null, runner = null
    from ${held(leases)}
    where c.name = l.name and c.epoch = l.epoch
  `.execute(db)
}

/**
 * Moves checkpoints to a position, if they are where their leases have left them, which prolongs
 * the leases. Throws LeaseLost where one of them is not; inside a transaction, that ends it for all
 * of them.
 */
export async function advance(db: Db, leases: readonly Lease[], position: Position): Promise<void> {
  await all(db, leases, to(position))
}

/** The statement that does so; that it fails because of a lease is told by `isLeaseLost`. */
export function advancing(db: Db, leases: readonly Lease[], position: Position): CompiledQuery {
  return changing(leases, to(position)).compile(db)
}

const to = (position: Position) => sql`position = ${position}, updated_at = now(),
  leased_until = clock_timestamp() + make_interval(secs => ${leaseSeconds})`

/** Changes the rows of leases: all of them, or the statement throws and has changed none. */
async function all(db: Db, leases: readonly Lease[], change: RawBuilder<unknown>): Promise<void> {
  try {
    await executePrepared(db, changing(leases, change))
  } catch (error) {
    throw isLeaseLost(error) ? leaseLost(leases) : error
  }
}

/** Whether a statement that changes the rows of leases did not find them as they are held. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'OS001'
}

/** Somebody else has one of these. */
export function leaseLost(leases: readonly Lease[]): LeaseLost {
  return new LeaseLost(leases.map(({ name }) => name).join(', '))
}

function changing(leases: readonly Lease[], change: RawBuilder<unknown>) {
  // The check is part of the statement, so that it needs no transaction around it.
  return sql`
    with kept as (
      select c.name
      from shop.checkpoints c, ${held(leases)}
      where c.name = l.name and c.epoch = l.epoch and c.position = l.position
      order by c.name
      for update of c
    ), moved as (
      update shop.checkpoints c
      set ${change}
      from kept
      where c.name = kept.name
      returning c.name
    )
    select shop.assert_moved(${leases.length} - (select count(*) from moved)),
      set_config('idle_in_transaction_session_timeout', ${String(silentMs)}, true)
  `
}

function held(leases: readonly Lease[]) {
  const rows = leases.map(({ name, epoch, position }) => ({
    name,
    epoch: String(epoch),
    position: String(position),
  }))
  return sql`json_to_recordset(${json(rows)}) as l(name text, epoch bigint, position bigint)`
}

function json(rows: readonly object[]) {
  return sql`${JSON.stringify(rows)}::json`
}

/** The committed position of a projection, `startOfLog` when it has never run. */
export async function positionOf(db: Db, name: string): Promise<Position> {
  const { rows } = await sql<{ position: Position }>`
    select position from shop.checkpoints where name = ${name}
  `.execute(db)
  return rows[0]?.position ?? startOfLog
}

/** The committed positions of all projections by name. */
export async function positionsOf(db: Db): Promise<ReadonlyMap<string, Position>> {
  const { rows } = await sql<{ name: string; position: Position }>`
    select name, position from shop.checkpoints
  `.execute(db)
  return new Map(rows.map(({ name, position }) => [name, position]))
}
