// The one way in which a route becomes a read: who may, what it waits for, what it shows.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { type Role, strict } from '../../domain/kernel/types.ts'
import { serveStored } from './cachedResponses.ts'
import type { ApiContext } from './context.ts'
import { guestSchema } from './guestCart.ts'
import { awaitPosition } from './requests.ts'
import { Position, problemResponses } from './schemas.ts'

const Nothing = Type.Object({}, strict)
export const MinPosition = Type.Object({ minPosition: Type.Optional(Position) }, strict)

export interface ReadRoute<Params extends TObject, Query extends TObject> {
  url: string
  access: 'public' | readonly Role[]
  summary: string
  tag: string
  operationId: string
  params?: Params
  /** Without one, only the position to wait for. */
  query?: Query
  /** Whether people have a cart to read who have not signed in. */
  guests?: true
  /** Whether its responses are the same for all shoppers, and cached. */
  cached?: true
  /** The projections that what is shown comes from: a read can wait for them. */
  from: readonly string[]
  answer: TSchema
  handle(
    request: FastifyRequest<{ Params: Static<Params>; Querystring: Static<Query> }>,
    reply: FastifyReply,
  ): Promise<unknown>
}

/** Publishes a read. */
export function readRoute<
  Params extends TObject = typeof Nothing,
  Query extends TObject = typeof MinPosition,
>(server: FastifyInstance, context: ApiContext, route: ReadRoute<Params, Query>): void {
  const { url, access, summary, tag, operationId, params, query, guests, from, answer } = route
  server.get<{ Params: Static<Params>; Querystring: Static<Query> }>(
    url,
    {
      config: { access, ...(route.cached && { localQuota: true }) },
      ...(route.cached && { onRequest: serveStored(context) }),
      schema: {
        summary,
        tags: [tag],
        operationId,
        ...(params === undefined ? {} : { params }),
        querystring: query ?? MinPosition,
        ...(guests ? guestSchema : {}),
        response: { 200: answer, ...problemResponses },
      },
    },
    (request, reply) =>
      server.readLimit(request, async () => {
        await awaitPosition(context, request, ...from)
        return route.handle(request, reply)
      }),
  )
}
