// Unfinished orders, which keep a person from being erased.

import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { hasOpenDispute } from '../../domain/order/disputes.ts'
import type { PlacedOrder } from '../../domain/order/order.ts'
import { cancel } from '../../domain/order/orderDecisions.ts'
import { owedRefunds } from '../../domain/order/orderPayments.ts'
import { mayMove } from '../../domain/order/orderStates.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { step } from '../core/envelope.ts'
import { changeOrder, loadOrders } from './order.ts'
import { cancelPendingPayment } from './orderSteps.ts'

/** Whether goods or money of an order are owed, or a dispute is open. */
function isUnfinished(order: PlacedOrder): boolean {
  const { status, openPayment, openRefunds, refundDue, late, disputes } = order
  const isLateOpen = [...late.values()].some(({ returned, refundId }) => {
    return !returned && (refundId !== null || status !== 'paid')
  })
  const isMoneyMoving = openPayment !== null || openRefunds.size > 0 || refundDue > 0
  return status === 'paid' || isMoneyMoving || isLateOpen || hasOpenDispute(disputes)
}

/**
 * Refuses where orders are unfinished. With `cancelOpen` those that can be cancelled are cancelled
 * and refunded first, and so are all unpaid ones. Throws Unavailable.
 */
export async function cancelOrRefuseOpenOrders(
  app: App,
  envelope: Envelope,
  { orderIds, cancelOpen }: { orderIds: readonly string[]; cancelOpen: boolean },
): Promise<Rejection | undefined> {
  const before = await loadOrders(app, orderIds)
  const unfinished = cancelOpen ? undefined : refuseUnfinished(app, before)
  if (unfinished !== undefined) return unfinished
  const cancellable = before.filter(
    order => isUnfinished(order) || mayMove(order.status, 'cancelled'),
  )
  const cancelled = await Promise.all(cancellable.map(order => cancelOrder(app, envelope, order)))
  const refused = cancelled.find(each => each?.rejected === 'command/forbidden')
  return refused ?? refuseUnfinished(app, await loadOrders(app, orderIds), cancelOpen)
}

/**
 * Cancels and refunds an order that was placed or paid while its customer was being erased. False
 * while a payment is under way: ask again. Throws Unavailable.
 */
export async function endOrderOfErased(
  app: App,
  envelope: Envelope,
  orderId: string,
): Promise<boolean> {
  const { state } = await app.orders.load(orderId)
  if (state.status === 'none') return false
  // The caller found the order in tables, which may have been tampered with.
  const customer = await app.customers.load(state.customerId)
  if (customer.state.status !== 'erased') return false
  return (await cancelOrder(app, envelope, state)) === undefined
}

async function cancelOrder(
  app: App,
  envelope: Envelope,
  order: PlacedOrder,
): Promise<Rejection | undefined> {
  const { orderId } = order
  if (order.status === 'pending') await cancelPendingPayment({ app, order, cause: envelope })
  const cancelled = await changeOrder(app, step(envelope, 'cancel', orderId), {
    orderId,
    allowed: () => true,
    decide: state =>
      state.status !== 'none' && mayMove(state.status, 'cancelled')
        ? cancel(state, 'The customer has asked to be erased.')
        : [],
  })
  return isRejection(cancelled) ? cancelled : undefined
}

function refuseUnfinished(
  app: App,
  orders: readonly PlacedOrder[],
  isCancelled = false,
): Rejection | undefined {
  const unfinished = orders
    .filter(isUnfinished)
    .map(order => ({ order, manual: manualRefundsOf(app, order) }))
  if (unfinished.length === 0) return undefined
  const byHand = unfinished.reduce((count, { manual }) => count + manual.length, 0)
  const detail = [
    'Some orders are not finished: they are to be sent, money is on its way, or a bank has still ' +
      'to decide.',
    byHand === 0 ? [] : byHandSentence(byHand),
    isCancelled
      ? 'What can be cancelled is cancelled: ask again once the rest is settled.'
      : 'Wait until they are, or ask for those that can be cancelled to be cancelled and paid ' +
        'back with cancelOpenOrders.',
  ]
  return reject('customer/open-orders', detail.flat().join(' '), {
    orders: unfinished.map(({ order, manual: manualRefunds }) => {
      const { orderId, orderNumber, status, openRefunds, openPayment, disputes } = order
      return {
        ...{ orderId, orderNumber, status, openRefunds: openRefunds.size },
        paymentUnderWay: openPayment !== null,
        openDispute: hasOpenDispute(disputes),
        manualRefunds,
      }
    }),
  })
}

/** Refunds of an order that a person has to pay back. */
function manualRefundsOf({ payments }: App, order: PlacedOrder) {
  return owedRefunds(order).filter(({ provider }) => provider !== payments.name)
}

function byHandSentence(count: number): string {
  const what = count === 1 ? 'One refund has' : `${count} refunds have`
  return `${what} to be paid back by hand and confirmed: see manualRefunds of each order.`
}
