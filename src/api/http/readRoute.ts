// Reads: what they wait for, and what they answer; a list a page at a time.
import type { FastifyInstance, FastifyReply } from 'fastify'
import Type, { type TObject, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { strict } from '../../domain/kernel/types.ts'
import type { PageRequest, SortKind } from '../../projections/core/keyset.ts'
import { isStaff } from './actor.ts'
import { serveStored } from './cachedResponses.ts'
import type { ApiContext } from './context.ts'
import { guestSchema } from './guestCart.ts'
import { answerPage, type FoundPage } from './paging.ts'
import { awaitPosition, callerOf } from './readYourWrites.ts'
import { type Nothing, publish, type RequestOf, type RouteBasics } from './route.ts'
import { PageQuery, Position, pageOf } from './schemas.ts'

export const MinPosition = Type.Object({ minPosition: Type.Optional(Position) }, strict)

export interface ReadRoute<Params extends TObject, Query extends TObject> extends RouteBasics {
  params?: Params
  /** Without one, only the position to wait for. */
  query?: Query
  /** Whether guests have a cart to read. */
  guests?: true
  /** Whether its responses are the same for all shoppers, and cached. */
  cached?: true
  /** The projections that the response comes from: a read can wait for them. */
  from: readonly string[]
  answer: object
  /** Further OpenAPI fields. */
  schema?: object
  handle(request: RequestOf<Params, Query>, reply: FastifyReply): Promise<unknown>
}

/** Publishes a read. */
export function readRoute<
  Params extends TObject = Nothing,
  Query extends TObject = typeof MinPosition,
>(server: FastifyInstance, context: ApiContext, route: ReadRoute<Params, Query>): void {
  const { guests, cached, from, handle, query, ...operation } = route
  publish<Params, Query>(server, {
    ...operation,
    method: 'GET',
    schema: { querystring: query ?? MinPosition, ...(guests && guestSchema), ...route.schema },
    config: { ...route.config, ...(cached && { localQuota: true }) },
    ...(cached && { onRequest: serveStored(context) }),
    handle: (request, reply) =>
      server.readLimit(request, async () => {
        await awaitPosition(context, request, ...from)
        return handle(request, reply)
      }),
  })
}

export interface ListRoute<Params extends TObject, Query extends TObject>
  extends Omit<ReadRoute<Params, Query>, 'answer' | 'handle'> {
  item: TSchema
  /** The type of its sort keys. */
  sort: SortKind
  /** A page of the items that pass the filters in the query. */
  read(request: RequestOf<Params, Query>, part: PageRequest): Promise<FoundPage<unknown>>
}

const Paging = Compile(Type.Object(PageQuery))
const JustPages = Type.Object(PageQuery, strict)

/** Publishes a list. Its cursors are valid for the same viewer and filters only. */
export function listRoute<
  Params extends TObject = Nothing,
  Query extends TObject = typeof JustPages,
>(server: FastifyInstance, context: ApiContext, route: ListRoute<Params, Query>): void {
  const { item, sort, read, ...rest } = route
  readRoute<Params, Query>(server, context, {
    ...rest,
    schema: { querystring: route.query ?? JustPages },
    answer: pageOf(item),
    handle(request, reply) {
      const { query, url, actor } = request
      if (!Paging.Check(query)) throw new Error(`the query of ${route.url} has no pages`)
      const filters = Object.entries(query).filter(([name]) => !(name in PageQuery))
      const viewer = isStaff(actor) ? 'staff' : callerOf(request)
      const of = [route.operationId, viewer, request.params, Object.fromEntries(filters)]
      const on = { request: { query, url }, reply }
      return answerPage(on, { of, kind: sort }, part => read(request, part))
    },
  })
}
