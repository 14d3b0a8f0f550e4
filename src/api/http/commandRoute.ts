// Commands over HTTP: path and body make the input, the response follows from the outcome.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { type Accepted, type Command, execute } from '../../commands/core/command.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import { strict } from '../../domain/kernel/types.ts'
import type { ApiContext } from './context.ts'
import { cartToken, forGuests, guestCart, newCartToken } from './guestCart.ts'
import { HttpProblem, sendRejection } from './problems.ts'
import { commandHeaders, envelopeOf, requireKey, requireMatch } from './requests.ts'
import { publish } from './route.ts'
import { AcceptedBody } from './schemas.ts'

export interface CommandRoute<Schema extends TObject> {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  command: Command<Schema>
  summary: string
  description?: string
  tag: string
  /** By default the name of the command. */
  operationId?: string
  /** 200, or 201 if something is created. */
  status?: 200 | 201
  /** Whether an Idempotency-Key is required, since a repeat would cost money or goods. */
  requireKey?: boolean
  /** Whether If-Match is required, since several people edit the resource. */
  requireMatch?: boolean
  /** Whether guests can use it on their cart. */
  guests?: true
  /** Whether it changes the given fields of its body, so that at least one is required. */
  changes?: true
  /** The URL of the created resource. */
  location?(id: string): string
}

const pathParameters = /:(\w+)/g

/** Publishes a command. What is in the path is not in the body. */
export function commandRoute<Schema extends TObject>(
  server: FastifyInstance,
  context: ApiContext,
  route: CommandRoute<Schema>,
): void {
  const { method, url, command, summary, description, tag, guests } = route
  const inPath = [...url.matchAll(pathParameters)].flatMap(match => match[1] ?? [])
  const checked = Compile(command.input)
  const fields = Object.entries(command.input.properties)
  const params = fields.filter(([name]) => inPath.includes(name))
  const body = fields.filter(([name]) => !inPath.includes(name))
  const isOptional = body.length > 0 && body.every(([, field]) => Type.IsOptional(field))
  publish(server, {
    method,
    url,
    access: command.roles === 'anyone' ? 'public' : command.roles,
    summary,
    ...(description && { description }),
    tag,
    operationId: route.operationId ?? command.name + (method === 'PUT' ? 'ByPut' : ''),
    headers: commandHeaders({ ...route, ...(guests && { headers: cartToken }) }),
    schema: {
      ...(guests && { security: forGuests }),
      ...(params.length > 0 && { params: strictObject(params) }),
      ...(body.length > 0 && { body: strictObject(body, route.changes ? 1 : 0) }),
    },
    status: route.status ?? 200,
    answer: AcceptedBody,
    preValidation(request, _, done) {
      if (route.requireKey) requireKey(request)
      if (route.requireMatch) requireMatch(request)
      if (isOptional) request.body ??= {}
      done()
    },
    handle(request, reply) {
      const input: unknown = Object.assign({}, request.body, request.params)
      if (!checked.Check(input)) {
        throw new HttpProblem('request/invalid', 'The request body is invalid.')
      }
      return server.limit(request, () => answer(context, route, { request, reply, input }))
    },
  })
}

function strictObject(properties: [string, TSchema][], minProperties = 0) {
  const options = minProperties > 0 ? { ...strict, minProperties } : strict
  return Type.Object(Object.fromEntries(properties), options)
}

async function answer<Schema extends TObject>(
  context: ApiContext,
  route: CommandRoute<Schema>,
  on: { request: FastifyRequest; reply: FastifyReply; input: Static<Schema> },
) {
  const { request, reply, input } = on
  const guest = route.guests ? await guestCart(context, request) : undefined
  const envelope = envelopeOf(context, request, input, guest?.cartId)
  const outcome = await context.tracing.span(`command ${route.command.name}`, () =>
    execute(context.app, route.command, input, envelope),
  )
  if (isRejection(outcome)) return sendRejection(reply, outcome)
  if (route.location !== undefined) reply.header('location', route.location(outcome.id))
  return { ...acceptedBody(reply, outcome), ...newCartToken(reply, guest, outcome) }
}

/** The body and headers of the response to an accepted command. */
export function acceptedBody(reply: FastifyReply, accepted: Accepted) {
  const { id, revision, position, replayed, result } = accepted
  reply.header('x-position', String(position)).header('etag', `"${revision}"`)
  if (replayed) reply.header('idempotent-replayed', 'true')
  return { id, revision, position: String(position), ...result }
}
