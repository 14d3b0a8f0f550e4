// Orders and credit notes as their lines, and what each event makes of them.
import { type Kysely, sql } from 'kysely'
import type { ReadEvent } from '../core/projection.ts'
import type { Tables } from '../core/tables.ts'
import { moneyLines, type SaleRow } from './saleLines.ts'
import { withReturn } from './salesReturns.ts'

/** The order or credit note that an event is about. */
export function documentOf(event: ReadEvent): string | undefined {
  switch (event.type) {
    case 'OrderSubmitted':
    case 'OrderPaid':
    case 'OrderCancelled':
    case 'OrderRefunded':
    case 'RefundReversed':
    case 'DisputeClosed':
    case 'ItemsReturned':
      return event.data.orderId
    case 'CreditNoteIssued':
      return event.data.creditNoteId
    default:
      return undefined
  }
}

/** The lines that there are of documents, in their order. */
export async function linesOf(
  db: Kysely<Tables>,
  documentIds: readonly string[],
): Promise<Map<string, readonly SaleRow[]>> {
  if (documentIds.length === 0) return new Map()
  const { rows } = await sql<{ row: SaleRow }>`
    select /* planned once */ to_json(s) as row
    from sale_lines s
    where document_id = any(${documentIds}::uuid[])
    order by document_id, line
  `.execute(db)
  return Map.groupBy(
    rows.map(({ row }) => row),
    row => row.document_id,
  )
}

/**
 * The lines of a document after an event, those that were there first and in their order: the same
 * as before where nothing has changed, also when an event comes again.
 */
export function evolve(
  lines: readonly SaleRow[],
  event: ReadEvent,
  categoryOf: (productId: string | null) => string | null,
): readonly SaleRow[] {
  switch (event.type) {
    case 'OrderSubmitted':
    case 'CreditNoteIssued': {
      if (lines.length > 0) return lines
      const own = event.type === 'OrderSubmitted' ? orderLines(event) : creditLines(event)
      return own.map(line => ({ ...line, category_id: categoryOf(line.product_id) }))
    }
    case 'OrderPaid':
      return soldAt(lines, event.at, ({ kind }) => kind === 'sale')
    case 'OrderCancelled':
      return soldAt(lines, null, () => true)
    case 'OrderRefunded':
    case 'RefundReversed':
    case 'DisputeClosed':
    case 'ItemsReturned':
      return withReturn(lines, event)
    default:
      return lines
  }
}

/** A sale counts from the moment at which it is paid; what is cancelled was not sold. */
function soldAt(
  lines: readonly SaleRow[],
  sold_at: string | null,
  isMeant: (line: SaleRow) => boolean,
): readonly SaleRow[] {
  return lines.map(line => (isMeant(line) ? { ...line, sold_at } : line))
}

type UnsortedRow = Omit<SaleRow, 'category_id'>

function orderLines(event: Extract<ReadEvent, { type: 'OrderSubmitted' }>): UnsortedRow[] {
  const { orderId, customerId, country, lines, charges } = event.data
  const ids = { document_id: orderId, order_id: orderId, source_id: orderId }
  const document = { ...ids, customer_id: customerId, country }
  const common = { ...document, kind: 'sale' as const, sold_at: null }
  return moneyLines(lines, charges).map(line => ({ ...common, ...line }))
}

function creditLines(event: Extract<ReadEvent, { type: 'CreditNoteIssued' }>): UnsortedRow[] {
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
