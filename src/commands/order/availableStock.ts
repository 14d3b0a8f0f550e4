// Available stock: the reservations of overdue orders count as free.
import { isDue, type Order } from '../../domain/order/order.ts'
import { available, type Stock } from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { readableState } from '../core/brokenStream.ts'
import { expireIfDue } from './orderProcess.ts'

export interface StockRequest {
  productId: string
  quantity: number
}

/**
 * The pieces that are available now, by stock that was `seen` before or by the log. Where too few
 * are, overdue orders with reservations are expired first, whether or not the sweep has run.
 */
export async function availableStock(
  app: App,
  request: StockRequest,
  envelope: Envelope,
  seen?: Stock,
): Promise<number> {
  const { productId, quantity } = request
  const state = seen ?? (await app.stock.load(productId)).state
  const free = Math.max(0, available(state))
  if (free >= quantity || state.reservedTotal === 0) return free
  const now = envelope.at.getTime()
  if ((earliestDeadlines.get(state.reserved) ?? 0) > now) return free
  const known = knownDeadlines(app, productId, state)
  const { due, first } = overdue(state, known, now)
  if (due.length === 0) earliestDeadlines.set(state.reserved, first)
  // The latest have most likely not been swept yet; later requests check the others.
  const result = due.slice(-checksMax)
  const expired = await Promise.all(
    result.map(async orderId => {
      const order = await readableState(app.orders, orderId)
      if (order === undefined) return []
      const isUnpaid = isDue(order, now)
      if (!isUnpaid) remember(known, orderId, order)
      return isUnpaid ? [orderId] : []
    }),
  )
  for (const orderId of expired.flat()) await expireIfDue(app, orderId, envelope)
  if (expired.flat().length === 0) return free
  return Math.max(0, available((await app.stock.load(productId)).state))
}

/** The most orders that one request checks. */
const checksMax = 200

/**
 * The earliest deadline of the reservations, as long as they do not change: while it has not passed
 * a request for a product that is sold out checks no order.
 */
const earliestDeadlines = new WeakMap<Stock['reserved'], number>()

/**
 * Until when orders that were checked hold their pieces, by product; paid orders hold them for
 * good. Each order is checked once, after the deadline of its reservation.
 */
const checked = new WeakMap<App, CheckedStock>()
type CheckedStock = Map<string, Map<string, number>>

/** The most products that are remembered; those that are dropped are checked again. */
const productsMax = 1_000

function knownDeadlines(app: App, productId: string, { reserved }: Stock): Map<string, number> {
  const products: CheckedStock = checked.get(app) ?? new Map()
  checked.set(app, products)
  const known = products.get(productId) ?? new Map<string, number>()
  if (!products.has(productId) && products.size >= productsMax) products.clear()
  products.set(productId, known)
  if (known.size > 2 * reserved.size) {
    for (const orderId of known.keys()) if (!reserved.has(orderId)) known.delete(orderId)
  }
  return known
}

function remember(known: Map<string, number>, orderId: string, order: Order): void {
  if (order.status === 'none' || order.status === 'submitted') return
  known.set(orderId, order.status === 'pending' ? (order.expiresAt ?? Infinity) : Infinity)
}

/** Orders that may be overdue, the latest last, and the next deadline. */
function overdue({ reserved, deadlines }: Stock, known: Map<string, number>, now: number) {
  const due: { orderId: string; at: number }[] = []
  let first = Infinity
  for (const orderId of reserved.keys()) {
    const at = known.get(orderId) ?? deadlines.get(orderId) ?? 0
    if (at <= now) due.push({ orderId, at })
    else first = Math.min(first, at)
  }
  due.sort((one, other) => one.at - other.at)
  return { due: due.map(({ orderId }) => orderId), first }
}
