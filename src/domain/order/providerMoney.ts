// Reports of the payment provider: refunds that were made in its dashboard or have failed, and
// disputes. Each is recorded once, in any order.
import type { Decision } from '../kernel/aggregate.ts'
import { formatMoney } from '../kernel/money.ts'
import { type Rejection, reject } from '../kernel/rejection.ts'
import type { Money } from '../kernel/types.ts'
import { type Dispute, isNewer } from './disputes.ts'
import type { LatePayment, Order, OrderEvent, PlacedOrder } from './order.ts'
import { failRefund } from './orderPayments.ts'

export interface ProviderRefund {
  /** The shop's own id of it, or one that follows from the provider's. */
  refundId: string
  paymentId: string
  provider: string
  /** The provider's own name for it. */
  reference: string
  amount: Money
  hasFailed: boolean
}

/** The reason of refunds that no admin has made here. */
export const madeAtProvider = 'Refunded at the payment provider.'
const didNotArrive = 'The payment provider could not pay it back.'

/** Records a refund as the provider has it. */
export function recordRefund(state: Order, input: ProviderRefund): Decision<OrderEvent> {
  const refused = refuseStranger(state, input)
  if (refused !== undefined || state.status === 'none') return refused ?? unknownPayment()
  const late = state.late.get(input.paymentId)
  if (late !== undefined) return recordLate(state, late, input)
  const { refundId, amount, reference } = input
  const { orderId } = state
  // A failure is final: any other report is older.
  if (state.failedRefunds.includes(refundId)) return []
  if (input.hasFailed) return recordFailure(state, input)
  if (state.refunds.includes(refundId)) return []
  const left = { amount: state.captured - state.refunded, currency: amount.currency }
  if (amount.amount > left.amount) {
    const detail = `Only ${formatMoney(left)} of what was paid is left.`
    return reject('order/refund-exceeds-capture', detail, { refundable: left })
  }
  const announced = state.openRefunds.get(refundId)
  const said =
    announced === undefined
      ? { reason: madeAtProvider, reference, provider: input.provider }
      : { reason: announced.reason }
  return [{ type: 'OrderRefunded', data: { orderId, refundId, amount, ...said } }]
}

function recordFailure(state: PlacedOrder, { refundId, amount, provider }: ProviderRefund) {
  const { orderId } = state
  const reason = didNotArrive
  if (state.openRefunds.has(refundId)) return failRefund(state, refundId, reason)
  if (state.refunds.includes(refundId)) {
    if (amount.amount > state.refunded) {
      return reject('payment/mismatch', 'More did not arrive than was paid back.')
    }
    return [{ type: 'RefundReversed', data: { orderId, refundId, amount, reason } } as const]
  }
  // This is the first report of it.
  const requested = { orderId, refundId, amount, reason: madeAtProvider, provider }
  return [
    { type: 'RefundRequested', data: requested } as const,
    { type: 'RefundFailed', data: { orderId, refundId, reason } } as const,
  ]
}

/** A late payment goes back as a whole. */
function recordLate(
  { orderId }: PlacedOrder,
  late: LatePayment,
  { paymentId, refundId, amount, hasFailed }: ProviderRefund,
): Decision<OrderEvent> {
  if (hasFailed && late.returned) {
    return reject('payment/mismatch', 'The refund of a late payment did not arrive.')
  }
  if (late.returned || hasFailed) return []
  if (amount.amount !== late.amount.amount) {
    const detail = `Not the ${formatMoney(late.amount)} that came late.`
    return reject('payment/mismatch', detail)
  }
  const back = { orderId, paymentId, refundId: late.refundId ?? refundId, amount }
  const returned: OrderEvent = { type: 'LatePaymentReturned', data: back }
  if (late.refundId !== null) return [returned]
  const refused = { ...back, reason: madeAtProvider }
  return [{ type: 'LatePaymentRefused', data: refused }, returned]
}

export type ProviderDispute = Dispute & { disputeId: string; provider: string }

/** Records a dispute as the provider has it. */
export function recordDispute(state: Order, input: ProviderDispute): Decision<OrderEvent> {
  const refused = refuseStranger(state, input)
  if (refused !== undefined || state.status === 'none') return refused ?? unknownPayment()
  const { disputeId, amount, stage, outcome, dueBy, asOf } = input
  const { orderId } = state
  const known = state.disputes.get(disputeId)
  const events: OrderEvent[] = []
  if (known === undefined) {
    const { outcome: _, ...opened } = input
    events.push({ type: 'DisputeOpened', data: { orderId, ...opened } })
  }
  if (outcome !== null) {
    const isOld = known !== undefined && known.outcome !== null && asOf < known.asOf
    if (known?.outcome === outcome || isOld) return []
    return [
      ...events,
      { type: 'DisputeClosed', data: { orderId, disputeId, amount, outcome, asOf } },
    ]
  }
  const isChange = known?.outcome === null && isNewer(input, known) && !isSame(input, known)
  if (!isChange) return events
  return [{ type: 'DisputeChanged', data: { orderId, disputeId, amount, stage, dueBy, asOf } }]
}

function isSame(one: Dispute, other: Dispute): boolean {
  const isSameAmount = one.amount.amount === other.amount.amount
  return isSameAmount && one.stage === other.stage && one.dueBy === other.dueBy
}

function unknownPayment(): Rejection {
  return reject('payment/unknown', 'No order of this shop has this payment.')
}

/** Whether an order has a payment of a provider. */
function hasPayment(state: PlacedOrder, paymentId: string, provider: string): boolean {
  const { paidBy, late } = state
  if (paidBy?.paymentId === paymentId) return paidBy.provider === provider
  return late.get(paymentId)?.provider === provider
}

/** Refuses what is about no payment of the order, or about money of another kind. */
function refuseStranger(
  state: Order,
  { paymentId, provider, amount }: { paymentId: string; provider: string; amount: Money },
): Rejection | undefined {
  if (state.status === 'none' || !hasPayment(state, paymentId, provider)) return unknownPayment()
  const { currency } = state.total
  if (amount.currency === currency) return undefined
  const detail = `${formatMoney(amount)} for an order in ${currency}.`
  return reject('payment/mismatch', detail)
}
