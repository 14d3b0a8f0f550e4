// Swaps rebuilt tables for the serving ones, and reverts that.

import { type Kysely, sql } from 'kysely'
import { type Position, startOfLog } from '../../kit/position.ts'
import { leaseSeconds } from '../core/checkpoints.ts'
import { applyItems, itemsAfter } from '../core/engine.ts'
import { type Projection, previousOf } from '../core/projection.ts'
import type { Tables } from '../core/tables.ts'
import type { RebuildContext, RebuildMember } from './context.ts'
import { turnOf } from './fill.ts'
import { keepPrevious, lockEpoch, previousTables } from './rebuildStates.ts'
import { blockAutovacuum, hasTables, replaceTables, writeToShadow } from './shadow.ts'

type Db = Kysely<Tables>

/**
 * Catches new tables up with the live ones and swaps them, in one transaction. Returns their
 * position.
 */
export async function swap(db: Db, member: RebuildMember, on: RebuildContext): Promise<Position> {
  const { projection, shadow, parking } = member
  const { name, version } = projection
  return db.transaction().execute(async trx => {
    await lockEpoch(trx, turnOf(member))
    // The runner waits from here on; only a few events are left to apply.
    const live = await lockForSwap(trx, projection)
    const range = { after: member.position, upTo: live.position }
    for await (const batch of on.read([projection], range)) {
      await writeToShadow(trx, shadow)
      await applyItems(trx, projection, itemsAfter(projection, member.position, batch), parking)
      member.position = batch.position
    }
    await replaceTables(trx, projection, { by: shadow, keptIn: previousOf(name) })
    await keepPrevious(trx, name, live)
    await sql`delete from shop.parked_events where name = ${name}`.execute(trx)
    await sql`
      update shop.parked_events set name = ${name} where name = ${parking.name}
    `.execute(trx)
    await moveCheckpoint(trx, { name, version, position: member.position })
    return member.position
  })
}

/**
 * Locks the serving tables against changes until the transaction ends, and returns their position.
 * Autovacuum is blocked first: the runner goes on while we wait for it.
 */
async function lockForSwap(
  db: Db,
  projection: Projection,
): Promise<{ position: Position; version: number }> {
  await blockAutovacuum(db, projection)
  const { rows } = await sql<{ position: Position; version: number }>`
    select position, version from shop.checkpoints where name = ${projection.name} for update
  `.execute(db)
  return rows[0] ?? { position: startOfLog, version: projection.version }
}

/**
 * Sets the checkpoint to the position of the swapped tables; the new epoch restarts the runner.
 */
async function moveCheckpoint(
  db: Db,
  { name, version, position }: { name: string; version: number; position: Position },
): Promise<void> {
  await sql`
    update shop.checkpoints
    set position = ${position},
      version = ${version},
      epoch = epoch + 1,
      leased_until = case
        when runner is null then null
        else now() + make_interval(secs => ${leaseSeconds})
      end,
      updated_at = now()
    where name = ${name}
  `.execute(db)
}

/**
 * Reverts the last rebuild: the previous tables serve again, and the current ones become the
 * previous ones. Undefined if there are none, or none of the `wanted` version. The runner then
 * catches up.
 */
export async function rollBack(
  db: Db,
  projection: Projection,
  wanted?: number,
): Promise<{ version: number; position: Position } | undefined> {
  const { name } = projection
  const previous = previousOf(name)
  return db.transaction().execute(async trx => {
    const live = await lockForSwap(trx, projection)
    const kept = await previousTables(trx, name)
    const isThere = kept !== undefined && (await hasTables(trx, projection, previous))
    if (!isThere || (wanted !== undefined && kept.version !== wanted)) return undefined
    await replaceTables(trx, projection, { by: previous, keptIn: `${previous}_newer` })
    await sql`
      alter schema ${sql.id(`${previous}_newer`)} rename to ${sql.id(previous)}
    `.execute(trx)
    await keepPrevious(trx, name, live)
    await moveCheckpoint(trx, { name, ...kept })
    return kept
  })
}
