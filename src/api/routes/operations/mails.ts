// The queue of mails: what is due, what could not be delivered, and trying it again.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { Id, strict } from '../../../domain/kernel/types.ts'
import type { MailVerdict } from '../../../ports/mailBox.ts'
import { findMail, listMails } from '../../../projections/notifications/mailQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute } from '../../http/readRoute.ts'
import { commandHeaders } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { PageQuery } from '../../http/schemas.ts'
import { Mail, MailState } from './mailSchemas.ts'

const tag = 'Mails'

const MailParams = Type.Object({ mailId: Id }, strict)
/** Publishes the queue of mails. */
export function mailRoutes(server: FastifyInstance, context: ApiContext): void {
  listing(server, context)
  deciding(server, context, {
    verb: 'retry',
    summary: 'Send a mail again now, with all attempts available',
    operationId: 'retryMail',
  })
  deciding(server, context, {
    verb: 'drop',
    summary: 'Drop a mail so that it is not sent',
    operationId: 'dropMail',
  })
}

function listing(server: FastifyInstance, context: ApiContext): void {
  listRoute(server, context, {
    tag,
    access: ['admin', 'auditor'],
    from: ['mailOutbox'],
    url: '/admin/mails',
    summary: 'List mails by state, newest first',
    operationId: 'listMails',
    query: Type.Object({ ...PageQuery, state: Type.Optional(MailState) }, strict),
    item: Mail,
    sort: 'time',
    read: ({ query: { state } }, part) => listMails(context.db, { state, part }),
  })
}

interface Decision {
  verb: 'retry' | 'drop'
  summary: string
  operationId: string
}

function deciding(server: FastifyInstance, context: ApiContext, decision: Decision): void {
  const { verb, summary, operationId } = decision
  publish(server, {
    method: 'POST',
    url: `/admin/mails/:mailId/${verb}`,
    access: ['admin'],
    summary,
    tag,
    operationId,
    headers: commandHeaders({}),
    params: MailParams,
    answer: Mail,
    async handle(request, reply) {
      const { mailId } = request.params
      assertChanged(await context.mailBox[verb](mailId))
      request.log.info({ event: `mail-${verb}`, mailId }, 'mail decided')
      if (verb === 'retry') context.notifyMailSender()
      const mail = await findMail(context.db, mailId)
      if (mail === undefined) throw noMail()
      return reply.send(mail)
    },
  })
}

function assertChanged(verdict: MailVerdict): void {
  if (verdict === 'not-found') throw noMail()
  if (verdict === 'sent') throw new HttpProblem('mail/sent', 'The mail has already been sent.')
}

const noMail = () => new HttpProblem('mail/not-found', 'The mail does not exist.')
