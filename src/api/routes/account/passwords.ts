// Passwords over HTTP: changing one, and getting a new one by mail.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { askReset, changePassword, confirmReset } from '../../../commands/account/passwords.ts'
import { line, secret } from '../../../domain/kernel/text.ts'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { sendRejection } from '../../http/problems.ts'
import { publish } from '../../http/route.ts'
import { nothing, text } from '../../http/schemas.ts'
import { accountsFor } from './passwordQueue.ts'

const tag = 'Accounts'
const password = secret(200)

const ChangeBody = Type.Object({ oldPassword: password, newPassword: password }, strict)
const ResetBody = Type.Object({ email: line(254) }, strict)
const ConfirmBody = Type.Object({ uid: Id, token: secret(200), newPassword: password }, strict)
const Detail = Type.Object({ detail: text(200) }, strict)

/** Publishes changing and resetting passwords. */
export function passwordRoutes(server: FastifyInstance, context: ApiContext): void {
  changing(server, context)
  resetting(server, context)
  confirming(server, context)
}

function changing(server: FastifyInstance, context: ApiContext): void {
  const { app, notifyMailSender } = context
  publish(server, {
    method: 'POST',
    url: '/auth/password/change',
    access: roles,
    config: { fresh: true },
    summary: 'Change your password and end your other sessions',
    tag,
    operationId: 'changePassword',
    description: 'The change is confirmed by mail.',
    body: ChangeBody,
    status: 204,
    answer: nothing('Changed'),
    async handle(request, reply) {
      const { sessionId = '' } = request
      const change = { customerId: signedIn(request), sessionId, ...request.body }
      const accounts = accountsFor(context, request, 'own')
      const refused = await changePassword(app, accounts, change)
      if (refused !== undefined) return sendRejection(reply, refused)
      request.log.info({ event: 'password-changed' }, 'password changed')
      notifyMailSender()
    },
  })
}

function resetting(server: FastifyInstance, { accounts, notifyMailSender }: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/auth/password/reset',
    access: 'public',
    summary: 'Request a mail with a link to reset the password',
    tag,
    operationId: 'resetPassword',
    description: 'The response is the same whether the account exists or not.',
    body: ResetBody,
    status: 202,
    answer: Detail,
    async handle(request, reply) {
      await askReset(accounts, request.body.email)
      notifyMailSender()
      return reply
        .status(202)
        .send({ detail: 'If an account with this address exists, a mail has been sent to it.' })
    },
  })
}

function confirming(server: FastifyInstance, context: ApiContext): void {
  const { app, notifyMailSender } = context
  publish(server, {
    method: 'POST',
    url: '/auth/password/reset/confirm',
    access: 'public',
    summary: 'Reset the password with the token of the mailed link and end all sessions',
    tag,
    operationId: 'confirmPasswordReset',
    description: '`uid` and `token` are in the mailed link.',
    body: ConfirmBody,
    status: 204,
    answer: nothing('Set'),
    async handle(request, reply) {
      const accounts = accountsFor(context, request, 'reset')
      const refused = await confirmReset(app, accounts, request.body)
      if (refused !== undefined) {
        request.log.warn({ event: 'reset-refused', code: refused.rejected }, 'reset refused')
        return sendRejection(reply, refused)
      }
      request.log.info({ event: 'password-reset' }, 'password reset')
      notifyMailSender()
    },
  })
}
