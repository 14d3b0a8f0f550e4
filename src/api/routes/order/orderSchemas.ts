// The shapes of answers about orders.
import Type from 'typebox'
import { strict } from '../../../domain/kernel/types.ts'
import { orderDetail, orderSummary } from '../../../projections/order/orderViews.ts'
import { integer, many, nullable, Position, text, time } from '../../http/schemas.ts'
import { Dispute } from './paymentSchemas.ts'

/** The people of an order, for the staff. */
const people = {
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

export const OrderSummary = Type.Object({ ...orderSummary.properties, ...people }, strict)
export const OrderDetail = Type.Object(
  { ...orderDetail.properties, ...people, disputes: Type.Optional(many(Dispute)) },
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
