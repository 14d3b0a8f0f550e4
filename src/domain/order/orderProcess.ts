// The order process as a table: the steps that the state of an order calls for, and no step that
// it shows as done.
import type { Money } from '../kernel/types.ts'
import { disputesInFavour } from './disputes.ts'
import { isDue, type LatePayment, type Payment, type PlacedOrder } from './order.ts'

/** One step. Its id is the same in every process that runs it. */
export type Step = { id: string } & (
  | { type: 'place' | 'expire' }
  | { type: 'release' | 'commit'; round: number }
  | { type: 'acceptLatePayment' | 'refuseLatePayment'; paymentId: string }
  | ({ type: 'returnLatePayment' | 'refund' } & RefundStep)
  | { type: 'requestRefund'; amount: Money; refundName: string }
  | { type: 'charge' | 'cancelPayment'; payment: Payment }
)

/** Money that the payment provider is asked to pay back. */
export interface RefundStep {
  refundId: string
  paymentId: string
  provider: string
  amount: Money
  reason: string
}

/** The steps that an order calls for at a time in milliseconds, in the order in which they run. */
export function nextSteps(order: PlacedOrder, now: number): Step[] {
  if (order.status === 'submitted') return [{ type: 'place', id: 'place' }]
  if (isDue(order, now)) return [{ type: 'expire', id: 'expire' }]
  return [
    ...stockSteps(order),
    ...[...order.late].flatMap(([paymentId, late]) => latePaymentSteps(order, paymentId, late)),
    ...refundSteps(order),
    ...paymentSteps(order),
  ]
}

function stockSteps({ status, handedOver, late, round }: PlacedOrder): Step[] {
  if (handedOver) return [{ type: 'commit', id: stockStep('commit', round), round }]
  // A late payment may still get the goods of an expired order.
  const mayBePaid = status === 'expired' && [...late.values()].some(each => each.refundId === null)
  const isEnded = ['rejected', 'expired', 'cancelled', 'refunded'].includes(status)
  return isEnded && !mayBePaid ? [{ type: 'release', id: stockStep('release', round), round }] : []
}

/** The first round has no number: its ids are those of orders from before there were rounds. */
export function stockStep(type: 'reserve' | 'release' | 'commit', round: number): string {
  return round === 0 ? type : `${type}-${round}`
}

function latePaymentSteps(
  { status }: PlacedOrder,
  paymentId: string,
  { refundId, provider, amount, returned }: LatePayment,
): Step[] {
  if (refundId === null) {
    const type = status === 'expired' ? 'acceptLatePayment' : 'refuseLatePayment'
    return [{ type, id: `${type}/${paymentId}`, paymentId }]
  }
  if (returned) return []
  const refund = { refundId, paymentId, provider, amount, reason: '' }
  return [{ type: 'returnLatePayment', id: `late-returned/${paymentId}`, ...refund }]
}

function refundSteps({ orderId, status, paidBy, openRefunds, ...order }: PlacedOrder): Step[] {
  const { paymentId, provider } = paidBy ?? { paymentId: orderId, provider: 'none' }
  const steps = [...openRefunds].map(([refundId, { amount, reason }]): Step => {
    const refund = { refundId, paymentId, provider, amount, reason }
    return { type: 'refund', id: `refund/${refundId}`, ...refund }
  })
  if (status !== 'cancelled' || order.refundDue === 0) return steps
  // A dispute that ends in favour of the shop brings back money that is due, too.
  const won = disputesInFavour(order.disputes)
  const suffix = won === 0 ? '' : `/${won}`
  const amount = { amount: order.refundDue, currency: order.total.currency }
  const refundName = `refund/cancelled${suffix}`
  return [...steps, { type: 'requestRefund', id: `owe${suffix}`, amount, refundName }]
}

function paymentSteps({ status, openPayment }: PlacedOrder): Step[] {
  if (openPayment === null) return []
  const type = status === 'pending' ? 'charge' : 'cancelPayment'
  return [{ type, id: `${type}/${openPayment.paymentId}`, payment: openPayment }]
}
