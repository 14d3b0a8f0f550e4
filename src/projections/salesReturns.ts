// What takes sales back: cancelled orders, goods that are returned, money that is paid back.
import { type Kysely, sql } from 'kysely'
import { share } from '../domain/money.ts'
import type { ReadEvent } from './projection.ts'
import { moneyLines, type SaleRow } from './saleLines.ts'
import type { Tables } from './tables.ts'

/**
 * What events of a batch say about orders that were sold before, or earlier in the batch: cancelled
 * ones were not sold, and what goes back is booked against what it was sold as.
 */
export async function correct(
  db: Kysely<Tables>,
  events: readonly ReadEvent[],
  batch: { lines: SaleRow[]; paid: Map<string, string> },
) {
  const returned: SaleRow[] = []
  const calledOff = new Set<string>()
  const due = events.filter(isCorrection)
  const books = await booksOf(db, due, batch.lines)
  for (const event of due) {
    const { orderId } = event.data
    const book = books.get(orderId) ?? []
    if (event.type === 'OrderCancelled') {
      calledOff.add(orderId)
      batch.paid.delete(orderId)
      for (const line of book) line.sold_at = null
      continue
    }
    // Money that goes back for what was never sold is no return.
    const isSold = book.some(line => line.sold_at !== null) || batch.paid.has(orderId)
    if (calledOff.has(orderId) || !isSold) continue
    const back =
      event.type === 'OrderRefunded' ? refundLines(event, book) : returnLines(event, book)
    const rows = back.map((row, index) => ({ ...row, line: book.length + index }))
    book.push(...rows)
    returned.push(...rows)
  }
  return { returned, calledOff: [...calledOff] }
}

type Correction = Extract<ReadEvent, { type: 'OrderCancelled' | 'OrderRefunded' | 'ItemsReturned' }>

function isCorrection(event: ReadEvent): event is Correction {
  return ['OrderCancelled', 'OrderRefunded', 'ItemsReturned'].includes(event.type)
}

/** The lines of orders that are corrected, those of this batch among them. */
async function booksOf(
  db: Kysely<Tables>,
  due: readonly Correction[],
  fresh: readonly SaleRow[],
): Promise<Map<string, SaleRow[]>> {
  const books = new Map<string, SaleRow[]>()
  if (due.length === 0) return books
  const orderIds = [...new Set(due.map(({ data }) => data.orderId))]
  const { rows } = await sql<{ row: SaleRow }>`
    select to_json(s) as row
    from sale_lines s
    where document_id = any(${orderIds}::uuid[])
    order by document_id, line
  `.execute(db)
  for (const line of [...rows.map(({ row }) => row), ...fresh]) {
    if (line.order_id === null) continue
    const book = books.get(line.order_id) ?? []
    books.set(line.order_id, book)
    book.push(line)
  }
  return books
}

/** Goods that came back. */
function returnLines(
  event: Extract<Correction, { type: 'ItemsReturned' }>,
  book: readonly SaleRow[],
): SaleRow[] {
  const { returnId, lines, charges } = event.data
  return moneyLines(lines, charges).flatMap(line => {
    const sold = soldAs(book, line)
    if (sold === undefined) return []
    const back = { quantity: -line.quantity, amount_minor: -line.amount_minor }
    const what = { kind: 'return' as const, source_id: returnId, sold_at: event.at }
    return [{ ...sold, ...back, ...what }]
  })
}

/** Of several lines the one that was sold under this name; goods that are not, by their product. */
function soldAs(book: readonly SaleRow[], line: { product_id: string | null; sku: string }) {
  const sales = book.filter(({ kind }) => kind === 'sale')
  const exact = sales.find(each => each.product_id === line.product_id && each.sku === line.sku)
  return exact ?? sales.find(each => each.product_id === line.product_id) ?? sales[0]
}

/**
 * Money that went back without goods, shared out over what is left of each line: parts add up to
 * the amount, by largest remainder.
 */
function refundLines(
  event: Extract<Correction, { type: 'OrderRefunded' }>,
  book: readonly SaleRow[],
): SaleRow[] {
  const { refundId, amount } = event.data
  const sold = book.filter(({ kind }) => kind === 'sale')
  const left = sold.map(line => line.amount_minor)
  for (const back of book.filter(({ kind }) => kind !== 'sale')) takeOff(sold, left, back)
  return share(amount.amount, left).flatMap((part, index) => {
    const line = sold[index]
    if (line === undefined || part === 0) return []
    const back = { kind: 'refund' as const, quantity: 0, amount_minor: -part }
    return [{ ...line, ...back, source_id: refundId, sold_at: event.at }]
  })
}

/** Takes what has gone back already off the lines of its kind, the first ones first. */
function takeOff(sold: readonly SaleRow[], left: number[], back: SaleRow): void {
  let rest = -back.amount_minor
  for (const [index, line] of sold.entries()) {
    if (line.product_id !== back.product_id || line.sku !== back.sku) continue
    const taken = Math.min(rest, left[index] ?? 0)
    left[index] = (left[index] ?? 0) - taken
    rest -= taken
  }
}
