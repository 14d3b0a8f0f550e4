// Passwords over HTTP: changing one, and getting a new one by mail.
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { askReset, changePassword, confirmReset } from '../../../commands/account/passwords.ts'
import { line, secret } from '../../../domain/kernel/text.ts'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { sendRejection } from '../../http/problems.ts'
import { nothing, problemResponses, text } from '../../http/schemas.ts'
import { accountsFor } from './passwordQueue.ts'

const tag = 'Accounts'
const password = secret(200)

const ChangeBody = Type.Object({ oldPassword: password, newPassword: password }, strict)
const ResetBody = Type.Object({ email: line(254) }, strict)
const ConfirmBody = Type.Object({ uid: Id, token: secret(200), newPassword: password }, strict)
const Asked = Type.Object({ detail: text(200) }, strict)

/** Publishes changing and resetting passwords. */
export function passwordRoutes(server: FastifyInstance, context: ApiContext): void {
  changing(server, context)
  resetting(server, context)
  confirming(server, context)
}

function changing(server: FastifyInstance, context: ApiContext): void {
  const { app, wakeMailers } = context
  server.post<{ Body: Static<typeof ChangeBody> }>(
    '/auth/password/change',
    {
      config: { access: roles, fresh: true },
      schema: {
        summary: 'Change your password and end your other sessions',
        tags: [tag],
        operationId: 'changePassword',
        body: ChangeBody,
        response: { 204: nothing('Changed'), ...problemResponses },
      },
    },
    async (request, reply) => {
      const { sessionId = '' } = request
      const change = { customerId: signedIn(request), sessionId, ...request.body }
      const accounts = accountsFor(context, request, 'own')
      const refused = await changePassword(app, accounts, change)
      if (refused !== undefined) return sendRejection(reply, refused)
      request.log.info({ event: 'password-changed' }, 'password changed')
      wakeMailers()
      return reply.status(204).send()
    },
  )
}

function resetting(server: FastifyInstance, { accounts, wakeMailers }: ApiContext): void {
  server.post<{ Body: Static<typeof ResetBody> }>(
    '/auth/password/reset',
    {
      config: { access: 'public' },
      schema: {
        summary: 'Request a mail with a link to reset the password',
        tags: [tag],
        operationId: 'resetPassword',
        body: ResetBody,
        response: { 202: Asked, ...problemResponses },
      },
    },
    async (request, reply) => {
      await askReset(accounts, request.body.email)
      wakeMailers()
      return reply
        .status(202)
        .send({ detail: 'If an account with this address exists, a mail has been sent to it.' })
    },
  )
}

function confirming(server: FastifyInstance, context: ApiContext): void {
  const { app, wakeMailers } = context
  server.post<{ Body: Static<typeof ConfirmBody> }>(
    '/auth/password/reset/confirm',
    {
      config: { access: 'public' },
      schema: {
        summary: 'Reset the password with the token of the mailed link and end all sessions',
        tags: [tag],
        operationId: 'confirmPasswordReset',
        body: ConfirmBody,
        response: { 204: nothing('Set'), ...problemResponses },
      },
    },
    async (request, reply) => {
      const accounts = accountsFor(context, request, 'reset')
      const refused = await confirmReset(app, accounts, request.body)
      if (refused !== undefined) {
        request.log.warn({ event: 'reset-refused', code: refused.rejected }, 'reset refused')
        return sendRejection(reply, refused)
      }
      request.log.info({ event: 'password-reset' }, 'password reset')
      wakeMailers()
      return reply.status(204).send()
    },
  )
}
