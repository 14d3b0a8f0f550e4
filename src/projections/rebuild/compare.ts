// Compares tables that are being rebuilt with those that serve.

import { type Kysely, sql } from 'kysely'
import { type Position, startOfLog } from '../../kit/position.ts'
import { positionOf } from '../core/checkpoints.ts'
import type { Tables } from '../core/tables.ts'
import type { RebuildContext, RebuildMember } from './context.ts'
import { fill } from './fill.ts'
import { differingTables, keepHashes, type TableDifferences } from './rowDifferences.ts'
import { digestOf } from './shadow.ts'

type Db = Kysely<Tables>

/** A last step over so few events holds up nobody. */
export const nearEnough = 2_000

/** Runs `work` in a transaction whose statements may take and wait as long as whole tables do. */
export function withoutTimeout<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.transaction().execute(async trx => {
    await sql`set local statement_timeout = 0; set local lock_timeout = 0`.execute(trx)
    return work(trx)
  })
}

/** What the live tables are like at the beginning. */
export interface Live {
  /** Where those are that the new ones can be compared with. */
  positions: ReadonlyMap<string, Position>
  /** Their digests, by projection. */
  digests: Promise<ReadonlyMap<string, string>>
}

/**
 * Sums the live tables up in a snapshot, so that they go on meanwhile, and while the new ones are
 * filled up to where they are: that leaves a processor free. Left out are those where a comparison
 * would say nothing.
 */
export async function lookAtLive(
  db: Db,
  members: readonly RebuildMember[],
  { target, on }: { target: Position; on: RebuildContext },
): Promise<Live> {
  const trx = await db.startTransaction().setIsolationLevel('repeatable read').execute()
  const end = () => trx.rollback().execute()
  try {
    // One process: filling needs the other processors.
    await sql`
      set local statement_timeout = 0;
      set local max_parallel_workers_per_gather = 0
    `.execute(trx)
    const positions = await nearby(await comparable(trx, members), { members, target, on })
    const alike = members.filter(({ projection }) => positions.has(projection.name))
    const digests = digestsOf(trx, alike).finally(end)
    // It is awaited in its turn; a failure meanwhile must not count as unhandled.
    digests.catch(() => undefined)
    return { positions, digests }
  } catch (error) {
    await end().catch(() => undefined)
    throw error
  }
}

/** Tables of the same version that have begun, and of which nothing is missing. */
async function comparable(
  db: Db,
  members: readonly RebuildMember[],
): Promise<Map<string, Position>> {
  const { rows } = await sql<{ name: string; position: Position; version: number; parked: bigint }>`
    select name, position, version,
      (select count(*) from shop.parked_events p where p.name = c.name) as parked
    from shop.checkpoints c
    where name = any(${members.map(({ projection }) => projection.name)}::text[])
  `.execute(db)
  const byName = new Map(members.map(member => [member.projection.name, member]))
  const alike = rows.filter(({ name, position, version, parked }) => {
    const member = byName.get(name)
    const isAlike = member?.projection.version === version && position >= member.position
    return position > startOfLog && isAlike && parked === 0n
  })
  return new Map(alike.map(({ name, position }) => [name, position]))
}

/** Those of the positions that few events are behind: read, since a difference does not tell. */
async function nearby(
  positions: ReadonlyMap<string, Position>,
  {
    members,
    target,
    on,
  }: { members: readonly RebuildMember[]; target: Position; on: RebuildContext },
): Promise<Map<string, Position>> {
  const near = new Map<string, Position>()
  for (const { projection } of members) {
    const position = positions.get(projection.name)
    if (position === undefined) continue
    if (position >= target) {
      near.set(projection.name, position)
      continue
    }
    let events = 0
    for await (const { items } of on.read([projection], { after: position, upTo: target })) {
      events += items.length
      if (events > nearEnough) break
    }
    if (events <= nearEnough) near.set(projection.name, position)
  }
  return near
}

async function digestsOf(db: Db, members: readonly RebuildMember[]): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  for (const { projection } of members) {
    digests.set(projection.name, await digestOf(db, projection, 'readmodel'))
  }
  return digests
}

/** Whether new tables are equal to the live ones at the position up to which they were filled. */
export async function compare(
  db: Db,
  { projection, shadow }: RebuildMember,
  { positions, digests }: Live,
): Promise<boolean | undefined> {
  if (!positions.has(projection.name)) return undefined
  const digest = await withoutTimeout(db, trx => digestOf(trx, projection, shadow))
  return (await digests).get(projection.name) === digest
}

/**
 * Names the rows in which the live tables differ from new ones that are filled as far or less far:
 * what is live now is kept in one moment, and the new ones follow up to there.
 */
export async function findDifferences(
  db: Db,
  member: RebuildMember,
  on: RebuildContext,
): Promise<TableDifferences[]> {
  const { projection, shadow } = member
  const upTo = await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      await sql`set local statement_timeout = 0; set local lock_timeout = 0`.execute(trx)
      await keepHashes(trx, projection.tables, shadow)
      return positionOf(trx, projection.name)
    })
  await fill(db, [{ member, upTo }], on)
  return withoutTimeout(db, trx => differingTables(trx, projection.tables, shadow))
}
