// What customers can pay with, over HTTP.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { isManual } from '../../domain/paymentMethods.ts'
import type { ApiContext } from '../context.ts'
import { readRoute } from '../readRoute.ts'

const Methods = Type.Object({
  data: Type.Array(
    Type.Object({
      paymentMethod: Type.String({
        description: 'What to send; one that ends with * stands for all ids that begin like it',
      }),
      kind: Type.Enum(['provider', 'manual'], {
        description: 'provider: POST /orders/:orderId/pay pays; manual: the staff records it',
      }),
      payWithinMinutes: Type.Integer({
        description: 'How long an order that is placed with it waits for its money',
      }),
    }),
  ),
})

/** Publishes the payment methods that the shop offers. */
export function paymentMethodRoutes(app: FastifyInstance, context: ApiContext): void {
  const { orderExpiryMs, manualPaymentMs, paymentMethods } = context.shop
  const data = paymentMethods.map(paymentMethod => {
    const isByHand = isManual(paymentMethod)
    const windowMs = isByHand ? manualPaymentMs : orderExpiryMs
    const kind = isByHand ? 'manual' : 'provider'
    return { paymentMethod, kind, payWithinMinutes: windowMs / 60_000 }
  })
  readRoute(app, context, {
    tag: 'Orders',
    url: '/payment-methods',
    access: 'public',
    summary: 'What orders can be paid with',
    operationId: 'listPaymentMethods',
    from: [],
    answer: Methods,
    handle: async () => ({ data }),
  })
}
