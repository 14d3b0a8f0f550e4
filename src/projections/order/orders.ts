// Orders with their lines and timeline, and the notifications that status changes give rise to.
import type { Charge, Delivery, OrderLine, Submission } from '../../domain/order/order.ts'
import type { OrderStatus } from '../../domain/order/orderStates.ts'
import { fold, type KeyedTable } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'
import type { RefundEntry, TimelineEntry } from '../core/tables.ts'
import { foldDisputes } from './disputes.ts'
import { insertNotifications, notificationsOf, orderNotifications } from './orderNotifications.ts'
import { refundsAfter } from './orderRefunds.ts'

interface OrderRow {
  order_id: string
  order_number: string
  customer_id: string
  status: OrderStatus
  lines: OrderLine[]
  charges: Charge[]
  total_minor: number
  captured_minor: number
  refunded_minor: number
  currency: string
  country: string | null
  delivery: Delivery | null
  payment_method: string
  tracking: string | null
  timeline: TimelineEntry[]
  refunds: RefundEntry[]
  expires_at: string | null
  archived: boolean
  revision: number
  placed_at: string
  updated_at: string
}

const orders: KeyedTable<OrderRow> = {
  name: 'orders',
  key: 'order_id',
  columns: {
    order_id: 'uuid',
    order_number: 'text',
    customer_id: 'uuid',
    status: 'text',
    lines: 'json',
    charges: 'json',
    total_minor: 'bigint',
    captured_minor: 'bigint',
    refunded_minor: 'bigint',
    currency: 'text',
    country: 'text',
    delivery: 'json',
    payment_method: 'text',
    tracking: 'text',
    timeline: 'json',
    refunds: 'json',
    expires_at: 'timestamptz',
    archived: 'boolean',
    revision: 'bigint',
    placed_at: 'timestamptz',
    updated_at: 'timestamptz',
  },
}

export const ordersProjection = defineProjection({
  name: 'orders',
  version: 6,
  tables: ['orders', 'notifications', 'disputes'],
  on: [
    'OrderSubmitted',
    'OrderPlaced',
    'PaymentDeadlineSet',
    'OrderExpired',
    'OrderRejected',
    'DeliveryDetailsChanged',
    'PaymentRequested',
    'OrderPaid',
    'PaymentFailed',
    'OrderShipped',
    'TrackingChanged',
    'OrderDelivered',
    'OrderCancelled',
    'OrderRefunded',
    'RefundRequested',
    'RefundFailed',
    'RefundReversed',
    'DisputeOpened',
    'DisputeChanged',
    'DisputeClosed',
    'LatePaymentReceived',
    'LatePaymentRefused',
    'LatePaymentReturned',
    'ItemsReturned',
    'OrderArchived',
  ],
  signals: [orderNotifications],
  isUrgent: true,
  async plan(events, db) {
    const { writes, steps } = await fold(db, orders, events, {
      keyOf: event => (event.stream.startsWith('order-') ? event.stream.slice(6) : undefined),
      creation: 'OrderSubmitted',
      evolve: evolveOrder,
    })
    const notifications = notificationsOf(steps)
    const disputes = await foldDisputes(db, events)
    return {
      writes: [...writes, ...disputes, ...insertNotifications(notifications)],
      signals: () => (notifications.length > 0 ? [orderNotifications.raise(notifications)] : []),
    }
  },
})

function evolveOrder(row: OrderRow | undefined, event: ReadEvent): OrderRow | undefined {
  const before = event.type === 'OrderSubmitted' ? submitted(event.data, event.at) : row
  if (before === undefined) return undefined
  const after = { ...before, ...change(before, event) }
  const entry: TimelineEntry = {
    event: event.type,
    status: after.status,
    at: event.at,
    by: event.actor.role,
  }
  // Until when an order waits is not something that happens to it.
  const isNews = event.type !== 'PaymentDeadlineSet'
  return {
    ...after,
    timeline: isNews ? [...before.timeline, entry] : before.timeline,
    revision: event.revision,
    updated_at: entry.at,
  }
}

function submitted(data: Submission, at: string): OrderRow {
  return {
    order_id: data.orderId,
    order_number: data.orderNumber,
    customer_id: data.customerId,
    status: 'submitted',
    lines: data.lines,
    charges: data.charges,
    total_minor: data.total.amount,
    captured_minor: 0,
    refunded_minor: 0,
    currency: data.total.currency,
    country: data.country,
    delivery: data.delivery,
    payment_method: data.paymentMethod,
    tracking: null,
    timeline: [],
    refunds: [],
    expires_at: null,
    archived: false,
    revision: 0,
    placed_at: at,
    updated_at: at,
  }
}

function change(row: OrderRow, event: ReadEvent): Partial<OrderRow> {
  switch (event.type) {
    case 'OrderPlaced':
      return { status: 'pending' }
    case 'PaymentDeadlineSet':
      return { expires_at: new Date(event.data.expiresAt).toISOString() }
    case 'OrderExpired':
      return { status: 'expired' }
    case 'OrderArchived':
      return { archived: true }
    case 'OrderRejected':
      return { status: 'rejected' }
    case 'DeliveryDetailsChanged':
      return {
        delivery: event.data.delivery,
        country: event.data.country ?? row.country,
      }
    case 'OrderPaid':
      return { status: 'paid', captured_minor: event.data.amount.amount }
    case 'OrderShipped':
      return { status: 'shipped', tracking: event.data.tracking }
    case 'TrackingChanged':
      return { tracking: event.data.tracking }
    case 'OrderDelivered':
      return { status: 'delivered' }
    case 'OrderCancelled':
      return { status: 'cancelled' }
    case 'ItemsReturned':
      return paidBack(row, event.data.amount.amount)
    case 'OrderRefunded':
      return { ...paidBack(row, event.data.amount.amount), refunds: refundsAfter(row, event) }
    case 'RefundReversed': {
      const refunded_minor = row.refunded_minor - event.data.amount.amount
      return { refunded_minor, refunds: refundsAfter(row, event) }
    }
    case 'RefundRequested':
    case 'RefundFailed':
      return { refunds: refundsAfter(row, event) }
    default:
      return {}
  }
}

function paidBack(row: OrderRow, amount: number): Partial<OrderRow> {
  const refunded = row.refunded_minor + amount
  const whole = refunded >= row.captured_minor && row.status !== 'cancelled'
  return { refunded_minor: refunded, status: whole ? 'refunded' : row.status }
}
