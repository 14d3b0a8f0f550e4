// Money by document line, from which sales by day, product, customer and country are summed.
import { type Kysely, sql } from 'kysely'
import type { Charge, OrderLine } from '../domain/order.ts'
import { insertNew } from './keyedTable.ts'
import type { Projection, ReadEvent } from './projection.ts'
import type { Tables } from './tables.ts'

interface SaleRow {
  document_id: string
  line: number
  order_id: string | null
  kind: 'sale' | 'return' | 'refund' | 'credit'
  product_id: string | null
  sku: string
  name: string
  customer_id: string
  country: string | null
  quantity: number
  amount_minor: number
  currency: string
  sold_at: string | null
}

const saleLines: { name: string; columns: { [Column in keyof SaleRow]: string } } = {
  name: 'sale_lines',
  columns: {
    document_id: 'uuid',
    line: 'integer',
    order_id: 'uuid',
    kind: 'text',
    product_id: 'uuid',
    sku: 'text',
    name: 'text',
    customer_id: 'uuid',
    country: 'text',
    quantity: 'bigint',
    amount_minor: 'bigint',
    currency: 'text',
    sold_at: 'timestamptz',
  },
}

export const sales: Projection = {
  name: 'sales',
  version: 1,
  tables: ['sale_lines'],
  on: ['OrderSubmitted', 'OrderPaid', 'OrderRefunded', 'ItemsReturned', 'CreditNoteIssued'],
  async apply(events, db) {
    await insertNew(db, saleLines, events.flatMap(ownLines))
    await bookPaid(db, events)
    await bookReturns(db, events)
    return {}
  },
}

function ownLines(event: ReadEvent): SaleRow[] {
  if (event.type === 'OrderSubmitted') {
    const { orderId, customerId, country, lines, charges } = event.data
    const document = { document_id: orderId, order_id: orderId, customer_id: customerId, country }
    const common = { ...document, kind: 'sale' as const, sold_at: null }
    return moneyLines(lines, charges).map(line => ({ ...common, ...line }))
  }
  if (event.type !== 'CreditNoteIssued') return []
  const { creditNoteId, customerId, country, lines } = event.data
  return lines.map(({ productId, sku, name, quantity, total }, index) => ({
    document_id: creditNoteId,
    line: index,
    order_id: null,
    kind: 'credit',
    product_id: productId,
    sku,
    name,
    customer_id: customerId,
    country,
    quantity: -quantity,
    amount_minor: total.amount,
    currency: total.currency,
    sold_at: event.at.toISOString(),
  }))
}

function moneyLines(lines: readonly OrderLine[], charges: readonly Charge[]) {
  const goods = lines.map(({ productId, sku, name, quantity, total }) => ({
    product_id: productId,
    sku,
    name,
    quantity,
    amount_minor: total.amount,
    currency: total.currency,
  }))
  const extras = charges.map(({ code, name, amount }) => ({
    product_id: null,
    sku: code,
    name,
    quantity: 1,
    amount_minor: amount.amount,
    currency: amount.currency,
  }))
  return [...goods, ...extras].map((row, line) => ({ ...row, line }))
}

/** A sale counts from the moment it is paid. */
async function bookPaid(db: Kysely<Tables>, events: readonly ReadEvent[]) {
  const paid = events.filter(event => event.type === 'OrderPaid')
  if (paid.length === 0) return
  await sql`
    update sale_lines s
    set sold_at = p.sold_at
    from unnest(
      ${paid.map(event => event.data.orderId)}::uuid[],
      ${paid.map(event => event.at.toISOString())}::timestamptz[]
    ) as p(order_id, sold_at)
    where s.document_id = p.order_id
  `.execute(db)
}

/** What goes back is booked against the customer and country of its order. */
async function bookReturns(db: Kysely<Tables>, events: readonly ReadEvent[]) {
  const rows = events.flatMap(returnLines)
  if (rows.length === 0) return
  const orderIds = [...new Set(rows.map(row => row.order_id))]
  const { rows: owners } = await sql<{ order_id: string; customer_id: string; country: string }>`
    select distinct on (document_id) document_id as order_id, customer_id, country
    from sale_lines
    where document_id = any(${orderIds}::uuid[])
  `.execute(db)
  const byOrder = new Map(owners.map(owner => [owner.order_id, owner]))
  const booked = rows.flatMap(row => {
    const owner = byOrder.get(row.order_id)
    if (owner === undefined) return []
    return [{ ...row, customer_id: owner.customer_id, country: owner.country }]
  })
  await insertNew(db, saleLines, booked)
}

type ReturnRow = Omit<SaleRow, 'customer_id' | 'country'> & { order_id: string }

function returnLines(event: ReadEvent): ReturnRow[] {
  const sold_at = event.at.toISOString()
  if (event.type === 'ItemsReturned') {
    const { orderId, returnId, lines, charges } = event.data
    return moneyLines(lines, charges).map(line => ({
      ...line,
      document_id: returnId,
      order_id: orderId,
      kind: 'return',
      quantity: -line.quantity,
      amount_minor: -line.amount_minor,
      sold_at,
    }))
  }
  if (event.type !== 'OrderRefunded') return []
  const { orderId, refundId, amount, reason } = event.data
  const row: ReturnRow = {
    document_id: refundId,
    line: 0,
    order_id: orderId,
    kind: 'refund',
    product_id: null,
    sku: 'REFUND',
    name: reason,
    quantity: 0,
    amount_minor: -amount.amount,
    currency: amount.currency,
    sold_at,
  }
  return [row]
}
