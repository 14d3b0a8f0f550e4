// An order, from its submission to its end.
import type { Static } from 'typebox'
import type { Aggregate, EventOf } from '../kernel/aggregate.ts'
import type { Money } from '../kernel/types.ts'
import { type Disputes, disputedOf, evolveDisputes } from './disputes.ts'
import { OrderEvents, type OrderLine } from './orderEvents.ts'
import type { OrderStatus } from './orderStates.ts'

export { Charge, Delivery, OrderLine } from './orderEvents.ts'

export type OrderEvent = EventOf<typeof OrderEvents>
export type Submission = Static<typeof OrderEvents.OrderSubmitted>

export interface Payment {
  paymentId: string
  provider: string
  method: string
}

/** A payment for an order that had expired or ended; refunded unless the order can accept it. */
export interface LatePayment {
  provider: string
  reference: string
  amount: Money
  /** Of its refund, once that is decided. */
  refundId: string | null
  returned: boolean
}

export interface OpenRefund {
  amount: Money
  reason: string
}

export type Order =
  | { status: 'none' }
  | (Submission & {
      status: OrderStatus
      /** A payment that was requested and has no result yet. */
      openPayment: Payment | null
      paidBy: Payment | null
      captured: number
      /** Paid back, in minor units; never above `captured`. */
      refunded: number
      refunds: readonly string[]
      /** Refunds that did not arrive, recorded as paid back before or not. */
      failedRefunds: readonly string[]
      disputes: Disputes
      /** Refunds that were requested and have no result yet. */
      openRefunds: ReadonlyMap<string, OpenRefund>
      /** By payment. */
      late: ReadonlyMap<string, LatePayment>
      /** In milliseconds; null for orders that do not expire. */
      expiresAt: number | null
      /** How often its stock has been released and reserved again. */
      round: number
      archived: boolean
      returned: ReadonlyMap<string, number>
      returns: readonly string[]
      refundDue: number
      /** The goods have been shipped, whatever happened since. */
      handedOver: boolean
      tracking: string | null
    })
export type PlacedOrder = Exclude<Order, { status: 'none' }>

export const order: Aggregate<Order, OrderEvent> = {
  category: 'order',
  events: OrderEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (event.type === 'OrderSubmitted') return submitted(event.data)
    return state.status === 'none' ? state : evolveOrder(state, event)
  },
  owner: state => (state.status === 'none' ? undefined : state.customerId),
}

const none: ReadonlyMap<string, never> = new Map<string, never>()

function submitted(data: Submission): PlacedOrder {
  return {
    ...data,
    status: 'submitted',
    openPayment: null,
    paidBy: null,
    captured: 0,
    refunded: 0,
    refunds: [],
    failedRefunds: [],
    disputes: none,
    openRefunds: none,
    late: none,
    expiresAt: null,
    round: 0,
    archived: false,
    returned: none,
    returns: [],
    refundDue: 0,
    handedOver: false,
    tracking: null,
  }
}

function evolveOrder(
  state: PlacedOrder,
  event: Exclude<OrderEvent, { type: 'OrderSubmitted' }>,
): PlacedOrder {
  switch (event.type) {
    case 'OrderPlaced':
      return { ...state, status: 'pending' }
    case 'OrderRejected':
      return { ...state, status: 'rejected' }
    case 'DeliveryDetailsChanged':
      return {
        ...state,
        delivery: event.data.delivery,
        country: event.data.country ?? state.country,
      }
    case 'PaymentDeadlineSet':
      return { ...state, expiresAt: event.data.expiresAt }
    case 'OrderExpired':
      return { ...state, status: 'expired' }
    case 'OrderShipped':
      return {
        ...state,
        status: 'shipped',
        handedOver: true,
        tracking: event.data.tracking,
      }
    case 'TrackingChanged':
      return { ...state, tracking: event.data.tracking }
    case 'OrderDelivered':
      return { ...state, status: 'delivered' }
    case 'OrderCancelled':
      return { ...state, status: 'cancelled', refundDue: event.data.refund?.amount ?? 0 }
    case 'OrderArchived':
      return { ...state, archived: true }
    case 'ItemsReturned': {
      const { returnId, lines, amount } = event.data
      const back = paidBack(state, returnId, amount.amount)
      return {
        ...back,
        returned: sumLines(state.returned, lines),
        returns: [...state.returns, returnId],
      }
    }
    default:
      return evolveMoney(state, event)
  }
}

type MoneyEvent = Extract<
  OrderEvent,
  {
    type:
      | 'PaymentRequested'
      | 'OrderPaid'
      | 'PaymentFailed'
      | 'LatePaymentReceived'
      | 'LatePaymentRefused'
      | 'LatePaymentReturned'
      | 'RefundRequested'
      | 'OrderRefunded'
      | 'RefundFailed'
      | 'RefundReversed'
      | `Dispute${string}`
  }
>

