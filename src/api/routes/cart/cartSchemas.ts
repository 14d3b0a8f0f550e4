// The shapes of responses about carts, made of the lines that an order has.
import Type from 'typebox'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { OrderLine } from '../../../domain/order/orderEvents.ts'
import { integer, many } from '../../http/schemas.ts'
import { Availability } from '../catalogue/catalogueSchemas.ts'

const { total, ...line } = OrderLine.properties
const Item = Type.Object(
  {
    ...line,
    lineTotal: total,
    currentPrice: Money,
    priceChanged: Type.Boolean(),
    availability: Availability,
  },
  strict,
)
export const Cart = Type.Object(
  { id: Id, items: many(Item), itemCount: integer, total: Money },
  strict,
)
export const CartTotal = Type.Object({ total: Money, itemCount: integer }, strict)
