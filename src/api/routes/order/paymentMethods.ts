// What customers can pay with, over HTTP.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { strict } from '../../../domain/kernel/types.ts'
import { isManual } from '../../../domain/order/paymentMethods.ts'
import type { ApiContext } from '../../http/context.ts'
import { readRoute } from '../../http/readRoute.ts'
import { many } from '../../http/schemas.ts'

const Method = Type.Object(
  {
    paymentMethod: Type.String({
      maxLength: 40,
      description: 'What to send; one that ends with * stands for all ids that begin like it',
    }),
    kind: Type.Enum(['provider', 'manual'], {
      description: 'provider: POST /orders/:orderId/pay pays; manual: the staff records it',
    }),
    payWithinMinutes: Type.Integer({
      minimum: 0,
      maximum: 10_000_000,
      description: 'How long an order that is placed with it waits for its money',
    }),
  },
  strict,
)
const Methods = Type.Object({ data: many(Method, 100) }, strict)

/** Publishes the payment methods that the shop offers. */
export function paymentMethodRoutes(server: FastifyInstance, context: ApiContext): void {
  const { orderExpiryMs, manualPaymentMs, paymentMethods } = context.app
  const data = paymentMethods.map(paymentMethod => {
    const isByHand = isManual(paymentMethod)
    const windowMs = isByHand ? manualPaymentMs : orderExpiryMs
    const kind = isByHand ? 'manual' : 'provider'
    return { paymentMethod, kind, payWithinMinutes: windowMs / 60_000 }
  })
  readRoute(server, context, {
    tag: 'Orders',
    url: '/payment-methods',
    access: 'public',
    summary: 'List the payment methods',
    operationId: 'listPaymentMethods',
    from: [],
    answer: Methods,
    handle: async () => ({ data }),
  })
}
