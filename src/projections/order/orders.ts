// Orders with their lines, refunds and timeline.
import Type, { type Static } from 'typebox'
import { roles, strict } from '../../domain/kernel/types.ts'
import type { OrderEvent, Submission } from '../../domain/order/order.ts'
import { OrderEvents } from '../../domain/order/orderEvents.ts'
import { orderStatuses } from '../../domain/order/orderStates.ts'
import type { ReadEvent } from '../core/events.ts'
import { defineProjection } from '../core/projection.ts'
import { type Changes, keyedModel } from '../core/readModel.ts'
import {
  bigint,
  boolean,
  json,
  nullable,
  type RowOf,
  type SelectedOf,
  Time,
  textOf,
  time,
  uuid,
} from '../core/table.ts'
import { disputesModel } from './disputes.ts'
import {
  insertNotifications,
  notifications,
  notificationsOf,
  orderNotifications,
} from './orderNotifications.ts'
import { RefundEntry, refundsAfter } from './orderRefunds.ts'

const submitted = OrderEvents.OrderSubmitted.properties
export const Status = Type.Enum([...orderStatuses])

export const TimelineEntry = Type.Object(
  {
    event: Type.String({ maxLength: 50 }),
    status: Status,
    at: Time,
    by: Type.Enum(['anonymous', 'system', ...roles]),
  },
  strict,
)
type TimelineEntry = Static<typeof TimelineEntry>

export const orders = {
  name: 'orders',
  key: 'order_id',
  person: 'customer_id',
  columns: {
    order_id: uuid,
    order_number: textOf(submitted.orderNumber),
    customer_id: uuid,
    status: textOf(Status),
    lines: json(submitted.lines),
    charges: json(submitted.charges),
    total_minor: bigint,
    captured_minor: bigint,
    refunded_minor: bigint,
    currency: textOf(submitted.total.properties.currency),
    country: textOf(submitted.country),
    delivery: json(submitted.delivery),
    payment_method: textOf(submitted.paymentMethod),
    tracking: textOf(OrderEvents.OrderShipped.properties.tracking),
    timeline: json(Type.Array(TimelineEntry, { maxItems: 10_000 })),
    refunds: json(Type.Array(RefundEntry, { maxItems: 10_000 })),
    expires_at: nullable(time),
    archived: boolean,
    revision: bigint,
    placed_at: time,
    updated_at: time,
  },
} as const
export type Order = RowOf<typeof orders>

declare module '../core/tables.ts' {
  interface Tables {
    orders: SelectedOf<typeof orders>
  }
}

const placed = ({ data, at }: { data: Submission; at: string }): Order => ({
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
})

/** Its entry in the timeline is all that an event leaves. */
const onlyTimeline = () => ({})

const changes: Changes<Order, Exclude<OrderEvent['type'], 'OrderSubmitted'>> = {
  OrderPlaced: () => ({ status: 'pending' }),
  PaymentDeadlineSet: (_, { data }) => ({ expires_at: new Date(data.expiresAt).toISOString() }),
  OrderExpired: () => ({ status: 'expired' }),
  OrderRejected: () => ({ status: 'rejected' }),
  OrderArchived: () => ({ archived: true }),
  DeliveryDetailsChanged: (row, { data }) => ({
    delivery: data.delivery,
    country: data.country ?? row.country,
  }),
  PaymentRequested: onlyTimeline,
  PaymentFailed: onlyTimeline,
  OrderPaid: (_, { data }) => ({ status: 'paid', captured_minor: data.amount.amount }),
  OrderShipped: (_, { data }) => ({ status: 'shipped', tracking: data.tracking }),
  TrackingChanged: (_, { data }) => ({ tracking: data.tracking }),
  OrderDelivered: () => ({ status: 'delivered' }),
  OrderCancelled: () => ({ status: 'cancelled' }),
  ItemsReturned: (row, { data }) => refunded(row, data.amount.amount),
  RefundRequested: (row, event) => ({ refunds: refundsAfter(row, event) }),
  RefundFailed: (row, event) => ({ refunds: refundsAfter(row, event) }),
  OrderRefunded: (row, event) => ({
    ...refunded(row, event.data.amount.amount),
    refunds: refundsAfter(row, event),
  }),
  RefundReversed: (row, event) => ({
    refunded_minor: row.refunded_minor - event.data.amount.amount,
    refunds: refundsAfter(row, event),
  }),
  LatePaymentReceived: onlyTimeline,
  LatePaymentRefused: onlyTimeline,
  LatePaymentReturned: onlyTimeline,
  DisputeOpened: onlyTimeline,
  DisputeChanged: onlyTimeline,
  DisputeClosed: onlyTimeline,
}

function refunded(row: Order, amount: number): Partial<Order> {
  const refunded_minor = row.refunded_minor + amount
  const isWhole = refunded_minor >= row.captured_minor && row.status !== 'cancelled'
  return { refunded_minor, status: isWhole ? 'refunded' : row.status }
}

function recorded(row: Order, { type, at, actor, revision }: ReadEvent): Order {
  const entry: TimelineEntry = { event: type, status: row.status, at, by: actor.role }
  // A deadline is nothing that happens to an order.
  const timeline = type === 'PaymentDeadlineSet' ? row.timeline : [...row.timeline, entry]
  return { ...row, timeline, revision, updated_at: at }
}

const ordersModel = keyedModel(orders, {
  keyOf: ({ stream }) => (stream.startsWith('order-') ? stream.slice(6) : undefined),
  creates: { OrderSubmitted: placed },
  changes,
  finish: recorded,
  derived: {
    tables: [notifications],
    signals: [orderNotifications],
    plan(steps) {
      const raised = notificationsOf(steps)
      const signals = raised.length === 0 ? [] : [orderNotifications.raise(raised)]
      return { writes: insertNotifications(raised), signals: () => signals }
    },
  },
})

export const ordersProjection = defineProjection({
  name: 'orders',
  version: 6,
  models: [ordersModel, disputesModel],
  isUrgent: true,
})
