// Where somebody is signed in, and tickets for WebSockets.

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import type { OpenSession as Listed } from '../../../ports/accounts.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { cutPage } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute } from '../../http/readRoute.ts'
import { publish } from '../../http/route.ts'
import { nothing, time } from '../../http/schemas.ts'

const tag = 'Accounts'
const access = { access: roles, config: { fresh: true } }
const ticketSeconds = 30

const OpenSession = Type.Object(
  {
    id: Id,
    device: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
    openedAt: time,
    lastUsedAt: time,
    expiresAt: time,
    current: Type.Boolean(),
  },
  strict,
)
const SessionParams = Type.Object({ id: Id }, strict)
const Ticket = Type.Object(
  {
    ticket: Type.String({ maxLength: 100 }),
    expiresInSeconds: Type.Integer({ minimum: 1, maximum: 3_600 }),
  },
  strict,
)

/** Publishes the sessions of whoever is signed in. */
export function sessionRoutes(server: FastifyInstance, context: ApiContext): void {
  listing(server, context)
  ending(server, context)
  ticketing(server, context)
}

function listing(server: FastifyInstance, context: ApiContext): void {
  listRoute(server, context, {
    tag,
    ...access,
    from: [],
    url: '/auth/sessions',
    summary: 'List your open sessions',
    operationId: 'listSessions',
    item: OpenSession,
    sort: 'number',
    async read(request, part) {
      const { data, next, total } = cutPage(
        await context.accounts.sessions.list(signedIn(request)),
        part,
        ({ family: id, lastUsedAt }) => ({ key: String(lastUsedAt.getTime()), id }),
      )
      return { data: data.map(each => shownSession(each, request.sessionId)), next, total }
    },
  })
}

function shownSession(
  { family: id, device, openedAt, lastUsedAt, expiresAt }: Listed,
  current: string | undefined,
) {
  return {
    id,
    device,
    openedAt: openedAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    current: id === current,
  }
}

function ending(server: FastifyInstance, { accounts }: ApiContext): void {
  publish(server, {
    method: 'DELETE',
    url: '/auth/sessions/:id',
    ...access,
    summary: 'End one of your sessions',
    tag,
    operationId: 'endSession',
    description: 'Its refresh token becomes invalid.',
    params: SessionParams,
    status: 204,
    answer: nothing('Ended'),
    async handle(request) {
      const isEnded = await accounts.sessions.closeOwn(signedIn(request), request.params.id)
      if (!isEnded) throw new HttpProblem('request/not-found', 'The session does not exist.')
    },
  })
}

function ticketing(server: FastifyInstance, { accounts }: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/auth/tickets',
    ...access,
    summary: 'Issue a ticket that opens one WebSocket with the subprotocols ticket, <ticket>',
    tag: 'Real time',
    operationId: 'issueTicket',
    description: 'For browsers, whose WebSockets cannot send an Authorization header.',
    status: 201,
    answer: Ticket,
    async handle(request, reply) {
      const { sessionId = '' } = request
      const ticket = await accounts.sessions.issueTicket(signedIn(request), sessionId)
      return reply
        .status(201)
        .header('cache-control', 'private, no-store')
        .send({ ticket, expiresInSeconds: ticketSeconds })
    },
  })
}
