// Decisions about an order. Each returns events, none if already done, or a rejection.
import type { Decision } from '../kernel/aggregate.ts'
import { formatMoney, sum } from '../kernel/money.ts'
import { refuseMixed } from '../kernel/oneCurrency.ts'
import { type Rejection, reject } from '../kernel/rejection.ts'
import { type Money, quantityMax } from '../kernel/types.ts'
import { disputedOf, hasOpenDispute, refuseContested } from './disputes.ts'
import {
  type Charge,
  type Delivery,
  demand,
  isDue,
  isFree,
  type Order,
  type OrderEvent,
  type OrderLine,
  type Payment,
  type PlacedOrder,
  refundable,
  type Submission,
} from './order.ts'
import { allowedTransitions, mayMove, type OrderStatus } from './orderStates.ts'

export const notFound = () => reject('order/not-found', 'There is no such order.')

/** Refuses a step that the table does not have, with those that it has. */
export function illegal(state: PlacedOrder, to: OrderStatus): Rejection {
  return reject('order/illegal-transition', `An order that is ${state.status} cannot be ${to}.`, {
    status: state.status,
    allowedTransitions: allowedTransitions(state.status),
  })
}

/** Records the order before any goods are reserved. */
export function submit(state: Order, input: Submission): Decision<OrderEvent> {
  if (state.status !== 'none') return []
  if (input.lines.length === 0 && input.charges.length === 0) {
    return reject('cart/empty', 'There is nothing to order.')
  }
  const mixed = refuseMixed(moneyOf(input), input.total.currency)
  if (mixed !== undefined) return mixed
  const most = Math.max(0, ...demand(input).values())
  if (most > quantityMax || !Number.isSafeInteger(input.total.amount)) {
    return reject('cart/quantity-limit', 'That is more than one order can hold.', {
      limit: quantityMax,
    })
  }
  return [{ type: 'OrderSubmitted', data: input }]
}

/** Every amount that the lines and charges of an order or of a return state. */
function moneyOf({ lines, charges }: { lines: readonly OrderLine[]; charges: readonly Charge[] }) {
  return [
    ...lines.flatMap(line => [line.unitPrice, line.total]),
    ...charges.map(each => each.amount),
  ]
}

/**
 * Concludes the placing. `refused` are the products that could not be reserved; `expiresAt` is the
 * deadline for payment. An order of nothing but free goods needs no payment.
 */
export function conclude(
  state: Order,
  refused: ReadonlySet<string>,
  expiresAt: number | null = null,
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.status !== 'submitted') return []
  const { orderId } = state
  if (refused.size === 0 && isFree(state)) {
    const free = { paymentId: orderId, provider: 'none', reference: 'nothing to pay' }
    return [
      { type: 'OrderPlaced', data: { orderId } },
      { type: 'OrderPaid', data: { orderId, ...free, amount: state.total } },
    ]
  }
  if (refused.size === 0) {
    const deadline: OrderEvent[] =
      expiresAt === null ? [] : [{ type: 'PaymentDeadlineSet', data: { orderId, expiresAt } }]
    return [{ type: 'OrderPlaced', data: { orderId } }, ...deadline]
  }
  const ordered = demand(state)
  const short = [...refused].map(productId => ({
    productId,
    sku: state.lines.find(line => line.productId === productId)?.sku ?? productId,
    wanted: ordered.get(productId) ?? 1,
  }))
  return [{ type: 'OrderRejected', data: { orderId, short } }]
}

export interface DeliveryMore {
  country?: string | undefined
  /** Why the staff changes it. */
  reason?: string | undefined
}

/** Changes the delivery of an order that has not been shipped. */
export function changeDelivery(
  state: Order,
  delivery: Delivery,
  { country, reason }: DeliveryMore = {},
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.status !== 'pending' && state.status !== 'paid') {
    return reject(
      'order/illegal-transition',
      `The delivery of a ${state.status} order is settled.`,
      {
        status: state.status,
        allowedTransitions: allowedTransitions(state.status),
      },
    )
  }
  const isElsewhere = country !== undefined && country !== state.country
  const same =
    state.delivery?.shippingAddress === delivery.shippingAddress &&
    state.delivery.phoneNumber === delivery.phoneNumber
  if (same && !isElsewhere) return []
  const { orderId, customerId } = state
  const more = { ...(isElsewhere ? { country } : {}), ...(reason === undefined ? {} : { reason }) }
  return [{ type: 'DeliveryDetailsChanged', data: { orderId, customerId, delivery, ...more } }]
}

/**
 * Requests a payment before the provider is asked, so that every charge has its order. `now` in
 * milliseconds: an order that is overdue is not paid, even where its expiry has not been recorded.
 */
export function requestPayment(state: Order, payment: Payment, now = 0): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.openPayment?.paymentId === payment.paymentId) return []
  if (state.paidBy?.paymentId === payment.paymentId) return []
  if (state.status === 'paid' && isFree(state)) return []
  if (state.status === 'expired' || isDue(state, now)) {
    return reject('order/expired', 'This order was not paid in its time: please order again.')
  }
  if (state.openPayment !== null) return paymentInProgress()
  if (state.status !== 'pending') return illegal(state, 'paid')
  const { orderId, total } = state
  return [{ type: 'PaymentRequested', data: { orderId, ...payment, amount: total } }]
}

function paymentInProgress() {
  return reject('order/payment-in-progress', 'A payment of this order is under way.')
}

