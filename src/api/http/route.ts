// The one way in which an operation is published: access, schemas, texts and handler.
import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteOptions,
} from 'fastify'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { type Role, strict } from '../../domain/kernel/types.ts'
import type { ApiContext } from './context.ts'
import { problemResponses } from './schemas.ts'

/** What a context contributes to the API. */
export interface RouteGroup {
  /** Under /api. */
  api?: readonly Publish[]
  /** Under the root. */
  root?: readonly Publish[]
  /** Shapes that generated clients need a name for. */
  schemas?: Readonly<Record<string, TSchema>>
}

type Publish = (server: FastifyInstance, context: ApiContext) => void | Promise<void>

/** What the OpenAPI document and the router have to know of an operation. */
export interface RouteBasics {
  url: string
  access: 'public' | readonly Role[]
  summary: string
  /** What a client should know beyond the summary. */
  description?: string
  tag: string
  operationId: string
  config?: FastifyContextConfig
}

const Nothing = Type.Object({}, strict)
export type Nothing = typeof Nothing

export type RequestOf<
  Params extends TObject,
  Query extends TObject = Nothing,
  Body extends TObject = Nothing,
> = FastifyRequest<{ Params: Static<Params>; Querystring: Static<Query>; Body: Static<Body> }>

export interface Operation<Params extends TObject, Query extends TObject, Body extends TObject>
  extends RouteBasics,
    Pick<RouteOptions, 'bodyLimit' | 'exposeHeadRoute' | 'onRequest' | 'preValidation'> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  params?: Params
  query?: Query
  headers?: TObject
  body?: Body
  /** Further OpenAPI fields, such as a body of another type than JSON. */
  schema?: object
  /** 200 unless something was created, or is to be done. */
  status?: 200 | 201 | 202 | 204
  answer: object
  handle(request: RequestOf<Params, Query, Body>, reply: FastifyReply): unknown
}

/** Publishes an operation. Its handler returns the body of the response. */
export function publish<
  Params extends TObject = Nothing,
  Query extends TObject = Nothing,
  Body extends TObject = Nothing,
>(server: FastifyInstance, operation: Operation<Params, Query, Body>): void {
  const { access, summary, description, tag, operationId, config, schema, status = 200 } = operation
  const { params, query, headers, body, answer, handle, ...options } = operation
  server.route<{ Params: Static<Params>; Querystring: Static<Query>; Body: Static<Body> }>({
    ...options,
    config: { access, ...config },
    schema: {
      summary,
      ...(description && { description }),
      tags: [tag],
      operationId,
      ...(params && { params }),
      ...(query && { querystring: query }),
      ...(headers && { headers }),
      ...(body && { body }),
      response: { [status]: answer, ...problemResponses },
      ...schema,
    },
    handler(request, reply) {
      reply.status(status)
      return handle(request, reply)
    },
  })
}
