// Confirming e-mail addresses over HTTP.
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { confirmEmail, resendConfirmation } from '../../../commands/account/emailAddresses.ts'
import { secret } from '../../../domain/kernel/text.ts'
import { roles, strict } from '../../../domain/kernel/types.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { sendRejection } from '../../http/problems.ts'
import { nothing, problemResponses, text } from '../../http/schemas.ts'

const tag = 'Accounts'

const ConfirmBody = Type.Object({ token: secret(200) }, strict)
const Asked = Type.Object({ detail: text(200) }, strict)

/** Publishes confirming an address, and having the link mailed again. */
export function emailAddressRoutes(server: FastifyInstance, context: ApiContext): void {
  confirming(server, context)
  resending(server, context)
}

function confirming(server: FastifyInstance, { app, accounts, wakeMailers }: ApiContext): void {
  server.post<{ Body: Static<typeof ConfirmBody> }>(
    '/auth/email/confirm',
    {
      config: { access: 'public' },
      schema: {
        summary: 'Confirm an e-mail address with the token of the mailed link',
        tags: [tag],
        operationId: 'confirmEmail',
        body: ConfirmBody,
        response: { 204: nothing('Confirmed'), ...problemResponses },
      },
    },
    async (request, reply) => {
      const refused = await confirmEmail(app, accounts, request.body.token)
      if (refused !== undefined) {
        const code = refused.rejected
        request.log.warn({ event: 'confirmation-refused', code }, 'confirmation refused')
        return sendRejection(reply, refused)
      }
      request.log.info({ event: 'email-confirmed' }, 'address confirmed')
      wakeMailers()
      return reply.status(204).send()
    },
  )
}

function resending(server: FastifyInstance, { accounts, wakeMailers }: ApiContext): void {
  server.post(
    '/auth/email/resend',
    {
      config: { access: roles },
      schema: {
        summary: 'Request a new confirmation mail; earlier links become invalid',
        tags: [tag],
        operationId: 'resendEmailConfirmation',
        response: { 202: Asked, ...problemResponses },
      },
    },
    async (request, reply) => {
      const refused = await resendConfirmation(accounts, signedIn(request))
      if (refused !== undefined) return sendRejection(reply, refused)
      wakeMailers()
      return reply.status(202).send({ detail: 'A mail with a confirmation link has been queued.' })
    },
  )
}
