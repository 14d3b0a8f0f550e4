// What takes sales back: goods that are returned and money that is paid back or lost in a dispute,
// booked against what was sold.
import { share } from '../../domain/kernel/money.ts'
import type { EventOf } from '../core/events.ts'
import { moneyLines, type SaleRow } from './saleLines.ts'

/** What goes back of an order, or did not after all. */
type Return = EventOf<'OrderRefunded' | 'RefundReversed' | 'DisputeClosed' | 'ItemsReturned'>

/**
 * The lines of an order with what goes back of it. Money that goes back for what was never sold, or
 * is not sold any more, is no return; nor is one that is booked already.
 */
export function withReturn(lines: readonly SaleRow[], event: Return): readonly SaleRow[] {
  if (lines.every(({ sold_at }) => sold_at === null)) return lines
  const back = linesBack(event, lines)
  if (back.length === 0) return lines
  return [...lines, ...back.map((row, index) => ({ ...row, line: lines.length + index }))]
}

function linesBack(event: Return, book: readonly SaleRow[]): SaleRow[] {
  const { at } = event
  const isBooked = (source: string) => book.some(({ source_id }) => source_id === source)
  switch (event.type) {
    case 'ItemsReturned':
      return isBooked(event.data.returnId) ? [] : returnLines(event, book)
    case 'OrderRefunded': {
      const { refundId: source_id, amount } = event.data
      if (isBooked(source_id)) return []
      return moneyBack(book, { kind: 'refund', source_id, amount: amount.amount, at })
    }
    case 'RefundReversed':
      return undone(book, event.data.refundId, at)
    case 'DisputeClosed': {
      const { disputeId: source_id, amount, outcome } = event.data
      const isLost = outcome === 'lost'
      if (isLost && bookedOf(book, source_id) === -amount.amount) return []
      // An appeal may have won what was lost.
      const before = undone(book, source_id, at)
      if (!isLost) return before
      const lost = { kind: 'dispute' as const, source_id, amount: amount.amount, at }
      return [...before, ...moneyBack([...book, ...before], lost)]
    }
  }
}

/** What a refund or a dispute comes to in the book. */
function bookedOf(book: readonly SaleRow[], source: string): number {
  const own = book.filter(({ source_id }) => source_id === source)
  return own.reduce((total, line) => total + line.amount_minor, 0)
}

/** The lines that take back what a refund or a dispute has booked; none where that is done. */
function undone(book: readonly SaleRow[], source: string, at: string): SaleRow[] {
  const own = book.filter(({ source_id }) => source_id === source)
  const sums = Map.groupBy(own, ({ product_id, sku }) => `${product_id}/${sku}`)
  return [...sums.values()].flatMap(lines => {
    const [line] = lines
    const total = lines.reduce((sum, each) => sum + each.amount_minor, 0)
    if (line === undefined || total === 0) return []
    return [{ ...line, amount_minor: -total, sold_at: at }]
  })
}

interface MoneyBack {
  kind: 'refund' | 'dispute'
  source_id: string
  amount: number
  at: string
}

/** Goods that came back. */
function returnLines(event: EventOf<'ItemsReturned'>, book: readonly SaleRow[]): SaleRow[] {
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
function moneyBack(
  book: readonly SaleRow[],
  { kind, source_id, amount, at }: MoneyBack,
): SaleRow[] {
  const sold = book.filter(({ kind }) => kind === 'sale')
  const left = sold.map(line => line.amount_minor)
  for (const back of book.filter(({ kind }) => kind !== 'sale')) takeOff(sold, left, back)
  return share(amount, left).flatMap((part, index) => {
    const line = sold[index]
    if (line === undefined || part === 0) return []
    const back = { kind, quantity: 0, amount_minor: -part }
    return [{ ...line, ...back, source_id, sold_at: at }]
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
