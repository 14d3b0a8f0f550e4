// What has to be settled before a person can be erased: orders that somebody still has to act on.

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

/** Whether goods or money of an order are still owed, or a bank has to decide to whom they are. */
function isOwing(order: PlacedOrder): boolean {
  const { status, openPayment, openRefunds, refundDue, late, disputes } = order
  const isLateOpen = [...late.values()].some(({ returned, refundId }) => {
    return !returned && (refundId !== null || status !== 'paid')
  })
  const isMoneyMoving = openPayment !== null || openRefunds.size > 0 || refundDue > 0
  return status === 'paid' || isMoneyMoving || isLateOpen || hasOpenDispute(disputes)
}

/**
 * Refuses with the orders that are still owing. With `cancelOpen` they are cancelled and paid back
 * first; what cannot be settled now is refused. Those that wait to be paid are cancelled: nobody
 * can be written to about them, nor can they be sent. Throws Unavailable.
 */
export async function settleOpenOrders(
  app: App,
  envelope: Envelope,
  { orderIds, cancelOpen }: { orderIds: readonly string[]; cancelOpen: boolean },
): Promise<Rejection | undefined> {
  const before = await loadOrders(app, orderIds)
  const owing = cancelOpen ? undefined : refuseOwing(app, before)
  if (owing !== undefined) return owing
  const ending = before.filter(order => isOwing(order) || mayMove(order.status, 'cancelled'))
  const ended = await Promise.all(ending.map(order => endOrder(app, envelope, order)))
  const refused = ended.find(each => each?.rejected === 'command/forbidden')
  return refused ?? refuseOwing(app, await loadOrders(app, orderIds), cancelOpen)
}

/**
 * Ends what an order has come to beside the erasure of its customer, placed or paid by another
 * process at the same moment: it is cancelled, and its money goes back. False while a payment is
 * under way: ask again. Throws Unavailable.
 */
export async function endOrderOfErased(
  app: App,
  envelope: Envelope,
  orderId: string,
): Promise<boolean> {
  const { state } = await app.orders.load(orderId)
  if (state.status === 'none') return false
  // Who looks for such orders does it in tables that somebody else may have written.
  const customer = await app.customers.load(state.customerId)
  if (customer.state.status !== 'erased') return false
  return (await endOrder(app, envelope, state)) === undefined
}

async function endOrder(
  app: App,
  envelope: Envelope,
  order: PlacedOrder,
): Promise<Rejection | undefined> {
  const { orderId } = order
  if (order.status === 'pending') await cancelPendingPayment({ app, order, cause: envelope })
  const ended = await changeOrder(app, step(envelope, 'cancel', orderId), {
    orderId,
    allowed: () => true,
    decide: state =>
      state.status !== 'none' && mayMove(state.status, 'cancelled')
        ? cancel(state, 'The customer has asked to be erased.')
        : [],
  })
  return isRejection(ended) ? ended : undefined
}

function refuseOwing(
  app: App,
  orders: readonly PlacedOrder[],
  isCancelled = false,
): Rejection | undefined {
  const owing = orders.filter(isOwing).map(order => ({ order, manual: manualOf(app, order) }))
  if (owing.length === 0) return undefined
  const byHand = owing.reduce((count, { manual }) => count + manual.length, 0)
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
    orders: owing.map(({ order, manual: manualRefunds }) => {
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

/** Refunds of an order that nobody but a person pays back. */
function manualOf({ payments }: App, order: PlacedOrder) {
  return owedRefunds(order).filter(({ provider }) => provider !== payments.name)
}

function byHandSentence(count: number): string {
  const what = count === 1 ? 'One refund has' : `${count} refunds have`
  return `${what} to be paid back by hand and confirmed: see manualRefunds of each order.`
}
