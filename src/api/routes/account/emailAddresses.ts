// Confirming e-mail addresses over HTTP.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { confirmEmail, resendConfirmation } from '../../../commands/account/emailAddresses.ts'
import { secret } from '../../../domain/kernel/text.ts'
import { roles, strict } from '../../../domain/kernel/types.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { sendRejection } from '../../http/problems.ts'
import { publish } from '../../http/route.ts'
import { nothing, text } from '../../http/schemas.ts'

const tag = 'Accounts'

const ConfirmBody = Type.Object({ token: secret(200) }, strict)
const Detail = Type.Object({ detail: text(200) }, strict)

/** Publishes confirming an address, and having the link mailed again. */
export function emailAddressRoutes(server: FastifyInstance, context: ApiContext): void {
  confirming(server, context)
  resending(server, context)
}

function confirming(
  server: FastifyInstance,
  { app, accounts, notifyMailSender }: ApiContext,
): void {
  publish(server, {
    method: 'POST',
    url: '/auth/email/confirm',
    access: 'public',
    summary: 'Confirm an e-mail address with the token of the mailed link',
    tag,
    operationId: 'confirmEmail',
    body: ConfirmBody,
    status: 204,
    answer: nothing('Confirmed'),
    async handle(request, reply) {
      const refused = await confirmEmail(app, accounts, request.body.token)
      if (refused !== undefined) {
        const code = refused.rejected
        request.log.warn({ event: 'confirmation-refused', code }, 'confirmation refused')
        return sendRejection(reply, refused)
      }
      request.log.info({ event: 'email-confirmed' }, 'address confirmed')
      notifyMailSender()
    },
  })
}

function resending(server: FastifyInstance, { accounts, notifyMailSender }: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/auth/email/resend',
    access: roles,
    summary: 'Request a new confirmation mail; earlier links become invalid',
    tag,
    operationId: 'resendEmailConfirmation',
    status: 202,
    answer: Detail,
    async handle(request, reply) {
      const refused = await resendConfirmation(accounts, signedIn(request))
      if (refused !== undefined) return sendRejection(reply, refused)
      notifyMailSender()
      return reply.status(202).send({ detail: 'A mail with a confirmation link has been queued.' })
    },
  })
}
