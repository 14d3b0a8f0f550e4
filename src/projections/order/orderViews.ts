// Orders as answers show them.
import Type from 'typebox'
import { Delivery } from '../../domain/order/orderEvents.ts'
import { allowedTransitions, type OrderStatus } from '../../domain/order/orderStates.ts'
import { bigint } from '../core/table.ts'
import type { Tables } from '../core/tables.ts'
import { computed, field, money, view } from '../core/view.ts'
import { type Order, orders, Status } from './orders.ts'

type OrderRecord = Tables['orders']

const column = <Name extends keyof Order & string>(name: Name) => field(orders, name)

const summary = {
  id: column('order_id'),
  orderNumber: column('order_number'),
  customerId: column('customer_id'),
  status: computed(Status, statusOf),
  total: money('total_minor'),
  itemCount: computed(bigint.schema, ({ lines }: OrderRecord) =>
    lines.reduce((count, line) => count + line.quantity, 0),
  ),
  expiresAt: column('expires_at'),
  placedAt: column('placed_at'),
  updatedAt: column('updated_at'),
}

const ofDelivery = (name: keyof Delivery) =>
  computed(
    Type.Union([Delivery.properties[name], Type.Null()]),
    ({ delivery }: OrderRecord) => delivery?.[name] ?? null,
  )

export const orderSummary = view(orders, summary)
export const orderDetail = view(orders, {
  ...summary,
  lines: column('lines'),
  charges: column('charges'),
  captured: money('captured_minor'),
  refunded: money('refunded_minor'),
  paymentMethod: column('payment_method'),
  trackingNumber: column('tracking'),
  shippingAddress: ofDelivery('shippingAddress'),
  phoneNumber: ofDelivery('phoneNumber'),
  country: column('country'),
  timeline: column('timeline'),
  refunds: column('refunds'),
  allowedTransitions: computed(Type.Array(Status, { maxItems: 100 }), (row: OrderRecord) =>
    allowedTransitions(statusOf(row)),
  ),
})

/** Exact at read: an order whose time has run out is expired, whether that is recorded or not. */
function statusOf({ status, expires_at }: OrderRecord): OrderStatus {
  const isDue = status === 'pending' && expires_at !== null && expires_at.getTime() <= Date.now()
  return isDue ? 'expired' : status
}
