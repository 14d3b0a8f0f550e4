// Where somebody is signed in, and tickets for WebSockets.
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import type { OpenSession as Listed } from '../../../ports/accounts.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { answerPage, cutPage } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { nothing, PageQuery, pageOf, problemResponses, time } from '../../http/schemas.ts'

const tag = 'Accounts'
const access = { access: roles, fresh: true }
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
const SessionQuery = Type.Object(PageQuery, strict)
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

function listing(server: FastifyInstance, { accounts }: ApiContext): void {
  server.get<{ Querystring: Static<typeof SessionQuery> }>(
    '/auth/sessions',
    {
      config: access,
      schema: {
        summary: 'List your open sessions',
        tags: [tag],
        operationId: 'listSessions',
        querystring: SessionQuery,
        response: { 200: pageOf(OpenSession), ...problemResponses },
      },
    },
    (request, reply) => {
      const customerId = signedIn(request)
      const list = { of: { sessions: customerId }, kind: 'number' as const }
      return server.readLimit(request, () =>
        answerPage({ request, reply }, list, async part => {
          const { data, next, total } = cutPage(
            await accounts.sessions.list(customerId),
            part,
            ({ family: id, lastUsedAt }) => ({ key: String(lastUsedAt.getTime()), id }),
          )
          const shown = data.map(each => shownSession(each, request.sessionId))
          return { data: shown, next, total }
        }),
      )
    },
  )
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
  server.delete<{ Params: Static<typeof SessionParams> }>(
    '/auth/sessions/:id',
    {
      config: access,
      schema: {
        summary: 'End one of your sessions',
        tags: [tag],
        operationId: 'endSession',
        params: SessionParams,
        response: { 204: nothing('Ended'), ...problemResponses },
      },
    },
    async (request, reply) => {
      const isEnded = await accounts.sessions.closeOwn(signedIn(request), request.params.id)
      if (!isEnded) throw new HttpProblem('request/not-found', 'The session does not exist.')
      return reply.status(204).send()
    },
  )
}

function ticketing(server: FastifyInstance, { accounts }: ApiContext): void {
  server.post(
    '/auth/tickets',
    {
      config: access,
      schema: {
        summary: 'Issue a ticket that opens one WebSocket with the subprotocols ticket, <ticket>',
        tags: ['Real time'],
        operationId: 'issueTicket',
        response: { 201: Ticket, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { sessionId = '' } = request
      const ticket = await accounts.sessions.issueTicket(signedIn(request), sessionId)
      return reply
        .status(201)
        .header('cache-control', 'private, no-store')
        .send({ ticket, expiresInSeconds: ticketSeconds })
    },
  )
}
