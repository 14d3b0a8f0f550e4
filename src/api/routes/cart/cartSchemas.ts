// The shapes of answers about carts.
import Type from 'typebox'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { integer, many, text } from '../../http/shapes.ts'
import { Availability } from '../catalogue/catalogueSchemas.ts'

export const Cart = Type.Object(
  {
    id: Id,
    items: many(
      Type.Object(
        {
          productId: Id,
          sku: text(64),
          name: text(200),
          unitPrice: Money,
          quantity: integer,
          lineTotal: Money,
          currentPrice: Money,
          priceChanged: Type.Boolean(),
          availability: Availability,
        },
        strict,
      ),
    ),
    itemCount: integer,
    total: Money,
  },
  strict,
)
export const CartTotal = Type.Object({ total: Money, itemCount: integer }, strict)
