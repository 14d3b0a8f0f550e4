// Money by document line, from which sales by day, product, category and country are summed.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Charge, OrderLine } from '../domain/order.ts'
import { execute, insertNew, insertOf, type KeyedTable, upsertOf } from './keyedTable.ts'
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
  /** Of the product when it was sold. */
  category_id: string | null
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
    category_id: 'uuid',
    quantity: 'bigint',
    amount_minor: 'bigint',
    currency: 'text',
    sold_at: 'timestamptz',
  },
}

export const sales: Projection = {
  name: 'sales',
  version: 2,
  tables: ['sale_lines', 'sale_categories'],
  on: [
    'OrderSubmitted',
    'OrderPaid',
    'OrderRefunded',
    'ItemsReturned',
    'CreditNoteIssued',
    'ProductCreated',
    'ProductDetailsChanged',
  ],
  async apply(events, db) {
    await execute(db, await salesOf(db, events))
    await bookReturns(db, events)
    return {}
  },
  async plan(events, db) {
    // What goes back looks up what was sold, perhaps in the same batch.
    if (events.some(event => returnLines(event).length > 0)) return undefined
    return { writes: await salesOf(db, events), committed: () => ({}) }
  },
}

async function salesOf(db: Kysely<Tables>, events: readonly ReadEvent[]): Promise<CompiledQuery[]> {
  const paid = paidIn(events)
  const { lines, categories } = await soldLines(db, events, paid)
  const changed = upsertOf(saleCategories, categories)
  for (const { document_id } of lines) paid.delete(document_id)
  return [...changed, ...insertOf(saleLines, lines), ...settling(db, paid)]
}

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
    sold_at: event.at,
  }))
}

function moneyLines(lines: readonly OrderLine[], charges: readonly Charge[]) {
  const goods = lines.map(({ productId, sku, name, quantity, total }, index) => ({
    line: index,
    product_id: productId,
    sku,
    name,
    quantity,
    amount_minor: total.amount,
    currency: total.currency,
  }))
  const extras = charges.map(({ code, name, amount }, index) => ({
    line: lines.length + index,
    product_id: null,
    sku: code,
    name,
    quantity: 1,
    amount_minor: amount.amount,
    currency: amount.currency,
  }))
  return [...goods, ...extras]
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

/** What goes back is booked against the customer, country and category that it was sold under. */
async function bookReturns(db: Kysely<Tables>, events: readonly ReadEvent[]) {
  const rows = events.flatMap(returnLines)
  if (rows.length === 0) return
  const orderIds = [...new Set(rows.map(row => row.order_id))]
  const { rows: lines } = await sql<SoldLine>`
    select document_id as order_id, product_id, customer_id, country, category_id
    from sale_lines
    where document_id = any(${orderIds}::uuid[])
  `.execute(db)
  const byOrder = new Map(lines.map(line => [line.order_id, line]))
  const byProduct = new Map(lines.map(line => [`${line.order_id} ${line.product_id}`, line]))
  const booked = rows.flatMap(row => {
    const owner = byOrder.get(row.order_id)
    if (owner === undefined) return []
    const sold =
      row.product_id === null ? undefined : byProduct.get(`${row.order_id} ${row.product_id}`)
    const { customer_id, country } = owner
    return [{ ...row, customer_id, country, category_id: sold?.category_id ?? null }]
  })
  await insertNew(db, saleLines, booked)
}

type SoldLine = Pick<SaleRow, 'product_id' | 'customer_id' | 'country' | 'category_id'> & {
  order_id: string
}
type ReturnRow = Omit<UnsortedRow, 'customer_id' | 'country'> & { order_id: string }

function returnLines(event: ReadEvent): ReturnRow[] {
  const sold_at = event.at
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
