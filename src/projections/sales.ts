// Money by line of an order, and what went back beside what it was sold as: from these the sales by
// day, product, category, country and customer are summed.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { insertOf, type KeyedTable, upsertOf } from './keyedTable.ts'
import { planned, type ReadEvent } from './projection.ts'
import { moneyLines, type SaleRow, saleLines } from './saleLines.ts'
import { correct } from './salesReturns.ts'
import type { Tables } from './tables.ts'

export const sales = planned({
  name: 'sales',
  version: 3,
  tables: ['sale_lines', 'sale_categories'],
  on: [
    'OrderSubmitted',
    'OrderPaid',
    'OrderCancelled',
    'OrderRefunded',
    'ItemsReturned',
    'CreditNoteIssued',
    'ProductCreated',
    'ProductDetailsChanged',
  ],
  async plan(events, db) {
    const paid = paidIn(events)
    const { lines, categories } = await soldLines(db, events, paid)
    for (const { document_id } of lines) paid.delete(document_id)
    const corrections = await correct(db, events, { lines, paid })
    const writes = [
      ...upsertOf(saleCategories, categories),
      ...insertOf(saleLines, [...lines, ...corrections.returned]),
      ...settling(db, paid),
      ...callingOff(db, corrections.calledOff),
    ]
    return { writes, committed: () => ({}) }
  },
})

interface CategoryRow {
  product_id: string
  category_id: string | null
}

const saleCategories: KeyedTable<CategoryRow> = {
  name: 'sale_categories',
  key: 'product_id',
  columns: { product_id: 'uuid', category_id: 'uuid' },
}

/**
 * What is sold in a batch, under the category that a product has at that place of the log. Most is
 * paid at once: such lines are written as they are in the end.
 */
async function soldLines(
  db: Kysely<Tables>,
  events: readonly ReadEvent[],
  paid: ReadonlyMap<string, string>,
) {
  const sold = events.map(event => ({ event, lines: ownLines(event) }))
  const productIds = sold.flatMap(({ lines }) => lines.flatMap(line => line.product_id ?? []))
  const categories = await categoriesOf(db, [...new Set(productIds)])
  const changed = new Map<string, CategoryRow>()
  const lines: SaleRow[] = []
  for (const { event, lines: own } of sold) {
    if (event.type === 'ProductCreated' || event.type === 'ProductDetailsChanged') {
      const { productId, categoryId } = event.data
      categories.set(productId, categoryId)
      changed.set(productId, { product_id: productId, category_id: categoryId })
    }
    for (const line of own) {
      const category_id = categories.get(line.product_id ?? '') ?? null
      const sold_at = paid.get(line.document_id) ?? line.sold_at
      lines.push({ ...line, category_id, sold_at })
    }
  }
  return { lines, categories: [...changed.values()] }
}

async function categoriesOf(db: Kysely<Tables>, productIds: string[]) {
  if (productIds.length === 0) return new Map<string, string | null>()
  const { rows } = await sql<CategoryRow>`
    select product_id, category_id
    from sale_categories
    where product_id = any(${productIds}::uuid[])
  `.execute(db)
  return new Map(rows.map(row => [row.product_id, row.category_id]))
}

type UnsortedRow = Omit<SaleRow, 'category_id'>

function ownLines(event: ReadEvent): UnsortedRow[] {
  if (event.type === 'OrderSubmitted') {
    const { orderId, customerId, country, lines, charges } = event.data
    const ids = { document_id: orderId, order_id: orderId, source_id: orderId }
    const document = { ...ids, customer_id: customerId, country }
    const common = { ...document, kind: 'sale' as const, sold_at: null }
    return moneyLines(lines, charges).map(line => ({ ...common, ...line }))
  }
  if (event.type !== 'CreditNoteIssued') return []
  const { creditNoteId, customerId, country, lines } = event.data
  return lines.map(({ productId, sku, name, quantity, total }, index) => ({
    document_id: creditNoteId,
    line: index,
    order_id: null,
    source_id: creditNoteId,
    kind: 'credit',
    product_id: productId,
    sku,
    name,
    customer_id: customerId,
    country,
    quantity: -quantity,
    amount_minor: total.amount,
    currency: total.currency,
    sold_at: event.at,
  }))
}

/** When orders were paid: a sale counts from that moment. */
function paidIn(events: readonly ReadEvent[]): Map<string, string> {
  const paid = events.filter(event => event.type === 'OrderPaid')
  return new Map(paid.map(({ data, at }) => [data.orderId, at]))
}

function settling(db: Kysely<Tables>, paid: ReadonlyMap<string, string>): CompiledQuery[] {
  if (paid.size === 0) return []
  const update = sql`
    update sale_lines s
    set sold_at = p.sold_at
    from unnest(${[...paid.keys()]}::uuid[], ${[...paid.values()]}::timestamptz[])
      as p(order_id, sold_at)
    where s.document_id = p.order_id
  `
  return [update.compile(db)]
}

/** Takes the lines of cancelled orders out of the sales, and what was returned of them. */
function callingOff(db: Kysely<Tables>, orderIds: readonly string[]): CompiledQuery[] {
  if (orderIds.length === 0) return []
  const update = sql`
    update sale_lines
    set sold_at = null
    where document_id = any(${orderIds}::uuid[])
  `
  return [update.compile(db)]
}
