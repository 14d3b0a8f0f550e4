// Where payment providers call: signed, acted upon once, never dropped.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { takeCallback } from '../../../commands/order/paymentCallback.ts'
import { code } from '../../../domain/kernel/text.ts'
import { strict } from '../../../domain/kernel/types.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { publish } from '../../http/route.ts'

const params = Type.Object(
  { provider: code('^[a-z]{1,30}$', 30, 'The name of a payment provider in lower case') },
  strict,
)
const Answer = Type.Object({ outcome: Type.Enum(['recorded', 'unknown', 'review']) }, strict)

/** Publishes the callbacks of the provider that this shop uses. */
export function paymentCallbackRoutes(server: FastifyInstance, context: ApiContext): void {
  const { app, callbacks } = context
  server.register(async own => {
    // The signature is over the bytes as they came.
    own.removeAllContentTypeParsers()
    own.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) =>
      done(null, body),
    )
    publish(own, {
      method: 'POST',
      url: '/webhooks/payments/:provider',
      access: 'public',
      summary: 'Receive a signed callback of the payment provider',
      tag: 'Payments',
      operationId: 'receivePaymentCallback',
      description: 'Only the provider can sign these: anything else answers 400.',
      params,
      answer: Answer,
      async handle(request) {
        if (request.params.provider !== app.payments.name) {
          throw new HttpProblem('request/not-found', 'The payment provider is not configured.')
        }
        const signature = request.headers[app.payments.signatureHeader]
        const body = typeof request.body === 'string' ? request.body : ''
        const text = typeof signature === 'string' ? signature : ''
        const callback = await app.payments.readCallback(body, text, app.clock.now())
        if (callback === undefined) {
          throw new HttpProblem('request/invalid', 'The signature is invalid or has expired.')
        }
        const outcome = await callbacks.once(callback, () => takeCallback(app, callback))
        return { outcome }
      },
    })
  })
}
