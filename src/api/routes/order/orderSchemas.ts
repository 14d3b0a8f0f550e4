// The shapes of answers about orders.
import Type from 'typebox'
import { Id, Money, roles, strict } from '../../../domain/kernel/types.ts'
import { Charge, OrderLine } from '../../../domain/order/orderEvents.ts'
import { integer, many, nullable, Position, text, time } from '../../http/schemas.ts'
import { Status } from '../../http/shapes.ts'
import { Dispute, Refund } from './paymentSchemas.ts'

const orderSummary = {
  id: Id,
  orderNumber: text(40),
  customerId: Id,
  status: Status,
  total: Money,
  itemCount: integer,
  expiresAt: nullable(time),
  placedAt: time,
  updatedAt: time,
  customerName: Type.Optional({
    ...nullable(text(300)),
    description: 'Who ordered; for the staff only, like the next two',
  }),
  customerEmail: Type.Optional(nullable(text(254))),
  recipient: Type.Optional({
    ...nullable(text(200)),
    description: 'What the delivery address begins with: a name, or a house and street',
  }),
}

export const OrderSummary = Type.Object(orderSummary, strict)
export const OrderDetail = Type.Object(
  {
    ...orderSummary,
    lines: many(OrderLine),
    charges: many(Charge),
    captured: Money,
    refunded: Money,
    paymentMethod: text(40),
    trackingNumber: nullable(text(200)),
    shippingAddress: nullable(text(1_000)),
    phoneNumber: nullable(text(40)),
    country: nullable(text(60)),
    timeline: many(
      Type.Object(
        {
          event: text(50),
          status: Status,
          at: time,
          by: Type.Enum(['anonymous', 'system', ...roles]),
        },
        strict,
      ),
    ),
    refunds: many(Refund),
    disputes: Type.Optional(many(Dispute)),
    allowedTransitions: many(Status),
  },
  strict,
)
export const OrderHistory = Type.Object(
  {
    data: many(
      Type.Object(
        {
          revision: integer,
          position: Position,
          event: text(50),
          sentence: text(1_000),
          at: time,
          by: text(100),
        },
        strict,
      ),
    ),
  },
  strict,
)
