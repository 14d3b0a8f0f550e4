// The handlers of the order process: one for each type of step.
import { checkOut } from '../../domain/cart/cart.ts'
import type { Decision } from '../../domain/kernel/aggregate.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import {
  demand,
  type Order,
  type OrderEvent,
  type Payment,
  type PlacedOrder,
} from '../../domain/order/order.ts'
import { conclude, failPayment, refund } from '../../domain/order/orderDecisions.ts'
import {
  acceptLatePayment,
  deadlineOf,
  expire,
  failRefund,
  receivePayment,
  refuseLatePayment,
  requestRefund,
  returnLatePayment,
} from '../../domain/order/orderPayments.ts'
import { type RefundStep, type Step, stockStep } from '../../domain/order/orderProcess.ts'
import {
  commit,
  isReserved,
  release,
  reserve,
  reserveAgain,
  type Stock,
} from '../../domain/stock/stock.ts'
import type { Position } from '../../kit/position.ts'
import { settleAll } from '../../kit/settleAll.ts'
import { isTransient } from '../../kit/transient.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { ChargeAnswer } from '../../ports/payments.ts'
import type { App } from '../core/app.ts'
import { processStep } from '../core/envelope.ts'
import { derivedId } from '../core/ids.ts'
import { isClosed } from '../core/openAccount.ts'
import type { Outcome } from '../core/plan.ts'
import { claimUnpaidOrder } from './unpaidLimits.ts'

export interface StepContext {
  app: App
  order: PlacedOrder
  cause: Envelope
}

export interface StepResult {
  /** The outcome of the decision on the order; undefined if there was none. */
  outcome?: Outcome<Order>
  /** Positions of the step in other streams. */
  positions?: readonly Position[]
  payment?: ChargeAnswer
}

/** Runs one step. Throws Unavailable, and PoisonEvent or BrokenStream. */
export function runStep(context: StepContext, step: Step): Promise<StepResult> {
  switch (step.type) {
    case 'place':
      return place(context)
    case 'expire':
      return decide(context, step.id, state => expire(state, context.cause.at.getTime()))
    case 'release':
    case 'commit':
      return endReservations(context, step.type, step.round)
    case 'acceptLatePayment':
      return acceptLate(context, step.paymentId)
    case 'refuseLatePayment':
      return refuseLate(context, step.paymentId)
    case 'returnLatePayment':
      return refundAtProvider(context, step, {
        refunded: state => returnLatePayment(state, step.paymentId),
      })
    case 'refund': {
      const { refundId, amount, reason } = step
      return refundAtProvider(context, step, {
        refunded: state => refund(state, { refundId, amount, reason }),
        failed: (state, why) => failRefund(state, refundId, why),
      })
    }
    case 'requestRefund': {
      const refundId = derivedId(context.order.orderId, step.refundName)
      const request = { refundId, amount: step.amount, reason: 'The order was cancelled.' }
      return decide(context, step.id, state => requestRefund(state, request))
    }
    case 'charge':
      return askForPayment(context, 'charge', step.payment)
    case 'cancelPayment':
      return askForPayment(context, 'cancel', step.payment)
  }
}

/** Decides on the order itself. */
async function decide(
  { app, order, cause }: StepContext,
  id: string,
  decision: (state: Order) => Decision<OrderEvent>,
): Promise<StepResult> {
  const envelope = processStep(cause, order.orderId, id)
  return { outcome: await app.orders.decide(order.orderId, envelope, decision) }
}

/** Reserves the goods, checks the cart out and concludes: the order is placed or rejected. */
async function place(context: StepContext): Promise<StepResult> {
  const { app, order, cause } = context
  const isImported = cause.source !== undefined
  const [short, isGone, isClaimed] = await Promise.all([
    reserveGoods(context),
    // Checked once the order is in the log: an erasure that began before it finds it there.
    isImported ? false : isClosed(app, order.customerId),
    isImported || claimUnpaidOrder(context),
  ])
  const all = new Set(order.lines.map(line => line.productId))
  const isRefused = isGone || !isClaimed || (short.size === 0 && !(await checkOutCart(context)))
  return decide(context, 'conclude', state => {
    const deadline = deadlineOf(state, cause.at.getTime(), app)
    return conclude(state, isRefused ? all : short, deadline)
  })
}

/** False if the cart was changed, or checked out by another order. */
async function checkOutCart({ app, order, cause }: StepContext): Promise<boolean> {
  const { cartId, orderId, lines } = order
  if (cartId === null) return true
  const outcome = await app.carts.decide(cartId, processStep(cause, orderId, 'check-out'), state =>
    checkOut(state, cartId, orderId, lines),
  )
  return !isRejection(outcome)
}

