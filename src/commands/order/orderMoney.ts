// What an order's process asks of the payment provider, each time announced in the log before.

import { isRejection } from '../../domain/kernel/rejection.ts'
import { disputesInFavour } from '../../domain/order/disputes.ts'
import type { Payment, PlacedOrder } from '../../domain/order/order.ts'
import { failPayment, refund } from '../../domain/order/orderDecisions.ts'
import {
  acceptLatePayment,
  failRefund,
  lateReturned,
  receivePayment,
  refuseLate,
  requestRefund,
  undecidedLate,
} from '../../domain/order/orderPayments.ts'
import { isTransient } from '../../kit/transient.ts'
import type { ChargeAnswer } from '../../ports/payments.ts'
import { derivedId } from '../core/ids.ts'
import { type Step, stepOf } from './orderStep.ts'
import { promiseStock, settleStock } from './orderStock.ts'

/** A provider that does not answer leaves the step open: whoever comes next asks again. */
async function answerOf<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isTransient(error)) return undefined
    throw error
  }
}

/** Asks for an open payment, or calls it off when the order cannot take it any more. */
export function completePayment(at: Step, payment: Payment): Promise<ChargeAnswer> {
  return endPayment(at, payment, at.order.status === 'pending' ? 'charge' : 'cancel')
}

/**
 * Calls off a payment that waits for its customer to act, when they would rather try another. Only
 * what the provider has called off makes room, so that nothing is paid twice. False when the
 * payment is under way.
 */
export async function cancelPendingPayment(at: Step): Promise<boolean> {
  const payment = at.order.openPayment
  if (payment === null) return true
  // Somebody may have acted just now.
  const answer = await completePayment(at, payment)
  if (answer.status === 'processing') return false
  if (answer.status !== 'requires_action') return true
  const { status } = await endPayment(at, payment, 'cancel')
  return status === 'captured' || status === 'declined'
}

/** Asks the provider that has the payment, and records its end. */
async function endPayment(
  at: Step,
  { paymentId, provider, method }: Payment,
  ask: 'charge' | 'cancel',
): Promise<ChargeAnswer> {
  const { app, order } = at
  // Another provider would charge anew: such a payment waits until its own is configured again.
  if (provider !== app.payments.name) return { status: 'processing' }
  const { orderId, total, expiresAt } = order
  const charge = { paymentId, orderId, amount: total, method, expiresAt }
  const answer = (await answerOf(app.payments[ask](charge))) ?? { status: 'processing' as const }
  if (answer.status === 'captured' || answer.status === 'declined') {
    await app.orders.decide(orderId, stepOf(at, `payment/${paymentId}/${answer.status}`), state =>
      answer.status === 'captured'
        ? receivePayment(state, { paymentId, provider, reference: answer.reference })
        : failPayment(state, paymentId, answer.reason),
    )
  }
  return answer
}

/** Decides about late money, and sends back what the order cannot take; false when none is left. */
export async function settleLate(at: Step): Promise<boolean> {
  const { app, order } = at
  const [undecided] = undecidedLate(order)
  if (undecided !== undefined) return decideLate(at, undecided[0])
  for (const [paymentId, { refundId, amount, provider, returned }] of order.late) {
    if (refundId === null || returned) continue
    const answer = await refundAtProvider(at, { refundId, paymentId, provider, amount })
    if (answer?.status !== 'refunded') continue
    const step = stepOf(at, `late-returned/${paymentId}`)
    await app.orders.decide(order.orderId, step, state => lateReturned(state, paymentId))
    return true
  }
  return false
}

/** The goods of an expired order may still be there: then it is paid after all. */
async function decideLate(at: Step, paymentId: string): Promise<boolean> {
  const { app, order } = at
  let isPromised = false
  if (order.status === 'expired') {
    await settleStock(at, 'release', order.round - 1)
    isPromised = (await promiseStock(at)).size === 0
  }
  const refundId = derivedId(paymentId, 'refund/late')
  const reason = 'The payment came when the order could not take it any more.'
  const step = stepOf(at, `late/${paymentId}/${isPromised ? 'taken' : 'refused'}`)
  const outcome = await app.orders.decide(order.orderId, step, state =>
    isPromised
      ? acceptLatePayment(state, paymentId)
      : refuseLate(state, { paymentId, refundId, reason }),
  )
  return !isRejection(outcome)
}

/** Finishes the refunds that were announced; false when none of them came to an end. */
export async function completeRefunds(at: Step): Promise<boolean> {
  const { app, order } = at
  const { orderId, paidBy } = order
  for (const [refundId, { amount, reason }] of order.openRefunds) {
    const { paymentId, provider } = paidBy ?? { paymentId: orderId, provider: 'none' }
    const answer = await refundAtProvider(at, { refundId, paymentId, provider, amount })
    if (answer === undefined) continue
    const step = stepOf(at, `refund/${refundId}`)
    const outcome = await app.orders.decide(orderId, step, state =>
      answer.status === 'refunded'
        ? refund(state, { refundId, amount, reason })
        : failRefund(state, refundId, answer.reason),
    )
    // What cannot be recorded stays open, and is found when the books are compared.
    if (!isRejection(outcome)) return true
  }
  return false
}

interface Back {
  refundId: string
  paymentId: string
  provider: string
  amount: PlacedOrder['total']
}

/** What came through another provider stays open until somebody says that it is paid back. */
async function refundAtProvider({ app }: Step, { provider, ...refund }: Back) {
  if (provider !== app.payments.name) return undefined
  return answerOf(app.payments.refund(refund))
}

/** Announces what a cancelled order owes; false when it cannot owe that. */
export async function oweRefund(at: Step): Promise<boolean> {
  const { app, order } = at
  // A dispute that ends for the shop brings back money that is owed, too.
  const more = disputesInFavour(order.disputes)
  const again = more === 0 ? '' : `/${more}`
  const outcome = await app.orders.decide(order.orderId, stepOf(at, `owe${again}`), state =>
    requestRefund(state, {
      refundId: derivedId(order.orderId, `refund/cancelled${again}`),
      amount: { amount: order.refundDue, currency: order.total.currency },
      reason: 'The order was cancelled.',
    }),
  )
  return !isRejection(outcome)
}
