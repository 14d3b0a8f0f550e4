// Checks of orders by replaying them: legal steps, one payment, money that adds up, emptied carts.
import { type Order, type OrderEvent, order } from '../../domain/order.ts'
import { mayMove, type OrderStatus } from '../../domain/orderStates.ts'
import type { ReadEvent } from '../../projections/projection.ts'
import type { LogCheck } from './logCheck.ts'
import type { Part } from './parts.ts'

type OrderStep = ReadEvent & OrderEvent

interface Last {
  event: ReadEvent | undefined
  taken: ReturnType<OrderBook['take']>
}

/** Where each order is, by the domain's own fold. */
export interface OrderBook {
  orders: Map<string, { state: Order; changedAt: Date }>
  /** Takes an event; gives the order before and after it, undefined when it is no order's. */
  take(event: ReadEvent | undefined): { event: OrderStep; before: Order; after: Order } | undefined
  /** Whether nobody can be at work on this order any more. */
  isSettled(orderId: string): boolean
}

/**
 * The orders of a part of the log, for all checks that need them: each event is applied once,
 * however many checks take it. Orders that changed after `settledBefore` are under way.
 */
export function createOrderBook(settledBefore: Date, part: Part): OrderBook {
  const orders: OrderBook['orders'] = new Map()
  let last: Last = { event: undefined, taken: undefined }
  const apply = (event: ReadEvent | undefined) => {
    if (event === undefined || !isOrderStep(event) || !part.has(event.data.orderId)) return
    const before = orders.get(event.data.orderId)?.state ?? order.initial
    const after = order.evolve(before, event)
    orders.set(event.data.orderId, { state: after, changedAt: new Date(event.at) })
    return { event, before, after }
  }
  return {
    orders,
    take(event) {
      if (event !== last.event) last = { event, taken: apply(event) }
      return last.taken
    },
    isSettled(orderId) {
      const found = orders.get(orderId)
      return found === undefined || found.changedAt < settledBefore
    },
  }
}

function isOrderStep(event: ReadEvent): event is OrderStep {
  return event.type in order.events
}

/** The status that an event is about to bring; the other events leave it alone. */
const steps: Partial<Record<OrderEvent['type'], OrderStatus>> = {
  OrderPlaced: 'pending',
  OrderRejected: 'rejected',
  OrderPaid: 'paid',
  OrderShipped: 'shipped',
  OrderDelivered: 'delivered',
  OrderCancelled: 'cancelled',
}

/** No order takes a step that the table of transitions does not have. */
export function ordersMoveLegally(book: OrderBook): LogCheck {
  return {
    name: 'orders move by the table, and none stays submitted',
    see(_, seen) {
      const taken = book.take(seen)
      if (taken === undefined) return []
      const { event, before, after } = taken
      const where = `order ${event.data.orderId}: ${event.type} at ${event.position}`
      if (event.type === 'OrderSubmitted') {
        return before.status === 'none' ? [] : [`${where} submits it again`]
      }
      if (before.status === 'none') return [`${where} comes before its submission`]
      const to = steps[event.type] ?? (after.status === before.status ? undefined : after.status)
      if (to === undefined || to === 'none' || mayMove(before.status, to)) return []
      return [`${where} moves it from ${before.status} to ${to}`]
    },
    conclude: () =>
      [...book.orders].flatMap(([orderId, { state }]) =>
        state.status === 'submitted' && book.isSettled(orderId)
          ? [`order ${orderId} has been submitted and neither placed nor rejected`]
          : [],
      ),
    examined: () => book.orders.size,
  }
}

/** An order is paid once, with what it comes to; never more goes back than was captured. */
export function moneyAddsUp(book: OrderBook): LogCheck {
  let examined = 0
  return {
    name: 'one payment an order, refunds within it',
    see(_, seen) {
      const taken = book.take(seen)
      if (taken === undefined || taken.after.status === 'none') return []
      const { event, before, after } = taken
      const where = `order ${after.orderId}: ${event.type} at ${event.position}`
      const findings: string[] = []
      if (event.type === 'OrderPaid') {
        examined += 1
        if (before.status !== 'none' && before.captured > 0) findings.push(`${where} pays it again`)
        if (event.data.amount.amount !== after.total.amount) {
          findings.push(`${where} captures ${event.data.amount.amount} of ${after.total.amount}`)
        }
      }
      if (after.refunded > after.captured) {
        findings.push(`${where} brings refunds to ${after.refunded} of ${after.captured}`)
      }
      return findings
    },
    conclude: () => [],
    examined: () => examined,
  }
}

/** What was ordered from a cart has left it, once. */
export function cartsAreEmptied(book: OrderBook, part: Part): LogCheck {
  const checkedOut = new Set<string>()
  return {
    name: 'carts are emptied once an order',
    see(_, seen) {
      book.take(seen)
      if (seen?.type !== 'CartCheckedOut') return []
      const { orderId, cartId } = seen.data
      if (!part.has(orderId)) return []
      const again = checkedOut.has(orderId)
      checkedOut.add(orderId)
      return again ? [`cart ${cartId} was checked out twice for order ${orderId}`] : []
    },
    conclude: () =>
      [...book.orders].flatMap(([orderId, { state }]) => {
        const wasPlaced = ['pending', 'paid', 'shipped', 'delivered'].includes(state.status)
        if (!wasPlaced || state.status === 'none' || state.cartId === null) return []
        if (checkedOut.has(orderId) || !book.isSettled(orderId)) return []
        return [`order ${orderId} came from cart ${state.cartId}, which still has it`]
      }),
    examined: () => checkedOut.size,
  }
}
