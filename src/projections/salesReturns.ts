// What takes sales back: goods that are returned and money that is paid back, booked against what
// was sold.
import { share } from '../domain/money.ts'
import type { ReadEvent } from './projection.ts'
import { moneyLines, type SaleRow } from './saleLines.ts'

/** What goes back of an order. */
export type Return = Extract<ReadEvent, { type: 'OrderRefunded' | 'ItemsReturned' }>

/**
 * The lines of an order with what goes back of it. Money that goes back for what was never sold, or
 * is not sold any more, is no return; nor is one that is booked already.
 */
export function withReturn(lines: readonly SaleRow[], event: Return): readonly SaleRow[] {
  const source = event.type === 'OrderRefunded' ? event.data.refundId : event.data.returnId
  const isSold = lines.some(({ sold_at }) => sold_at !== null)
  if (!isSold || lines.some(({ source_id }) => source_id === source)) return lines
  const back =
    event.type === 'OrderRefunded' ? refundLines(event, lines) : returnLines(event, lines)
  return [...lines, ...back.map((row, index) => ({ ...row, line: lines.length + index }))]
}

/** Goods that came back. */
function returnLines(
  event: Extract<Return, { type: 'ItemsReturned' }>,
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
  event: Extract<Return, { type: 'OrderRefunded' }>,
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
