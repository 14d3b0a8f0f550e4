// Checkpoints and leases: how far a projection is, who runs it, and the fence between two runners.
import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** The right to run a projection from a position; a later epoch makes it worthless. */
export interface Lease {
  name: string
  runner: string
  epoch: bigint
  version: number
  position: bigint
}

/** Somebody else runs this projection now, or has moved it. */
export class LeaseLost extends Error {
  constructor(name: string) {
    super(`the lease on ${name} is lost`)
    this.name = 'LeaseLost'
  }
}

/** Long enough for a slow batch, short enough for a takeover within seconds. */
export const leaseSeconds = 5

/** Makes sure that a checkpoint exists. */
export async function ensureCheckpoint(db: Db, name: string, version: number): Promise<void> {
  await sql`
    insert into shop.checkpoints (name, version)
    values (${name}, ${version})
    on conflict (name) do nothing
  `.execute(db)
}

/**
 * Takes the lease when it is free, expired, or was this runner's before: a process that comes back
 * under its name goes on at once, and its former self is fenced off by the epoch.
 */
export async function acquire(db: Db, name: string, runner: string): Promise<Lease | undefined> {
  const { rows } = await sql<Lease>`
    update shop.checkpoints
    set runner = ${runner},
      epoch = epoch + 1,
      leased_until = now() + make_interval(secs => ${leaseSeconds})
    where name = ${name}
      and (runner = ${runner} or leased_until is null or leased_until < now())
    returning name, runner, epoch, version, position
  `.execute(db)
  return rows[0]
}

/** Prolongs a lease. Throws LeaseLost. */
export async function renew(db: Db, lease: Lease): Promise<void> {
  const { numAffectedRows } = await sql`
    update shop.checkpoints
    set leased_until = now() + make_interval(secs => ${leaseSeconds})
    where name = ${lease.name} and epoch = ${lease.epoch}
  `.execute(db)
  if (numAffectedRows !== 1n) throw new LeaseLost(lease.name)
}

/** Gives a lease back, so that the next runner need not wait. */
export async function release(db: Db, lease: Lease): Promise<void> {
  await sql`
    update shop.checkpoints
    set leased_until = null, runner = null
    where name = ${lease.name} and epoch = ${lease.epoch}
  `.execute(db)
}

/** Moves a checkpoint, if it is where the lease has left it. Throws LeaseLost. */
export async function advance(db: Db, lease: Lease, position: bigint): Promise<void> {
  const { numAffectedRows } = await sql`
    update shop.checkpoints
    set position = ${position}, updated_at = now()
    where name = ${lease.name} and position = ${lease.position} and epoch = ${lease.epoch}
  `.execute(db)
  if (numAffectedRows !== 1n) throw new LeaseLost(lease.name)
}

/** The committed position of a projection, 0n when it has never run. */
export async function positionOf(db: Db, name: string): Promise<bigint> {
  const { rows } = await sql<{ position: bigint }>`
    select position from shop.checkpoints where name = ${name}
  `.execute(db)
  return rows[0]?.position ?? 0n
}