function evolveMoney(state: PlacedOrder, event: MoneyEvent): PlacedOrder {
  switch (event.type) {
    case 'PaymentRequested': {
      const { paymentId, provider, method } = event.data
      return { ...state, openPayment: { paymentId, provider, method } }
    }
    case 'OrderPaid': {
      const { paymentId, provider, amount } = event.data
      const paidBy = state.openPayment ?? { paymentId, provider, method: state.paymentMethod }
      const late = without(state.late, paymentId)
      return { ...state, status: 'paid', captured: amount.amount, openPayment: null, paidBy, late }
    }
    case 'PaymentFailed':
      return closed(state, event.data.paymentId)
    case 'LatePaymentReceived': {
      const { paymentId, provider, reference, amount } = event.data
      const late = { provider, reference, amount, refundId: null, returned: false }
      const round = state.status === 'expired' ? state.round + 1 : state.round
      return { ...closed(state, paymentId), late: new Map(state.late).set(paymentId, late), round }
    }
    case 'LatePaymentRefused':
      return settledLate(state, event.data, false)
    case 'LatePaymentReturned':
      return settledLate(state, event.data, true)
    case 'RefundRequested': {
      const { refundId, amount, reason } = event.data
      const openRefunds = new Map(state.openRefunds).set(refundId, { amount, reason })
      return { ...state, openRefunds, refundDue: Math.max(0, state.refundDue - amount.amount) }
    }
    case 'OrderRefunded':
      return paidBack(state, event.data.refundId, event.data.amount.amount)
    case 'RefundFailed':
    case 'RefundReversed':
      return refundFailed(state, event)
    default:
      return disputed(state, evolveDisputes(state.disputes, event))
  }
}

function refundFailed(
  state: PlacedOrder,
  event: Extract<MoneyEvent, { type: 'RefundFailed' | 'RefundReversed' }>,
): PlacedOrder {
  const { refundId } = event.data
  return {
    ...state,
    refunded: state.refunded - (event.type === 'RefundReversed' ? event.data.amount.amount : 0),
    openRefunds: without(state.openRefunds, refundId),
    failedRefunds: [...state.failedRefunds, refundId],
  }
}

/** A cancelled order owes what a won dispute has brought back, and nothing that the bank holds. */
function disputed(state: PlacedOrder, disputes: Disputes): PlacedOrder {
  const after = { ...state, disputes }
  if (state.status !== 'cancelled') return after
  const left = Math.max(0, refundable(after))
  const isMore = left > Math.max(0, refundable(state))
  return { ...after, refundDue: isMore ? left : Math.min(state.refundDue, left) }
}

/** What can still be refunded, in minor units; negative if the bank has taken back more. */
export function refundable(state: PlacedOrder): number {
  const { captured, refunded, openRefunds, disputes, paidBy } = state
  const open = [...openRefunds.values()].reduce((total, { amount }) => total + amount.amount, 0)
  return captured - refunded - open - disputedOf(disputes, paidBy?.paymentId)
}

function closed(state: PlacedOrder, paymentId: string): PlacedOrder {
  return state.openPayment?.paymentId === paymentId ? { ...state, openPayment: null } : state
}

function settledLate(
  state: PlacedOrder,
  { paymentId, refundId }: { paymentId: string; refundId: string },
  returned: boolean,
): PlacedOrder {
  const before = state.late.get(paymentId)
  if (before === undefined) return state
  return { ...state, late: new Map(state.late).set(paymentId, { ...before, refundId, returned }) }
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

function paidBack(state: PlacedOrder, refundId: string, amount: number): PlacedOrder {
  const refunded = state.refunded + amount
  const whole = refunded >= state.captured && state.status !== 'cancelled'
  // `refundDue` was reduced when this refund was requested: only the difference counts.
  const announced = state.openRefunds.get(refundId)?.amount.amount ?? 0
  const due = state.status === 'cancelled' ? state.refundDue + announced - amount : 0
  return {
    ...state,
    status: whole ? 'refunded' : state.status,
    refunded,
    refundDue: Math.max(0, due),
    openRefunds: without(state.openRefunds, refundId),
    refunds: [...state.refunds, refundId],
  }
}

function sumLines(before: ReadonlyMap<string, number>, lines: readonly OrderLine[]) {
  const sums = new Map(before)
  for (const { productId, quantity } of lines) {
    sums.set(productId, (sums.get(productId) ?? 0) + quantity)
  }
  return sums
}

/** How many pieces of each product an order wants, over all its lines. */
export function demand(state: { lines: readonly OrderLine[] }): ReadonlyMap<string, number> {
  return sumLines(new Map(), state.lines)
}

/** Whether there is nothing to pay: such an order is paid as soon as it is placed. */
export function isFree({ total }: PlacedOrder): boolean {
  return total.amount === 0
}

/** Whether the payment deadline has passed, even if OrderExpired is not recorded yet. */
export function isDue(state: Order, now: number): boolean {
  return state.status === 'pending' && state.expiresAt !== null && state.expiresAt <= now
}
