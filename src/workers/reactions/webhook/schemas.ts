// The bodies of webhooks as schemas, by type; docs/asyncapi.yaml is generated from them.
import Type, { type Static, type TObject } from 'typebox'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { disputeOutcomes } from '../../../domain/order/orderEvents.ts'
import { adjustmentReasons } from '../../../domain/stock/stock.ts'
import type { WebhookType } from '../../../ports/webhooks.ts'

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Time = Type.String({ format: 'date-time', maxLength: 40 })
const text = (maxLength: number) => Type.String({ maxLength })
const nullable = <Schema extends Type.TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])

const order = { orderId: Id }
const statusOf = <Name extends string>(status: Name) => ({ ...order, status: Type.Literal(status) })
const product = { productId: Id }
const reserved = { ...product, orderId: Id, quantity: Type.Integer({ minimum: 1 }) }

/** What each type says about its event. */
const facts = {
  'order.placed': Type.Object(statusOf('pending')),
  'order.paid': Type.Object({ ...statusOf('paid'), paymentId: Id, amount: Money }),
  'order.payment_failed': Type.Object({ ...order, paymentId: Id }),
  'order.shipped': Type.Object(statusOf('shipped')),
  'order.delivered': Type.Object(statusOf('delivered')),
  'order.cancelled': Type.Object({ ...statusOf('cancelled'), refund: nullable(Money) }),
  'order.expired': Type.Object(statusOf('expired')),
  'order.refunded': Type.Object({ ...order, refundId: Id, amount: Money }),
  'order.dispute_opened': Type.Object({
    ...order,
    disputeId: Id,
    amount: Money,
    reason: text(200),
    dueBy: nullable(Time),
  }),
  'order.dispute_closed': Type.Object({
    ...order,
    disputeId: Id,
    amount: Money,
    outcome: Type.Enum([...disputeOutcomes]),
  }),
  'product.created': Type.Object({
    ...product,
    sku: text(64),
    price: Money,
    categoryId: nullable(Id),
    featured: Type.Boolean(),
    active: Type.Boolean(),
  }),
  'product.updated': Type.Object(product),
  'product.price_changed': Type.Object({ ...product, price: Money, previous: Money }),
  'product.deleted': Type.Object(product),
  'stock.adjusted': Type.Object({
    ...product,
    delta: Type.Integer(),
    reason: Type.Enum([...adjustmentReasons]),
  }),
  'stock.reserved': Type.Object(reserved),
  'stock.released': Type.Object(reserved),
  'stock.committed': Type.Object(reserved),
} as const satisfies Record<WebhookType, TObject>

export type WebhookFacts = Static<(typeof facts)[WebhookType]>

const everywhere = { aggregateRevision: count, position: text(19) }
/** Added when a webhook about an order is sent. */
const ofOrder = { orderNumber: text(40), customerId: Id, total: Money }

/** The body that is sent for a type. */
export function webhookBody(type: WebhookType): TObject {
  const isOrder = type.startsWith('order.')
  const data = { ...facts[type].properties, ...everywhere, ...(isOrder ? ofOrder : {}) }
  return Type.Object(
    { type: Type.Literal(type), timestamp: Time, data: Type.Object(data, strict) },
    strict,
  )
}