/** Reserves what the order needs. Answers the products of which there are too few. */
async function reserveGoods({ app, order, cause }: StepContext): Promise<ReadonlySet<string>> {
  const { orderId, round } = order
  const isFirst = round === 0
  const deadline = deadlineOf(order, cause.at.getTime(), app)
  // A repeated reservation has no deadline: its order is paid.
  const until = isFirst && deadline !== null ? { deadline } : {}
  const short = await settleAll(
    [...demand(order)].map(async ([productId, quantity]) => {
      const reservation = { productId, orderId, quantity, ...until }
      const id = `${stockStep('reserve', round)}/${productId}`
      const decide = (state: Stock) =>
        isFirst ? reserve(state, reservation) : reserveAgain(state, reservation)
      // First reservations are recognised by the state: recording the key of each would take
      // most of the memory of popular products.
      const idempotency = isFirst ? 'state' : 'key'
      const envelope = processStep(cause, orderId, id)
      const outcome = await app.stock.decide(productId, envelope, decide, { idempotency })
      return !isRejection(outcome) && isReserved(outcome.state, orderId) ? [] : [productId]
    }),
  )
  return new Set(short.flat())
}

/**
 * Releases or commits the reservations of a round. Each round has ids of its own: a process that
 * is late with the release of an earlier round does not release a later one.
 */
async function endReservations(
  { app, order, cause }: StepContext,
  type: 'release' | 'commit',
  round: number,
): Promise<StepResult> {
  const { orderId } = order
  const end = type === 'release' ? release : commit
  const outcomes = await settleAll(
    [...demand(order).keys()].map(productId => {
      const envelope = processStep(cause, orderId, `${stockStep(type, round)}/${productId}`)
      return app.stock.decide(productId, envelope, state => end(state, productId, orderId))
    }),
  )
  return {
    positions: outcomes.flatMap(outcome => (isRejection(outcome) ? [] : [outcome.position])),
  }
}

/** Reserves the goods of an expired order again: then it is paid, else the money goes back. */
async function acceptLate(context: StepContext, paymentId: string): Promise<StepResult> {
  await endReservations(context, 'release', context.order.round - 1)
  const short = await reserveGoods(context)
  if (short.size > 0) return refuseLate(context, paymentId)
  return decide(context, `late/${paymentId}/taken`, state => acceptLatePayment(state, paymentId))
}

function refuseLate(context: StepContext, paymentId: string): Promise<StepResult> {
  const refundId = derivedId(paymentId, 'refund/late')
  const reason = 'The payment came when the order could not take it any more.'
  return decide(context, `late/${paymentId}/refused`, state =>
    refuseLatePayment(state, { paymentId, refundId, reason }),
  )
}

interface RefundDecisions {
  refunded(state: Order): Decision<OrderEvent>
  failed?(state: Order, reason: string): Decision<OrderEvent>
}

/** A refund of another provider's money stays open until a person confirms it. */
async function refundAtProvider(
  context: StepContext,
  { id, refundId, paymentId, provider, amount }: RefundStep & { id: string },
  { refunded, failed }: RefundDecisions,
): Promise<StepResult> {
  const { payments } = context.app
  if (provider !== payments.name) return {}
  const answer = await unlessTransient(payments.refund({ refundId, paymentId, amount }))
  if (answer?.status === 'refunded') return decide(context, id, refunded)
  if (answer === undefined || failed === undefined) return {}
  return decide(context, id, state => failed(state, answer.reason))
}

/** The answer of a provider; undefined where it cannot answer now, and is asked again later. */
async function unlessTransient<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isTransient(error)) return undefined
    throw error
  }
}

type PaymentResult = StepResult & { payment: ChargeAnswer }

/** Asks the provider to charge or to cancel a payment, and records how that has ended. */
async function askForPayment(
  context: StepContext,
  ask: 'charge' | 'cancel',
  { paymentId, provider, method }: Payment,
): Promise<PaymentResult> {
  const { orderId, total, expiresAt } = context.order
  const { payments } = context.app
  // Another provider would charge again: such a payment waits until its own is configured.
  if (provider !== payments.name) return { payment: { status: 'processing' } }
  const charge = { paymentId, orderId, amount: total, method, expiresAt }
  const payment = (await unlessTransient(payments[ask](charge))) ?? { status: 'processing' }
  if (payment.status !== 'captured' && payment.status !== 'declined') return { payment }
  const result = await decide(context, `payment/${paymentId}/${payment.status}`, state =>
    payment.status === 'captured'
      ? receivePayment(state, { paymentId, provider, reference: payment.reference })
      : failPayment(state, paymentId, payment.reason),
  )
  return { ...result, payment }
}

/**
 * Cancels a payment that waits for its customer, who may then pay in another way: only a payment
 * that the provider has cancelled cannot be captured too. False while a payment is under way.
 */
export async function cancelPendingPayment(context: StepContext): Promise<boolean> {
  const { openPayment } = context.order
  if (openPayment === null) return true
  // The customer may have acted just now.
  const ask = context.order.status === 'pending' ? 'charge' : 'cancel'
  const { payment } = await askForPayment(context, ask, openPayment)
  if (payment.status === 'processing') return false
  if (payment.status !== 'requires_action') return true
  const cancelled = await askForPayment(context, 'cancel', openPayment)
  return cancelled.payment.status === 'captured' || cancelled.payment.status === 'declined'
}
