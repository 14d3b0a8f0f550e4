// The lines of what was sold, as the read model holds them.
import Type from 'typebox'
import type { Charge, OrderLine } from '../../domain/order/order.ts'
import {
  bigint,
  integer,
  nullable,
  type RowOf,
  type SelectedOf,
  text,
  textOf,
  time,
  uuid,
} from '../core/table.ts'

const Kind = Type.Enum(['sale', 'return', 'refund', 'dispute', 'credit'])

/** Lines of orders and credit notes, and of what went back of an order. */
export const saleLines = {
  name: 'sale_lines',
  columns: {
    /** The order that the line belongs to, or the credit note. */
    document_id: uuid,
    line: integer,
    order_id: nullable(uuid),
    /** What it comes from: the order or credit note itself, a return, a refund or a dispute. */
    source_id: uuid,
    kind: textOf(Kind),
    product_id: nullable(uuid),
    sku: text,
    name: text,
    customer_id: uuid,
    country: nullable(text),
    /** Of the product when it was sold. */
    category_id: nullable(uuid),
    quantity: bigint,
    amount_minor: bigint,
    currency: text,
    sold_at: nullable(time),
  },
} as const
export type SaleRow = RowOf<typeof saleLines>

declare module '../core/tables.ts' {
  interface Tables {
    sale_lines: SelectedOf<typeof saleLines>
  }
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
