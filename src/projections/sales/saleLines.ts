// The lines of what was sold, as the read model keeps them.
import type { Charge, OrderLine } from '../../domain/order/order.ts'

/** A line of an order or a credit note, or what went back of one. */
export interface SaleRow {
  /** The order that the line belongs to, or the credit note. */
  document_id: string
  line: number
  order_id: string | null
  /** What it comes from: the order or credit note itself, a return, a refund or a dispute. */
  source_id: string
  kind: 'sale' | 'return' | 'refund' | 'dispute' | 'credit'
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

/** The table of all of them. */
export const saleLines: { name: string; columns: { [Column in keyof SaleRow]: string } } = {
  name: 'sale_lines',
  columns: {
    document_id: 'uuid',
    line: 'integer',
    order_id: 'uuid',
    source_id: 'uuid',
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

/** Goods and charges as lines, in their order. */
export function moneyLines(lines: readonly OrderLine[], charges: readonly Charge[]) {
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
