// Parked events that an older release could not read: once this one can, they are caught up with.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { advance } from './checkpoints.ts'
import type { ActiveProjection } from './engine.ts'
import type { Item } from './items.ts'
import { applyParked, positionsOf } from './parking.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export interface Awaiting {
  /** Whether this release reads a `Type@version`. */
  knows(name: string): boolean
  /** The events of a stream at some positions, decoded. */
  read(stream: string, positions: readonly Position[]): Promise<readonly Item[]>
}

/** The streams whose first parked event can be read by now. */
export async function readableByNow(
  db: Db,
  name: string,
  { knows }: Pick<Awaiting, 'knows'>,
): Promise<string[]> {
  const { rows } = await sql<{ stream: string; awaits: string | null }>`
    select distinct on (stream) stream, awaits
    from shop.parked_events
    where name = ${name}
    order by stream, position
  `.execute(db)
  return rows.filter(({ awaits }) => awaits !== null && knows(awaits)).map(({ stream }) => stream)
}

/**
 * Applies what is parked of a stream, under the lease of its follower, up to the first event that
 * cannot be applied. That one waits for somebody to look at it from then on, unless it is of a
 * still newer release. Throws LeaseLost, or what the database throws.
 */
export async function catchUp(
  db: Db,
  { projection, lease, parking }: ActiveProjection,
  { stream, read }: { stream: string } & Pick<Awaiting, 'read'>,
): Promise<void> {
  const { name } = projection
  const isOver = await db.transaction().execute(async trx => {
    // The fence: nobody else applies anything for this follower meanwhile.
    await advance(trx, [lease], lease.position)
    const items = await read(stream, await positionsOf(trx, name, stream))
    const decided = await applyParked(trx, projection, items)
    return decided.outcome === 'applied' && decided.left === 0
  })
  if (isOver) parking.streams.delete(stream)
}
