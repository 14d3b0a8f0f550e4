// Checks each projection against one built anew from the log, table by table.

import { type Kysely, sql } from 'kysely'
import { type Position, startOfLog } from '../../kit/position.ts'
import { positionOf } from '../../projections/core/checkpoints.ts'
import type { Batch } from '../../projections/core/engine.ts'
import { concerns, type Item, isReadable, placeOf, workOf } from '../../projections/core/items.ts'
import { applyPlan } from '../../projections/core/plan.ts'
import type { Projection } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import {
  amountOf,
  differingTables,
  keepHashes,
  linesOf,
} from '../../projections/rebuild/rowDifferences.ts'
import {
  createShadow,
  dropSchema,
  summarizeTable,
  writeToShadow,
} from '../../projections/rebuild/shadow.ts'
import type { CheckResult } from './logCheck.ts'

type Db = Kysely<Tables>

export interface ProjectionCheckDeps {
  db: Db
  /** The end of the store, which may hold events of other applications. */
  end(): Promise<Position>
  /** Reads the events of a projection after a position. */
  read(projection: Projection, after: Position): AsyncIterable<Batch>
}

interface Summary {
  rows: number
  digest: string
}

/** Rows and digest of each table, as of the checkpoint that was read in the same snapshot. */
export interface Snapshot {
  position: Position
  parked: number
  tables: Map<string, Summary>
}

/**
 * Compares the tables of a projection with shadow tables that are filled up to the same position.
 * The projection may run on meanwhile. Throws when an event cannot be applied.
 */
export async function checkProjection(
  { db, end, read }: ProjectionCheckDeps,
  projection: Projection,
): Promise<CheckResult> {
  const live = await snapshot(db, projection, 'readmodel')
  const newest = await end()
  const check = `projection ${projection.name} equals a fresh one`
  const findings: string[] = []
  if (live.position > newest) findings.push(`its checkpoint ${live.position} is beyond the log`)
  if (live.parked > 0) findings.push(`${live.parked} events are parked`)
  const examined = [...live.tables.values()].reduce((sum, { rows }) => sum + rows, 0)
  if (findings.length > 0) return { check, examined, findings, count: findings.length }
  const shadow = `audit_${projection.name.toLowerCase()}`
  await createShadow(db, projection, shadow)
  try {
    await fill(db, projection, { shadow, upTo: live.position, read })
    const fresh = await snapshot(db, projection, shadow)
    const tables = differences(live, fresh)
    if (tables.length === 0) return { check, examined, findings: [], count: 0 }
    const rows = await nameRows(db, projection, { shadow, after: live.position, tables, read })
    return { check, examined, findings: rows.findings, count: rows.count }
  } catch (error) {
    if (!(error instanceof UnreadableEvent)) throw error
    // The other checks continue.
    return { check, examined, findings: [`cannot be built anew: ${error.message}`], count: 1 }
  } finally {
    await dropSchema(db, shadow)
  }
}

/** What the tables of a projection hold in this schema, all at one moment. */
export async function snapshot(db: Db, projection: Projection, schema: string): Promise<Snapshot> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      await sql`set local statement_timeout = 0`.execute(trx)
      const { rows } = await sql<{ position: Position; parked: bigint }>`
        select position,
          (select count(*) from shop.parked_events p where p.name = c.name) as parked
        from shop.checkpoints c
        where name = ${projection.name}
      `.execute(trx)
      const tables = new Map<string, Summary>()
      for (const table of projection.tables) {
        tables.set(table, await summarizeTable(trx, schema, table))
      }
      const { position = startOfLog, parked = 0n } = rows[0] ?? {}
      return { position, parked: Number(parked), tables }
    })
}

interface Difference {
  table: string
  amount: string
}

/**
 * Says which rows differ in tables that do. The projection may have gone on since: what it holds
 * now is kept in one moment, the fresh tables follow up to there, and both are compared again.
 */
async function nameRows(
  db: Db,
  projection: Projection,
  on: Shadow & { after: Position; tables: readonly Difference[] },
) {
  const names = on.tables.map(({ table }) => table)
  const upTo = await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      await sql`set local statement_timeout = 0`.execute(trx)
      await keepHashes(trx, names, on.shadow)
      return positionOf(trx, projection.name)
    })
  await fill(db, projection, { ...on, upTo })
  const differing = await db.transaction().execute(async trx => {
    await sql`set local statement_timeout = 0`.execute(trx)
    return differingTables(trx, names, on.shadow)
  })
  const byTable = new Map(differing.map(each => [each.table, each]))
  const all: { findings: string[]; count: number } = { findings: [], count: 0 }
  for (const { table, amount } of on.tables) {
    const { extra, missing, different, first } = byTable.get(table) ?? noDifference
    const rows = { table, extra, missing, different, first }
    all.findings.push(`${table} differs: ${amount}; ${amountOf(rows)}`, ...linesOf(rows))
    all.count += 1 + extra + missing + different
  }
  return all
}

/** It has been mended meanwhile. */
const noDifference = { extra: 0, missing: 0, different: 0, first: [] }

interface Shadow {
  shadow: string
  read: ProjectionCheckDeps['read']
}

async function fill(
  db: Db,
  projection: Projection,
  on: Shadow & { upTo: Position; after?: Position },
): Promise<void> {
  const after = on.after ?? startOfLog
  if (after >= on.upTo) return
  for await (const batch of on.read(projection, after)) {
    const items = batch.items.filter(
      item => placeOf(item).position <= on.upTo && concerns(projection, item),
    )
    for (const item of items) assertReadable(projection, item)
    const work = workOf(projection, items)
    await db.transaction().execute(async trx => {
      await writeToShadow(trx, on.shadow)
      if (work.count > 0) await applyPlan(await work.plan(trx), trx)
    })
    if (batch.position >= on.upTo) return
  }
}

/** An event of the log that cannot be decoded: a finding, not the end of the audit. */
class UnreadableEvent extends Error {}

function assertReadable(projection: Projection, item: Item): void {
  if ('event' in item || isReadable(projection, item)) return
  throw new UnreadableEvent(`${item.poison.type} at ${item.poison.position}: ${item.poison.error}`)
}

function differences(live: Snapshot, fresh: Snapshot): Difference[] {
  return [...live.tables].flatMap(([table, { rows, digest }]) => {
    const other = fresh.tables.get(table)
    if (other?.digest === digest && other.rows === rows) return []
    const amount = rows === other?.rows ? 'as many rows' : `${rows} rows instead of ${other?.rows}`
    return [{ table, amount }]
  })
}
