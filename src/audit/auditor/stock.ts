// Stock, folded by hand and looked at after every event: never below zero, never promised twice,
// and at rest promised to open orders only; and read models show it as it is.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  type Observations,
  type Report,
  type Scope,
  text,
} from './evidence.ts'
import { isBeforeCutoff, type Order, type OrderBook } from './orders.ts'

interface ProductStock {
  onHand: number
  /** Pieces by the order that they are kept for. */
  held: Map<string, number>
  heldTotal: number
  /** Where its last event is. */
  position: number
}

/** By order and product: pieces that are kept. */
type HeldPieces = ReadonlyMap<string, ReadonlyMap<string, number>>

const neverShort = 'stock is never below zero nor promised twice'
const openOnly = 'pieces are kept for open orders only'
const orderedIsReserved = 'what is ordered is kept'
const asShown = 'read models equal the log'

export function stockChecks(book: OrderBook, report: Report, scope: Scope): Check {
  const stocks = new Map<string, ProductStock>()
  const reservations = new Map<string, Map<string, number>>()
  return {
    see(event) {
      if (!event.stream.startsWith('stock-')) return
      const productId = event.stream.slice('stock-'.length)
      if (scope.has(text(event, 'orderId'))) reserve(reservations, productId, event)
      if (!scope.has(productId)) return
      const stock = stocks.get(productId) ?? emptyStock()
      stocks.set(productId, stock)
      const misfit = moveStock(stock, event)
      if (misfit !== undefined) report(neverShort, `${named(event)} ${misfit}.`)
      const { onHand, heldTotal } = stock
      if (onHand < 0 || heldTotal > onHand) {
        report(neverShort, `${named(event)} leaves ${onHand} pieces and ${heldTotal} promised.`)
      }
    },
    conclude(observations) {
      for (const detail of shownDifferently(stocks, observations)) report(asShown, detail)
      if (!observations.isAtRest) return
      for (const detail of orphanedReservations(reservations, book, observations))
        report(openOnly, detail)
      for (const detail of missingReservations(reservations, book, observations))
        report(orderedIsReserved, detail)
    },
    examined() {
      const { size } = book.orders
      return { [neverShort]: stocks.size, [openOnly]: size, [orderedIsReserved]: size }
    },
  }
}

function emptyStock(): ProductStock {
  return { onHand: 0, held: new Map(), heldTotal: 0, position: 0 }
}

function reserve(
  reservations: Map<string, Map<string, number>>,
  productId: string,
  event: LogEvent,
): void {
  const orderId = text(event, 'orderId')
  const held = reservations.get(orderId) ?? new Map<string, number>()
  if (event.type === 'StockReserved') held.set(productId, amount(event, 'quantity'))
  else held.delete(productId)
  if (held.size > 0) reservations.set(orderId, held)
  else reservations.delete(orderId)
}

function* orphanedReservations(
  reservations: HeldPieces,
  { orders }: OrderBook,
  observations: Observations,
) {
  for (const [orderId, held] of reservations) {
    const order = orders.get(orderId)
    if (order !== undefined && !isBeforeCutoff(observations, order)) continue
    if (order === undefined && observations.unreadable?.has(`order-${orderId}`)) continue
    for (const [productId, quantity] of held) {
      if (demandOf(order).get(productId) === quantity) continue
      const status = order?.status ?? 'unknown'
      yield `Product ${productId} keeps ${quantity} for order ${orderId}, which is ${status}.`
    }
  }
}

function* missingReservations(
  reservations: HeldPieces,
  { orders }: OrderBook,
  observations: Observations,
) {
  for (const order of orders.values()) {
    if (!isBeforeCutoff(observations, order)) continue
    const { orderId, status } = order
    const held = reservations.get(orderId)
    for (const productId of demandOf(order).keys()) {
      if (held?.has(productId)) continue
      yield `Nothing of product ${productId} is kept for order ${orderId}, which is ${status}.`
    }
  }
}

const nothing: ReadonlyMap<string, number> = new Map()

function demandOf(order: Order | undefined): ReadonlyMap<string, number> {
  if (order === undefined || order.hasLeft) return nothing
  return order.status === 'pending' || order.status === 'paid' ? order.demand : nothing
}

/** Moves the stock; gives what does not fit about it. */
function moveStock(stock: ProductStock, event: LogEvent): string | undefined {
  const orderId = text(event, 'orderId')
  const quantity = amount(event, 'quantity')
  const held = stock.held.get(orderId)
  stock.position = event.position
  switch (event.type) {
    case 'StockAdjusted':
      stock.onHand += amount(event, 'delta')
      return undefined
    case 'StockCounted': {
      stock.onHand += amount(event, 'delta')
      const counted = amount(event, 'counted')
      if (stock.onHand === counted) return undefined
      return `says that ${counted} were counted, and makes it ${stock.onHand}`
    }
    case 'StockReserved':
      stock.held.set(orderId, quantity)
      stock.heldTotal += quantity - (held ?? 0)
      return held === undefined ? undefined : `keeps pieces again for order ${orderId}`
    case 'ReservationReleased':
    case 'ReservationCommitted':
      stock.held.delete(orderId)
      stock.heldTotal -= held ?? 0
      if (event.type === 'ReservationCommitted') stock.onHand -= quantity
      if (held === quantity) return undefined
      return `ends a reservation of ${quantity} where order ${orderId} has ${held ?? 0}`
    default:
      return undefined
  }
}

/** Figures of a read model that the events up to where it has come do not come to. */
function* shownDifferently(stocks: ReadonlyMap<string, ProductStock>, observations: Observations) {
  const { stock, reached, unreadable } = observations
  for (const { productId, onHand, reserved } of stock ?? []) {
    const stock = stocks.get(productId) ?? emptyStock()
    if (unreadable?.has(`stock-${productId}`)) continue
    if (stock.position > (reached?.stock ?? Number.POSITIVE_INFINITY)) continue
    if (stock.onHand === onHand && stock.heldTotal === reserved) continue
    const is = `Product ${productId} has ${stock.onHand} pieces, ${stock.heldTotal} of them kept`
    yield `${is}, and is shown with ${onHand}, ${reserved} of them kept.`
  }
}
