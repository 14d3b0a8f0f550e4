// Stock that can be had: what orders hold whose time has run out counts as free.
import { isDue } from '../domain/order.ts'
import { available, type Stock } from '../domain/stock.ts'
import { Lookup } from '../kit/shortLived.ts'
import { advanceOrder } from './advanceOrder.ts'
import type { Envelope } from './ports.ts'
import type { Shop } from './shop.ts'

export interface Wish {
  productId: string
  wanted: number
}

/**
 * How many pieces can be had now, going by the stock as it was `seen` or as the log has it. Where
 * too few are free, orders that have not been paid in their time and still hold some are expired
 * first, whether the sweep has come by or not.
 */
export async function freeStock(
  shop: Shop,
  wish: Wish,
  envelope: Envelope,
  seen?: Stock,
): Promise<number> {
  const { productId, wanted } = wish
  const state = seen ?? (await shop.stock.load(productId)).state
  const free = Math.max(0, available(state))
  if (free >= wanted || state.reservedTotal === 0) return free
  const now = envelope.at.getTime()
  if ((firstDeadlines.get(state.reserved) ?? 0) > now) return free
  // Asked for together they are one round trip.
  const deadlines = await Promise.all(
    [...state.reserved.keys()].map(async orderId => {
      const at = shop.deadlines.get(orderId)?.at ?? (await readDeadline(shop, orderId))
      return { orderId, at }
    }),
  )
  if (deadlines.every(({ orderId }) => shop.deadlines.get(orderId) !== undefined)) {
    firstDeadlines.set(state.reserved, Math.min(...deadlines.map(({ at }) => at)))
  }
  const due = deadlines.filter(({ at }) => at <= now)
  for (const { orderId } of due) await expireIfDue(shop, orderId, envelope)
  if (due.length === 0) return free
  return Math.max(0, available((await shop.stock.load(productId)).state))
}

/**
 * When the first of those who hold pieces has to have paid, as long as the same ones hold them: of
 * a product that is sold out nobody need look at each of them again.
 */
const firstDeadlines = new WeakMap<Stock['reserved'], number>()

/** Deadlines that are being read: a product that is sold out is asked for by many at once. */
const readings = new WeakMap<Shop, Lookup<Promise<number>>>()

function readDeadline(shop: Shop, orderId: string): Promise<number> {
  const underWay = readings.get(shop) ?? new Lookup<Promise<number>>()
  readings.set(shop, underWay)
  const reading =
    underWay.get(orderId) ??
    lookUpDeadline(shop, orderId).finally(() => {
      underWay.delete(orderId)
    })
  underWay.set(orderId, reading)
  return reading
}

/** Remembered: the orders of a product that is sold out do not change. */
async function lookUpDeadline(shop: Shop, orderId: string): Promise<number> {
  const { state } = await shop.orders.load(orderId)
  const isWaiting = state.status === 'pending' && state.expiresAt !== null
  const at = isWaiting ? (state.expiresAt ?? Infinity) : Infinity
  if (state.status !== 'none' && state.status !== 'submitted') shop.deadlines.set(orderId, { at })
  return at
}

/** Brings an order whose time has run out to its end; any other one is left alone. */
export async function expireIfDue(shop: Shop, orderId: string, cause: Envelope): Promise<void> {
  const { state } = await shop.orders.load(orderId)
  if (!isDue(state, cause.at.getTime())) {
    // Paid in time, or ended: whatever it holds now is not held by an unpaid order.
    if (state.status !== 'pending') shop.deadlines.set(orderId, { at: Infinity })
    return
  }
  await advanceOrder(shop, orderId, {
    commandId: cause.commandId,
    correlationId: cause.correlationId,
    causationId: cause.causationId,
    actor: { role: 'system', id: 'order-expiry' },
    at: cause.at,
  })
}
