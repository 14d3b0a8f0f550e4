// One document of the ledger: which rows are sold, go back, correct the stock, or are refused.

import { idOf } from '../../../commands/core/ids.ts'
import { cutText } from '../../../domain/kernel/text.ts'
import type { Entry } from './ledgerEntry.ts'
import { customerIdOf, orderIdOf, returnIdOf } from './ledgerIds.ts'
import type {
  Group,
  PlannedCredit,
  PlannedCreditLine,
  PlannedDocument,
  PlannedLine,
  PlannedMovement,
  PlannedOrder,
  PlannedProduct,
  PlannedReturn,
  RowEnd,
} from './ledgerPlan.ts'
import { reasonOf } from './ledgerWords.ts'
import type { MatchedSale, ReturnedGoods, SoldGoods } from './soldGoods.ts'

export interface PlanContext {
  products: ReadonlyMap<string, PlannedProduct>
  sold: SoldGoods
  /** What the document has brought back already when it is in; undefined when it is not. */
  returned?: ReturnedGoods[] | undefined
}

interface Work extends PlanContext {
  key: string
  customerId: string
  outcomes: Map<number, RowEnd>
}

/** No event holds more lines; a longer invoice becomes several orders of the same number. */
const linesMax = 5_000

/** Plans a document, and books what it sells and takes back in the book of sold goods. */
export function planDocument({ key, entries, refused }: Group, on: PlanContext): PlannedDocument {
  const [first] = entries
  const customerId = customerIdOf(first?.customer ?? '')
  const work: Work = { ...on, key, customerId, outcomes: new Map() }
  for (const { row } of refused) work.outcomes.set(row, 'refusals')
  const sorted = sortRows(entries)
  for (const { row } of sorted.nothing) work.outcomes.set(row, 'refusals')
  const orders = planOrders(work, sorted.sold)
  const { returns, creditLines } = planBack(work, sorted.back)
  const credited = [...creditLines, ...sorted.corrected.map(entry => creditLine(work, entry))]
  return {
    key,
    id: idOf('retail', key),
    invoice: first?.invoice ?? key,
    at: first?.at,
    customerId,
    country: first?.country ?? '',
    orders,
    returns,
    credits: planCredits(work, credited),
    movements: [...planAdjustments(work, sorted.adjusted), ...planRestock(work, sorted.back)],
    refusals: [
      ...refused.map(({ row, reason }) => ({ row, reason })),
      ...sorted.nothing.map(({ row, code }) => ({
        row,
        reason: `moves no goods (${code} is not an article) and no money`,
      })),
    ],
    outcomes: work.outcomes,
  }
}

type Kind = 'sold' | 'back' | 'corrected' | 'adjusted' | 'nothing'

function sortRows(entries: readonly Entry[]): Record<Kind, Entry[]> {
  const sorted: Record<Kind, Entry[]> = {
    sold: [],
    back: [],
    corrected: [],
    adjusted: [],
    nothing: [],
  }
  const isSale = entries.some(entry => entry.unitSign > 0 && entry.quantity > 0)
  for (const entry of entries) sorted[kindOf(entry, isSale)].push(entry)
  return sorted
}

function kindOf(entry: Entry, isSale: boolean): Kind {
  const { quantity, unitSign, isGoods, customer, invoice } = entry
  if (unitSign < 0) return 'corrected'
  if (unitSign > 0) return quantity > 0 ? 'sold' : 'back'
  if (!isGoods) return 'nothing'
  if (quantity < 0) return /^c/i.test(invoice) ? 'back' : 'adjusted'
  // Free of charge for somebody, or beside things that were paid for; else a note of the warehouse.
  return isSale || customer !== '' ? 'sold' : 'adjusted'
}

function planOrders(work: Work, entries: readonly Entry[]): PlannedOrder[] {
  return chunks(entries).map((chunk, index) => {
    const orderId = orderIdOf(work.key, index)
    const order: PlannedOrder = { orderId, lines: [], charges: [] }
    for (const entry of chunk) {
      const { row, code, isGoods, quantity, amountMinor } = entry
      work.outcomes.set(row, isGoods ? 'order lines' : 'charges of orders')
      if (isGoods) {
        order.lines.push({ ...lineOf(work, entry, quantity), totalMinor: amountMinor })
        work.sold.sell(saleOf(work, entry, orderId))
      } else {
        const name = entry.description || code
        order.charges.push({ row, code, name, amountMinor })
      }
    }
    return order
  })
}

function saleOf(work: Work, { product, unitMinor, quantity }: Entry, orderId: string) {
  return { orderId, customerId: work.customerId, product, unitMinor, quantity }
}

