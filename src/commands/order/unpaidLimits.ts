// Bounds of what one customer can order: pieces of a product, and orders that are not paid.

import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import type { Actor, Money } from '../../domain/kernel/types.ts'
import {
  claimUnpaid,
  type OpenOrders,
  openOrders,
  type UnpaidClaim,
} from '../../domain/order/openOrders.ts'
import {
  demand,
  isDue,
  isFree,
  type OrderLine,
  type PlacedOrder,
} from '../../domain/order/order.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { readableState } from '../core/brokenStream.ts'
import { processStep } from '../core/envelope.ts'

interface Ordered {
  orderId: string
  customerId: string
  lines: readonly OrderLine[]
}

/** The most pieces of one product that an actor can order; 0 is no limit, as for the staff. */
export function piecesMax({ bounds }: App, actor: Actor): number {
  return isExempt(actor) ? 0 : bounds.orderPieces
}

function isExempt(actor: Actor): boolean {
  if (actor.role === 'anonymous') return false
  return actor.role === 'system' || actor.roles.some(role => role !== 'customer')
}

/** Refuses more pieces of a product than one order can hold. */
export function refuseTooManyPieces(most: number, quantities: Iterable<[string, number]>) {
  if (most === 0) return undefined
  const productIds = [...quantities].flatMap(([id, quantity]) => (quantity > most ? [id] : []))
  if (productIds.length === 0) return undefined
  const detail = `At most ${most} pieces of a product can be ordered.`
  return reject('cart/quantity-limit', detail, { limit: most, productIds })
}

const isBounded = ({ bounds: { unpaid } }: App) => unpaid.orders > 0 || unpaid.pieces > 0

/** The claims of a customer to whom the limits apply. */
export async function openOrdersOf(app: App, { actor }: Envelope): Promise<OpenOrders> {
  if (!isBounded(app) || actor.role === 'anonymous' || isExempt(actor)) return openOrders.initial
  return (await app.openOrders.load(actor.id)).state
}

/**
 * Refuses an order early that would be one too many, before anything is written. The claim that
 * decides is made while the order is placed.
 */
export async function refuseTooManyUnpaid(
  app: App,
  order: Ordered & { open: OpenOrders },
  { actor, at }: Envelope,
): Promise<Rejection | undefined> {
  if (!isBounded(app) || isExempt(actor)) return undefined
  const bounds = app.bounds.unpaid
  const claim = claimOf(order)
  const first = claimUnpaid(order.open, { ...claim, ended: [] }, bounds)
  if (!isRejection(first)) return undefined
  const ended = await endedOf(app, order.open, at)
  const second = claimUnpaid(order.open, { ...claim, ended }, bounds)
  return isRejection(second) ? second : undefined
}

/** Claims one of the unpaid orders that the customer may have; false when there are too many. */
export async function claimUnpaidOrder({
  app,
  order,
  cause,
}: {
  app: App
  order: PlacedOrder
  cause: Envelope
}): Promise<boolean> {
  const { customerId } = order
  if (!isBounded(app) || isFree(order)) return true
  const claim = claimOf(order)
  const decide = (name: string, ended: readonly string[]) =>
    app.openOrders.decide(customerId, processStep(cause, order.orderId, name), state =>
      claimUnpaid(state, { ...claim, ended }, app.bounds.unpaid),
    )
  // One round trip.
  const [first, isExempted] = await Promise.all([
    decide('claim-unpaid', []),
    isStaff(app, customerId),
  ])
  if (isExempted || !isRejection(first)) return true
  const { state } = await app.openOrders.load(customerId)
  const second = await decide('claim-unpaid/again', await endedOf(app, state, cause.at))
  return !isRejection(second)
}

function claimOf(order: Ordered): UnpaidClaim {
  const pieces = [...demand(order).values()].reduce((sum, quantity) => sum + quantity, 0)
  return { customerId: order.customerId, orderId: order.orderId, pieces }
}

/** Claims of orders that are paid, rejected or have run out: none of them can be unpaid again. */
async function endedOf(app: App, state: OpenOrders, at: Date): Promise<string[]> {
  const ended = await Promise.all(
    [...state.keys()].map(async orderId => {
      const order = await readableState(app.orders, orderId)
      if (order === undefined) return []
      const isOpen = order.status === 'submitted' || order.status === 'pending'
      return isOpen && !isDue(order, at.getTime()) ? [] : [orderId]
    }),
  )
  return ended.flat()
}

async function isStaff(app: App, customerId: string): Promise<boolean> {
  const { state } = await app.customers.load(customerId)
  return state.status === 'registered' && state.roles.some(role => role !== 'customer')
}

/** Refuses sums beyond 2^53, which are not exact. */
export function refuseUncountable(totals: readonly Money[]): Rejection | undefined {
  const amount = totals.reduce((total, money) => total + money.amount, 0)
  if (Number.isSafeInteger(amount)) return undefined
  return reject('cart/quantity-limit', 'This comes to more than can be counted.')
}
