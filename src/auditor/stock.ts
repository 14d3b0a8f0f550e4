// Stock, folded by hand and looked at after every event: never below zero, never promised twice,
// and at rest promised to open orders only.
import { amount, type Check, type LogEvent, named, type Report, text } from './evidence.ts'
import type { OrderBook } from './orders.ts'

interface Shelf {
  onHand: number
  /** Pieces by the order that they are kept for. */
  held: Map<string, number>
  heldTotal: number
}

const neverShort = 'stock is never below zero nor promised twice'

export function stockChecks(book: OrderBook, report: Report): Check {
  const shelves = new Map<string, Shelf>()
  return {
    see(event) {
      if (!event.stream.startsWith('stock-')) return
      const productId = event.stream.slice('stock-'.length)
      const shelf = shelves.get(productId) ?? { onHand: 0, held: new Map(), heldTotal: 0 }
      shelves.set(productId, shelf)
      const misfit = moveStock(shelf, event)
      if (misfit !== undefined) report(neverShort, `${named(event)} ${misfit}.`)
      const { onHand, heldTotal } = shelf
      if (onHand < 0 || heldTotal > onHand) {
        report(neverShort, `${named(event)} leaves ${onHand} pieces and ${heldTotal} promised.`)
      }
    },
    conclude({ isAtRest, unreadable = new Set() }) {
      if (!isAtRest) return
      const isLeftOut = (orderId: string) =>
        unreadable.has(`order-${orderId}`) || book.orders.get(orderId)?.isImported === true
      for (const says of keptForNobody(shelves, book, isLeftOut)) {
        report('pieces are kept for open orders only', says)
      }
      for (const says of notKept(shelves, book, isLeftOut)) report('what is ordered is kept', says)
    },
  }
}

type Shelves = ReadonlyMap<string, Shelf>
type LeftOut = (orderId: string) => boolean

function* keptForNobody(shelves: Shelves, book: OrderBook, isLeftOut: LeftOut) {
  for (const [productId, { held }] of shelves) {
    for (const [orderId, quantity] of held) {
      if (isLeftOut(orderId) || demandOf(book, orderId, productId) === quantity) continue
      const status = book.orders.get(orderId)?.status ?? 'unknown'
      yield `Product ${productId} keeps ${quantity} for order ${orderId}, which is ${status}.`
    }
  }
}

function* notKept(shelves: Shelves, book: OrderBook, isLeftOut: LeftOut) {
  for (const { orderId, status, demand } of book.orders.values()) {
    for (const productId of demand.keys()) {
      const isKept = shelves.get(productId)?.held.has(orderId) === true
      if (isKept || isLeftOut(orderId) || demandOf(book, orderId, productId) === 0) continue
      yield `Nothing of product ${productId} is kept for order ${orderId}, which is ${status}.`
    }
  }
}

function demandOf({ orders }: OrderBook, orderId: string, productId: string): number {
  const order = orders.get(orderId)
  if (order === undefined || order.hasLeft) return 0
  const isOpen = order.status === 'pending' || order.status === 'paid'
  return isOpen ? (order.demand.get(productId) ?? 0) : 0
}

/** Moves the stock; gives what does not fit about it. */
function moveStock(shelf: Shelf, event: LogEvent): string | undefined {
  const orderId = text(event, 'orderId')
  const quantity = amount(event, 'quantity')
  const held = shelf.held.get(orderId)
  switch (event.type) {
    case 'StockAdjusted':
      shelf.onHand += amount(event, 'delta')
      return undefined
    case 'StockCounted': {
      shelf.onHand += amount(event, 'delta')
      const counted = amount(event, 'counted')
      if (shelf.onHand === counted) return undefined
      return `says that ${counted} were counted, and makes it ${shelf.onHand}`
    }
    case 'StockReserved':
      shelf.held.set(orderId, quantity)
      shelf.heldTotal += quantity - (held ?? 0)
      return held === undefined ? undefined : `keeps pieces again for order ${orderId}`
    case 'ReservationReleased':
    case 'ReservationCommitted':
      shelf.held.delete(orderId)
      shelf.heldTotal -= held ?? 0
      if (event.type === 'ReservationCommitted') shelf.onHand -= quantity
      if (held === quantity) return undefined
      return `settles ${quantity} where ${held ?? 0} are kept for order ${orderId}`
    default:
      return undefined
  }
}
