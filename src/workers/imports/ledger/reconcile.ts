// The proof of an import: revenue by day, customer and code in the read models against the file.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../../../projections/core/tables.ts'
import type { LedgerPlan } from './ledgerPlan.ts'
import type { LedgerRow } from './readLedger.ts'
import type { RowCounts } from './rowOutcomes.ts'

const dimensions = ['day', 'customer', 'code'] as const
export type Dimension = (typeof dimensions)[number]
/** Minor units by group; customers by their number, the walk-in customer by the empty one. */
export type Totals = Record<Dimension, Map<string, number>>

export interface Difference {
  group: string
  file: number
  projections: number
}

export interface Comparison {
  dimension: Dimension
  groups: number
  file: number
  projections: number
  differences: Difference[]
}

export interface Reconciliation {
  comparisons: Comparison[]
  /** Money of rows that were refused, in minor units. */
  refusedMinor: number
}

/** Compares the file with the read models, which have to be as far as the log. */
export async function reconcile(
  db: Kysely<Tables>,
  on: { rows: readonly LedgerRow[]; plan: LedgerPlan; counts: RowCounts },
): Promise<Reconciliation> {
  const { rows, plan, counts } = on
  const imported = rows.filter(({ row }) => !counts.refusedRows.has(row))
  const refused = rows.filter(({ row }) => counts.refusedRows.has(row))
  const file = totalsOfFile(imported)
  const projections = await totalsOfProjections(db, plan, counts)
  return {
    comparisons: dimensions.map(dimension => compare(dimension, file, projections)),
    refusedMinor: sumOf(totalsOfFile(refused).code),
  }
}

/**
 * Quantity times price, summed straight from the rows. On purpose it shares no code with the
 * import: a fault in one of them must not hide in the other.
 */
export function totalsOfFile(rows: readonly LedgerRow[]): Totals {
  const totals: Totals = { day: new Map(), customer: new Map(), code: new Map() }
  for (const { quantity, price, date, customer, code } of rows) {
    const tenThousandths = Math.round(Number(price) * 10_000) * Number(quantity)
    if (!Number.isFinite(tenThousandths)) continue
    const pennies = Math.sign(tenThousandths) * Math.round(Math.abs(tenThousandths) / 100)
    add(totals.day, date.trim().slice(0, 10), pennies)
    add(totals.customer, customer.trim().replace(/\.0+$/, ''), pennies)
    add(totals.code, code.trim(), pennies)
  }
  return totals
}

function add(totals: Map<string, number>, group: string, pennies: number): void {
  totals.set(group, (totals.get(group) ?? 0) + pennies)
}

function sumOf(totals: ReadonlyMap<string, number>): number {
  return [...totals.values()].reduce((sum, pennies) => sum + pennies, 0)
}

const groupings: Record<Dimension, RawBuilder<string>> = {
  day: sql`to_char(sold_at at time zone 'UTC', 'YYYY-MM-DD')`,
  customer: sql`customer_id::text`,
  code: sql`sku`,
}

/** The shop may have sold more than this ledger: only documents of the file are summed. */
function totalsOfProjections(
  db: Kysely<Tables>,
  plan: LedgerPlan,
  { documents }: RowCounts,
): Promise<Totals> {
  const ids = documents.flatMap(({ orders, returns, credits }) => [
    ...orders.map(each => each.orderId),
    ...returns.map(each => each.returnId),
    ...credits.map(each => each.creditNoteId),
  ])
  return db.transaction().execute(async trx => {
    // Sums over hundreds of thousands of lines may take longer than a request ever may.
    await sql`set local statement_timeout = '60s'`.execute(trx)
    const customers = await sumBy(trx, 'customer', ids)
    const byNumber = [...customers].map(([id, amount]): [string, number] => [
      plan.customers.get(id)?.number ?? id,
      amount,
    ])
    return {
      day: await sumBy(trx, 'day', ids),
      customer: new Map(byNumber),
      code: await sumBy(trx, 'code', ids),
    }
  })
}

async function sumBy(
  db: Kysely<Tables>,
  dimension: Dimension,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await sql<{ group: string; amount: bigint }>`
    select ${groupings[dimension]} as "group", sum(amount_minor)::bigint as amount
    from sale_lines
    where sold_at is not null
      and source_id = any(${ids}::uuid[])
    group by 1
  `.execute(db)
  return new Map(rows.map(({ group, amount }): [string, number] => [group, Number(amount)]))
}

function compare(dimension: Dimension, file: Totals, projections: Totals): Comparison {
  const actual = projections[dimension]
  const theirs = file[dimension]
  const groups = [...new Set([...theirs.keys(), ...actual.keys()])].sort()
  const differences = groups
    .map(group => ({
      group,
      file: theirs.get(group) ?? 0,
      projections: actual.get(group) ?? 0,
    }))
    .filter(each => each.file !== each.projections)
  return {
    dimension,
    groups: groups.length,
    file: sumOf(theirs),
    projections: sumOf(actual),
    differences,
  }
}