/** Records a captured payment, which was requested before or made in another way. */
export function capture(
  state: Order,
  payment: Omit<Payment, 'method'> & { reference: string },
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.paidBy?.paymentId === payment.paymentId) return []
  if (state.openPayment !== null && state.openPayment.paymentId !== payment.paymentId) {
    return paymentInProgress()
  }
  if (state.status === 'paid' && isFree(state)) return []
  if (state.status !== 'pending') return illegal(state, 'paid')
  const { orderId, total } = state
  return [{ type: 'OrderPaid', data: { orderId, ...payment, amount: total } }]
}

/** Records a payment that the provider has declined. */
export function failPayment(state: Order, paymentId: string, reason: string): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.openPayment?.paymentId !== paymentId) return []
  return [{ type: 'PaymentFailed', data: { orderId: state.orderId, paymentId, reason } }]
}

/**
 * Ships the goods, or corrects the tracking number. Goods whose
 * payment is disputed or lost are shipped only with `acceptDispute`.
 */
export function ship(
  state: Order,
  tracking: string | undefined,
  acceptDispute = false,
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'shipped') {
    if (tracking === undefined || tracking === state.tracking) return []
    return [{ type: 'TrackingChanged', data: { orderId: state.orderId, tracking } }]
  }
  if (!mayMove(state.status, 'shipped')) return illegal(state, 'shipped')
  const data = { orderId: state.orderId, tracking: tracking ?? null }
  const refused = acceptDispute ? undefined : refuseContested(state.disputes)
  return refused ?? [{ type: 'OrderShipped', data }]
}

/** The goods have arrived. */
export function deliver(state: Order): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'delivered') return []
  if (!mayMove(state.status, 'delivered')) return illegal(state, 'delivered')
  return [{ type: 'OrderDelivered', data: { orderId: state.orderId } }]
}

/** Cancels an order before it is shipped; what was captured has to be refunded. */
export function cancel(state: Order, reason: string): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.status === 'cancelled') return []
  if (state.openPayment !== null) return paymentInProgress()
  if (!mayMove(state.status, 'cancelled')) return illegal(state, 'cancelled')
  const owed = refundable(state)
  const refund = owed > 0 ? { amount: owed, currency: state.total.currency } : null
  return [{ type: 'OrderCancelled', data: { orderId: state.orderId, reason, refund } }]
}

export interface Refund {
  refundId: string
  amount: Money
  reason: string
  reference?: string
}

/** Records money that was paid back; never more than was captured. */
export function refund(state: Order, input: Refund): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.refunds.includes(input.refundId)) return []
  // A requested refund is already deducted from `refundable`: it may use its own amount.
  const isAnnounced = state.openRefunds.has(input.refundId)
  const bound = isAnnounced ? state.captured - state.refunded : refundable(state)
  return (
    refuseRefund(state, input.amount, bound) ?? [
      { type: 'OrderRefunded', data: { orderId: state.orderId, ...input } },
    ]
  )
}

/** Rejects a refund above what is refundable; requested refunds count as refunded. */
export function refuseRefund(
  state: PlacedOrder,
  amount: Money,
  bound = refundable(state),
): Rejection | undefined {
  // A refund of nothing must not end an order that was not paid.
  if (state.captured === 0 && !mayMove(state.status, 'refunded')) return illegal(state, 'refunded')
  const left = { amount: Math.max(0, bound), currency: state.total.currency }
  if (amount.amount <= left.amount && amount.currency === left.currency) return undefined
  const isDisputed = disputedOf(state.disputes, state.paidBy?.paymentId) > 0
  const why = isDisputed ? ' The rest is disputed or was lost in a dispute.' : ''
  const detail = `At most ${formatMoney(left)} can be paid back.${why}`
  return reject('order/refund-exceeds-capture', detail, { refundable: left })
}

export interface Return {
  returnId: string
  reference: string
  lines: OrderLine[]
  charges: Charge[]
}

/** Returns goods for their price; never more pieces or money than were sold. */
export function returnItems(state: Order, input: Return): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.returns.includes(input.returnId)) return []
  if (!state.handedOver) return illegal(state, 'refunded')
  const sold = demand(state)
  for (const [productId, quantity] of demand(input)) {
    const left = (sold.get(productId) ?? 0) - (state.returned.get(productId) ?? 0)
    if (quantity > left) {
      return reject('order/refund-exceeds-capture', `Only ${left} pieces of it can come back.`)
    }
  }
  const mixed = refuseMixed(moneyOf(input), state.total.currency)
  if (mixed !== undefined) return mixed
  const parts = [...input.lines.map(line => line.total), ...input.charges.map(each => each.amount)]
  const amount = sum(parts, state.total.currency)
  return (
    refuseRefund(state, amount) ?? [
      { type: 'ItemsReturned', data: { orderId: state.orderId, ...input, amount } },
    ]
  )
}

/** The statuses in which the order process has no more steps. */
const finished: readonly OrderStatus[] = [
  'rejected',
  'delivered',
  'cancelled',
  'expired',
  'refunded',
]

/** Archives a finished order: it leaves the lists, and its events stay. */
export function archive(state: Order): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (state.archived) return []
  if (hasOpenDispute(state.disputes)) {
    return reject('order/not-finished', 'A dispute about this order is open.')
  }
  const isMoneyMoving = state.openRefunds.size > 0 || state.openPayment !== null
  if (!finished.includes(state.status) || isMoneyMoving) {
    return reject('order/not-finished', `An order that is ${state.status} is not finished.`, {
      status: state.status,
      allowedTransitions: allowedTransitions(state.status),
    })
  }
  return [{ type: 'OrderArchived', data: { orderId: state.orderId } }]
}
