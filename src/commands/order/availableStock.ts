// Stock that can be had: what orders hold whose time has run out counts as free.
import { isDue, type Order } from '../../domain/order/order.ts'
import { available, type Stock } from '../../domain/stock/stock.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { readableState } from '../core/brokenStream.ts'
import { expireIfDue } from './orderProcess.ts'

export interface StockRequest {
  productId: string
  wanted: number
}

/**
 * How many pieces can be had now, going by the stock as it was `seen` or as the log has it. Where
 * too few are free, orders that have not been paid in their time and still hold some are expired
 * first, whether the sweep has come by or not.
 */
export async function availableStock(
  app: App,
  request: StockRequest,
  envelope: Envelope,
  seen?: Stock,
): Promise<number> {
  const { productId, wanted } = request
  const state = seen ?? (await app.stock.load(productId)).state
  const free = Math.max(0, available(state))
  if (free >= wanted || state.reservedTotal === 0) return free
  const now = envelope.at.getTime()
  if ((earliestDeadlines.get(state.reserved) ?? 0) > now) return free
  const known = knownDeadlines(app, productId, state)
  const { due, first } = overdue(state, known, now)
  if (due.length === 0) earliestDeadlines.set(state.reserved, first)
  // Those that were due last have most likely not been swept yet; the others are looked at by the
  // next ones that ask. Asked for together they are one round trip.
  const result = due.slice(-looksMax)
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

/** One request looks at no more orders than this. */
const looksMax = 200

/**
 * When the first of those who hold pieces has to have paid, as long as the same ones hold them: of
 * a product that is sold out nobody need look at each of them again.
 */
const earliestDeadlines = new WeakMap<Stock['reserved'], number>()

/**
 * Of orders that were looked at, by product: until when they hold their pieces. Orders that are
 * paid hold them for good. Each is looked at once, after the deadline of its reservation.
 */
const lookedAt = new WeakMap<App, CheckedStock>()
type CheckedStock = Map<string, Map<string, number>>

/** Products with orders that outlive their deadline; one that is dropped is looked at anew. */
const productsMax = 1_000

function knownDeadlines(app: App, productId: string, { reserved }: Stock): Map<string, number> {
  const products: CheckedStock = lookedAt.get(app) ?? new Map()
  lookedAt.set(app, products)
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

/** Orders whose time may have run out, the last one due last, and when the next one is. */
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
