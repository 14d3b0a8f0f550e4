// Checks of stock by replaying it: never below zero, and promised to open orders only.
import { demand } from '../../domain/order.ts'
import { type Stock, type StockEvent, stock } from '../../domain/stock.ts'
import type { ReadEvent } from '../../projections/projection.ts'
import type { LogCheck } from './logCheck.ts'
import type { OrderBook } from './orderChecks.ts'
import type { Part } from './parts.ts'

type StockStep = ReadEvent & StockEvent

function isStockStep(event: ReadEvent | undefined): event is StockStep {
  return event !== undefined && event.type in stock.events
}

/** The stock of each product, by the domain's own fold. */
function createStockBook() {
  const products = new Map<string, Stock>()
  return {
    products,
    take(event: StockStep) {
      const before = products.get(event.data.productId) ?? stock.initial
      const after = stock.evolve(before, event)
      products.set(event.data.productId, after)
      return { before, after }
    },
  }
}

/** At no point of the log is there less than nothing, or more promised than there is. */
export function stockIsNeverShort(part: Part): LogCheck {
  const book = createStockBook()
  return {
    name: 'stock is never negative nor oversold',
    see(_, event) {
      if (!isStockStep(event) || !part.has(event.data.productId)) return []
      const { before, after } = book.take(event)
      const where = `product ${event.data.productId}: ${event.type} at ${event.position}`
      const findings = [...misfits(event, before)].map(misfit => `${where} ${misfit}`)
      const { onHand, reservedTotal } = after
      if (onHand < 0 || reservedTotal < 0 || reservedTotal > onHand) {
        findings.push(`${where} leaves ${onHand} on hand and ${reservedTotal} reserved`)
      }
      return findings
    },
    conclude: () => [],
    examined: () => book.products.size,
  }
}

function* misfits(event: StockStep, before: Stock) {
  if (event.type === 'StockReserved' && before.reserved.has(event.data.orderId)) {
    yield `reserves again for order ${event.data.orderId}`
  }
  if (event.type === 'ReservationReleased' || event.type === 'ReservationCommitted') {
    const { orderId, quantity } = event.data
    const held = before.reserved.get(orderId) ?? 0
    if (held !== quantity) yield `settles ${quantity} of ${held} for order ${orderId}`
  }
}

/** What is reserved is what open orders want: no orphan, nothing missing. */
export function reservationsAreOpenOrders(orders: OrderBook, part: Part): LogCheck {
  const stocks = createStockBook()
  return {
    name: 'reservations are those of open orders',
    see(_, event) {
      orders.take(event)
      // What is reserved for one order does not depend on what is for others.
      if (isStockStep(event) && 'orderId' in event.data && part.has(event.data.orderId)) {
        stocks.take(event)
      }
      return []
    },
    conclude: () => [...orphans(orders, stocks.products), ...gaps(orders, stocks.products)],
    examined: () => orders.orders.size,
  }
}

type Products = ReadonlyMap<string, Stock>

function openDemand(orders: OrderBook, orderId: string): ReadonlyMap<string, number> {
  const state = orders.orders.get(orderId)?.state
  if (state === undefined || state.status === 'none' || state.handedOver) return new Map()
  return ['pending', 'paid'].includes(state.status) ? demand(state) : new Map()
}

function* orphans(orders: OrderBook, products: Products) {
  for (const [productId, { reserved }] of products) {
    for (const [orderId, quantity] of reserved) {
      const wanted = openDemand(orders, orderId).get(productId) ?? 0
      if (wanted === quantity || !orders.isSettled(orderId)) continue
      yield `product ${productId}: ${quantity} reserved for order ${orderId}, which wants ${wanted}`
    }
  }
}

function* gaps(orders: OrderBook, products: Products) {
  for (const orderId of orders.orders.keys()) {
    for (const [productId, wanted] of openDemand(orders, orderId)) {
      const isHeld = products.get(productId)?.reserved.has(orderId) === true
      if (isHeld || !orders.isSettled(orderId)) continue
      yield `product ${productId}: nothing reserved for order ${orderId}, which wants ${wanted}`
    }
  }
}
