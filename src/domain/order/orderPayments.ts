// Expiry, late payments and refunds.
import type { Decision } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import type { Money } from '../kernel/types.ts'
import {
  isDue,
  type Order,
  type OrderEvent,
  type Payment,
  type PlacedOrder,
  refundable,
} from './order.ts'
import { capture, notFound, type Refund, refund, refuseRefund } from './orderDecisions.ts'
import { importedMethod, isManual } from './paymentMethods.ts'

/** How long orders wait to be paid: through the provider, and by hand. */
export interface PaymentWindows {
  orderExpiryMs: number
  manualPaymentMs: number
}

/** Until when an order waits to be paid, in milliseconds; null for ever, as imported history. */
export function deadlineOf(state: Order, now: number, windows: PaymentWindows): number | null {
  if (state.status === 'none' || state.paymentMethod === importedMethod) return null
  const { orderExpiryMs, manualPaymentMs } = windows
  return now + (isManual(state.paymentMethod) ? manualPaymentMs : orderExpiryMs)
}

/** Ends an order that was not paid in its time; a payment that got there first wins. */
export function expire(state: Order, now: number): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  return isDue(state, now) ? [{ type: 'OrderExpired', data: { orderId: state.orderId } }] : []
}

export type Received = Omit<Payment, 'method'> & { reference: string }

/** Records a captured payment, also one that comes late. */
export function receivePayment(state: Order, payment: Received): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const { paymentId } = payment
  if (state.paidBy?.paymentId === paymentId || state.late.has(paymentId)) return []
  const isExpected = state.openPayment === null || state.openPayment.paymentId === paymentId
  if (state.status === 'pending' && isExpected) return capture(state, payment)
  const { orderId, total } = state
  return [{ type: 'LatePaymentReceived', data: { orderId, ...payment, amount: total } }]
}

/** Accepts a late payment of an expired order, whose goods have been reserved again. */
export function acceptLatePayment(state: Order, paymentId: string): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const late = state.late.get(paymentId)
  if (state.status !== 'expired' || late === undefined || late.refundId !== null) return []
  const { provider, reference, amount } = late
  const { orderId } = state
  return [{ type: 'OrderPaid', data: { orderId, paymentId, provider, reference, amount } }]
}

/** Refuses a late payment: the money goes back. */
export function refuseLatePayment(
  state: Order,
  input: { paymentId: string; refundId: string; reason: string },
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const late = state.late.get(input.paymentId)
  if (late === undefined || late.refundId !== null) return []
  const { orderId } = state
  return [{ type: 'LatePaymentRefused', data: { orderId, ...input, amount: late.amount } }]
}

/** Records that a late payment has been paid back. */
export function returnLatePayment(state: Order, paymentId: string): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const late = state.late.get(paymentId)
  if (late === undefined || late.refundId === null || late.returned) return []
  const { refundId, amount } = late
  const { orderId } = state
  return [{ type: 'LatePaymentReturned', data: { orderId, paymentId, refundId, amount } }]
}

export type RefundRequest = Omit<Refund, 'amount'> & {
  /** Everything that is left, where it is left out. */
  amount?: Money | undefined
}

/** Requests a refund before the provider is asked: the amount is set aside from now on. */
export function requestRefund(state: Order, input: RefundRequest): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const { refundId, reason } = input
  if (state.refunds.includes(refundId) || state.openRefunds.has(refundId)) return []
  const left = { amount: refundable(state), currency: state.total.currency }
  // A refund of the rest is refused where nothing is left.
  const amount = input.amount ?? { ...left, amount: Math.max(1, left.amount) }
  const { orderId } = state
  return (
    refuseRefund(state, amount) ?? [
      { type: 'RefundRequested', data: { orderId, refundId, amount, reason } },
    ]
  )
}

export interface OwedRefund {
  refundId: string
  amount: Money
  /** The provider that has the money. */
  provider: string
}

/** Refunds that were requested and have not arrived, also of late payments. */
export function owedRefunds(state: PlacedOrder): OwedRefund[] {
  const provider = state.paidBy?.provider ?? 'none'
  const refunds = [...state.openRefunds].map(([refundId, { amount }]) => ({
    refundId,
    amount,
    provider,
  }))
  const late = [...state.late.values()].flatMap(({ refundId, amount, returned, ...each }) =>
    refundId === null || returned ? [] : [{ refundId, amount, provider: each.provider }],
  )
  return [...refunds, ...late]
}

/**
 * Records a refund that a person has paid back by hand. Refunds of the provider `automatic` are
 * refused: it pays them back itself.
 */
export function confirmRefund(
  state: Order,
  { refundId, reference }: { refundId: string; reference: string | undefined },
  automatic: string,
): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  const late = [...state.late].find(([, each]) => each.refundId === refundId)
  if (state.refunds.includes(refundId) || late?.[1].returned === true) return []
  const owed = owedRefunds(state).find(each => each.refundId === refundId)
  if (owed === undefined) return reject('order/refund-not-found', 'There is no such open refund.')
  if (owed.provider === automatic) {
    return reject('order/refund-automatic', `${automatic} pays this back by itself.`)
  }
  if (late !== undefined) return returnLatePayment(state, late[0])
  const reason = state.openRefunds.get(refundId)?.reason ?? ''
  const given = reference === undefined ? {} : { reference }
  return refund(state, { refundId, amount: owed.amount, reason, ...given })
}

/** Records that the provider has declined a refund: the amount can be refunded again. */
export function failRefund(state: Order, refundId: string, reason: string): Decision<OrderEvent> {
  if (state.status === 'none') return notFound()
  if (!state.openRefunds.has(refundId)) return []
  return [{ type: 'RefundFailed', data: { orderId: state.orderId, refundId, reason } }]
}
