// What staff see of disputes, and of what the payment provider told that could not be booked.
import { type Kysely, type Selectable, sql } from 'kysely'
import { disputeStages } from '../../domain/order/orderEvents.ts'
import { newestFirst, type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'
import { type DisputeState, disputeView } from './disputes.ts'
import { ordersOfRows } from './rowOrders.ts'

type Db = Kysely<Tables>

/** A part of the disputes, the newest first: those in a state, or all that are `open`. */
export async function listDisputes(
  db: Db,
  { state, part }: { state: DisputeState | 'open' | undefined; part: PageRequest },
) {
  let query = db.selectFrom('disputes').selectAll()
  if (state === 'open') query = query.where('state', 'in', disputeStages)
  else if (state !== undefined) query = query.where('state', '=', state)
  const sorting = { ...newestFirst, key: sql`opened_at`, id: sql`dispute_id` }
  const { rows, next, total } = await readPage(db, query, sorting, part)
  const numbers = await numbersOf(db, rows)
  const data = rows.map(row => ({ ...disputeView.of(row), ...numbers(row) }))
  return { data, next, total }
}

/** How many disputes and findings somebody has to see to. */
export async function countOpenCases(db: Db) {
  const { rows } = await sql<{ kind: 'dispute' | 'finding'; cases: number }>`
    select 'dispute' as kind, count(*)::integer as cases
    from disputes
    where state in (${sql.join([...disputeStages])})
    union all
    select 'finding', count(*)::integer
    from shop.payment_findings
    where resolved_at is null
  `.execute(db)
  return rows
}

/** The disputes of one order, the oldest first. */
export async function disputesOf(db: Db, orderId: string) {
  const rows = await db
    .selectFrom('disputes')
    .selectAll()
    .where('order_id', '=', orderId)
    .orderBy('opened_at')
    .orderBy('dispute_id')
    .execute()
  return rows.map(row => disputeView.of(row))
}

/** A part of the findings, the newest first. */
export async function listFindings(
  db: Db,
  { state, part }: { state: 'open' | 'resolved' | undefined; part: PageRequest },
) {
  let query = db.selectFrom('shop.payment_findings').selectAll()
  if (state === 'open') query = query.where('resolved_at', 'is', null)
  if (state === 'resolved') query = query.where('resolved_at', 'is not', null)
  const sorting = { ...newestFirst, key: sql`found_at`, id: sql`finding_id` }
  const { rows, next, total } = await readPage(db, query, sorting, part)
  const numbers = await numbersOf(db, rows)
  const data = rows.map(row => ({ ...findingOf(row), ...numbers(row) }))
  return { data, next, total }
}

/** One of them. */
export async function findFinding(db: Db, findingId: string) {
  const rows = await db
    .selectFrom('shop.payment_findings')
    .selectAll()
    .where('finding_id', '=', findingId)
    .execute()
  const numbers = await numbersOf(db, rows)
  return rows.map(row => ({ ...findingOf(row), ...numbers(row) }))[0]
}

function findingOf(row: Selectable<Tables['shop.payment_findings']>) {
  const { amount_minor, currency } = row
  const isAmount = amount_minor !== null && currency !== null
  return {
    id: row.finding_id,
    kind: row.kind,
    problem: row.problem,
    detail: row.detail,
    amount: isAmount ? { amount: Number(amount_minor), currency } : null,
    paymentId: row.payment_id,
    provider: row.provider,
    reference: row.reference,
    foundAt: row.found_at.toISOString(),
    resolvedAt: row.resolved_at?.toISOString() ?? null,
    resolvedBy: row.resolved_by,
  }
}

/** The orders of some rows, with the numbers by which people know them. */
async function numbersOf(db: Db, rows: readonly { order_id: string | null }[]) {
  const orders = await ordersOfRows(db, rows)
  return ({ order_id }: { order_id: string | null }) => ({
    orderId: order_id,
    orderNumber: orders.get(order_id ?? '')?.order_number ?? null,
  })
}