function lineOf(work: Work, entry: Entry, quantity: number): PlannedLine {
  const { row, product, code, unitMinor } = entry
  const totalMinor = unitMinor * quantity
  return { row, product, sku: code, name: nameOf(work, entry), quantity, unitMinor, totalMinor }
}

function nameOf({ products }: Work, { description, product, code }: Entry): string {
  return description || (products.get(product)?.name ?? code)
}

/** What goes back: to the orders that it was bought with where they are known, else as a credit. */
function planBack(work: Work, entries: readonly Entry[]) {
  const byOrder = new Map<string, PlannedReturn>()
  const creditLines: PlannedCreditLine[] = []
  for (const entry of entries) {
    const matched = matchReturns(work, entry)
    for (const { orderId, quantity } of matched) {
      const returnId = returnIdOf(work.key, orderId)
      const planned = byOrder.get(orderId) ?? { returnId, orderId, lines: [] }
      planned.lines.push(lineOf(work, entry, quantity))
      byOrder.set(orderId, planned)
    }
    const left = -entry.quantity - matched.reduce((sum, { quantity }) => sum + quantity, 0)
    if (matched.length === 0) creditLines.push(creditLine(work, entry))
    else if (left > 0) creditLines.push(creditRest(work, entry, left))
    work.outcomes.set(entry.row, outcomeOf(matched.length, left))
  }
  return { returns: [...byOrder.values()], creditLines }
}

/**
 * Walk-in customers are many people: whose purchase came back is not known. Prices finer than a
 * penny are rounded by the row, so that pieces of a row have no price of their own.
 */
function mayMatch({ isGoods, customer, isWholePennies }: Entry): boolean {
  return isGoods && customer !== '' && isWholePennies
}

function matchReturns({ sold, customerId, returned }: Work, entry: Entry): MatchedSale[] {
  const { product, unitMinor } = entry
  const request = { customerId, product, unitMinor, quantity: -entry.quantity }
  if (returned === undefined) return mayMatch(entry) ? sold.match(request) : []
  const matched: MatchedSale[] = []
  for (const back of returned) {
    const isSame = back.product === product && back.unitMinor === unitMinor
    const quantity = isSame ? Math.min(request.quantity, back.quantity) : 0
    if (quantity === 0) continue
    back.quantity -= quantity
    request.quantity -= quantity
    sold.match({ ...request, quantity, orderId: back.orderId })
    matched.push({ orderId: back.orderId, quantity })
  }
  return matched
}

function outcomeOf(matched: number, left: number): RowEnd {
  if (matched === 0) return 'credit notes'
  return left === 0 ? 'returns' : 'returns and credit notes'
}

function creditLine(work: Work, entry: Entry): PlannedCreditLine {
  const { row, product, isGoods, code, quantity, amountMinor } = entry
  if (!work.outcomes.has(row)) work.outcomes.set(row, 'credit notes')
  return {
    row,
    product: isGoods ? product : null,
    sku: code,
    name: nameOf(work, entry),
    quantity: Math.abs(quantity),
    totalMinor: amountMinor,
  }
}

function creditRest(work: Work, entry: Entry, quantity: number): PlannedCreditLine {
  return { ...creditLine(work, entry), quantity, totalMinor: -entry.unitMinor * quantity }
}

function planCredits(work: Work, lines: readonly PlannedCreditLine[]): PlannedCredit[] {
  return chunks(lines).map((chunk, index) => {
    const labels = chunk.map(({ product, name }) => (product === null ? name : 'Goods returned'))
    return {
      creditNoteId: idOf('retail', 'credit', work.key, `${index}`),
      reason: cutText([...new Set(labels)].join(', '), 500),
      lines: chunk,
    }
  })
}

function planAdjustments(work: Work, entries: readonly Entry[]): PlannedMovement[] {
  return entries.map(({ row, product, quantity, description }, index) => {
    work.outcomes.set(row, 'stock adjustments')
    return {
      commandId: idOf('retail', 'adjustment', work.key, `${index}`),
      rows: [row],
      product,
      delta: quantity,
      reason: reasonOf(description, quantity),
      note: description || undefined,
    }
  })
}

/** Goods that came back are in the house again, whichever way their money went. */
function planRestock(work: Work, entries: readonly Entry[]): PlannedMovement[] {
  const pieces = new Map<string, number>()
  for (const { isGoods, product, quantity } of entries) {
    if (isGoods) pieces.set(product, (pieces.get(product) ?? 0) - quantity)
  }
  return [...pieces].map(([product, delta]) => ({
    commandId: idOf('retail', 'restock', work.key, product),
    rows: [],
    product,
    delta,
    reason: 'returned',
    note: entries[0]?.invoice,
  }))
}

/** In portions that an event can hold. */
export function chunks<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / linesMax)
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * linesMax, (index + 1) * linesMax),
  )
}
