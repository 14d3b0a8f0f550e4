// Orders and credit notes as their lines, and what each event makes of them.

import { type Kysely, sql } from 'kysely'
import type { EventOf, EventType, ReadEvent } from '../core/events.ts'
import { executePrepared } from '../core/pipeline.ts'
import type { Tables } from '../core/tables.ts'
import { moneyLines, type SaleRow } from './saleLines.ts'
import { withReturn } from './salesReturns.ts'

/** The lines that there are of documents, in their order. */
export async function linesOf(
  db: Kysely<Tables>,
  documentIds: readonly string[],
): Promise<Map<string, readonly SaleRow[]>> {
  if (documentIds.length === 0) return new Map()
  const { rows } = await executePrepared(
    db,
    sql<{ row: SaleRow }>`
    select to_json(s) as row
    from sale_lines s
    where document_id = any(${documentIds}::uuid[])
    order by document_id, line
  `,
  )
  return Map.groupBy(
    rows.map(({ row }) => row),
    row => row.document_id,
  )
}

type DocumentType =
  | 'OrderSubmitted'
  | 'OrderPaid'
  | 'OrderCancelled'
  | 'OrderRefunded'
  | 'RefundReversed'
  | 'DisputeClosed'
  | 'ItemsReturned'
  | 'CreditNoteIssued'

type Handler<Type extends EventType> = {
  change(
    lines: readonly SaleRow[],
    event: EventOf<Type>,
    categoryOf: (productId: string | null) => string | null,
  ): readonly SaleRow[]
}['change']

/** What each event makes of the lines of a document. */
export const saleHandlers: { [Type in DocumentType]: Handler<Type> } = {
  OrderSubmitted: (lines, event, categoryOf) => begun(lines, orderLines(event), categoryOf),
  CreditNoteIssued: (lines, event, categoryOf) => begun(lines, creditLines(event), categoryOf),
  // A sale counts from the moment at which it is paid.
  OrderPaid: (lines, { at }) => soldAt(lines, at, ({ kind }) => kind === 'sale'),
  // What is cancelled was not sold.
  OrderCancelled: lines => soldAt(lines, null, () => true),
  OrderRefunded: withReturn,
  RefundReversed: withReturn,
  DisputeClosed: withReturn,
  ItemsReturned: withReturn,
}

const handlers: Readonly<Record<string, Handler<EventType>>> = saleHandlers

/** The order or credit note that an event is about. */
export function documentOf({ type, data }: ReadEvent): string | undefined {
  if (handlers[type] === undefined) return undefined
  if ('creditNoteId' in data) return data.creditNoteId
  return 'orderId' in data ? (data.orderId ?? undefined) : undefined
}

/**
 * The lines of a document after an event, those that were there first and in their order: the same
 * as before where nothing has changed.
 */
export const evolve: Handler<EventType> = (lines, event, categoryOf) =>
  handlers[event.type]?.(lines, event, categoryOf) ?? lines

/** Also when an event comes again. */
function begun(
  lines: readonly SaleRow[],
  own: readonly UnsortedRow[],
  categoryOf: (productId: string | null) => string | null,
): readonly SaleRow[] {
  if (lines.length > 0) return lines
  return own.map(line => ({ ...line, category_id: categoryOf(line.product_id) }))
}

function soldAt(
  lines: readonly SaleRow[],
  sold_at: string | null,
  isMeant: (line: SaleRow) => boolean,
): readonly SaleRow[] {
  return lines.map(line => (isMeant(line) ? { ...line, sold_at } : line))
}

type UnsortedRow = Omit<SaleRow, 'category_id'>

function orderLines(event: EventOf<'OrderSubmitted'>): UnsortedRow[] {
  const { orderId, customerId, country, lines, charges } = event.data
  const ids = { document_id: orderId, order_id: orderId, source_id: orderId }
  const document = { ...ids, customer_id: customerId, country }
  const common = { ...document, kind: 'sale' as const, sold_at: null }
  return moneyLines(lines, charges).map(line => ({ ...common, ...line }))
}

function creditLines(event: EventOf<'CreditNoteIssued'>): UnsortedRow[] {
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
