// The one way in which a route becomes a command: path and body make the input, the answer follows.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { type Accepted, type Command, execute } from '../../commands/core/command.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import { roles, strict } from '../../domain/kernel/types.ts'
import type { ApiContext } from './context.ts'
import { cartToken, forGuests, guestCart, handOut } from './guestCart.ts'
import { HttpProblem, sendRejection } from './problems.ts'
import { commandHeaders, envelopeOf, requireKey, requireMatch } from './requests.ts'
import { AcceptedBody, problemResponses } from './schemas.ts'

export interface CommandRoute<Schema extends TObject> {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  command: Command<Schema>
  summary: string
  tag: string
  /** The command's name, unless it is published twice. */
  operationId?: string
  /** 200 unless something was made. */
  status?: 200 | 201
  /** Whether a repeat would cost money or goods, so that only a key makes it harmless. */
  requireKey?: boolean
  /** Whether several people edit it, so that each has to say which version they have seen. */
  requireMatch?: boolean
  /** Whether people have a cart to do it to who have not signed in. */
  guests?: true
  /** Whether it changes the fields of its body that are sent, so that one has to be. */
  changes?: true
  /** Path of what was made. */
  location?(id: string): string
}

const pathParameters = /:(\w+)/g

/** Publishes a command. What is in the path is not in the body. */
export function commandRoute<Schema extends TObject>(
  server: FastifyInstance,
  context: ApiContext,
  route: CommandRoute<Schema>,
): void {
  const { method, url, command, summary, tag, operationId, status = 200 } = route
  const inPath = [...url.matchAll(pathParameters)].flatMap(match => match[1] ?? [])
  const checked = Compile(command.input)
  const fields = Object.entries(command.input.properties)
  const params = fields.filter(([name]) => inPath.includes(name))
  const body = fields.filter(([name]) => !inPath.includes(name))
  const optional = body.length > 0 && body.every(([, field]) => Type.IsOptional(field))
  server.route({
    method,
    url,
    config: { access: command.roles === 'anyone' ? 'public' : accessOf(command) },
    schema: {
      summary,
      tags: [tag],
      operationId: operationId ?? command.name + (method === 'PUT' ? 'ByPut' : ''),
      ...(route.guests ? { security: forGuests } : {}),
      headers: commandHeaders({ ...route, ...(route.guests ? { headers: cartToken } : {}) }),
      ...(params.length > 0 ? { params: strictObject(params) } : {}),
      ...(body.length > 0 ? { body: strictObject(body, route.changes ? 1 : 0) } : {}),
      response: { [status]: AcceptedBody, ...problemResponses },
    },
    preValidation(request, _, done) {
      if (route.requireKey) requireKey(request)
      if (route.requireMatch) requireMatch(request)
      // Where nothing has to be said, nothing need be sent.
      if (optional && (request.body === undefined || request.body === null)) request.body = {}
      done()
    },
    async handler(request, reply) {
      const input = { ...record(request.body), ...record(request.params) }
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

function accessOf(command: Command<TObject>) {
  return command.roles === 'anyone' ? roles : command.roles
}

function record(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
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
  reply.status(route.status ?? 200)
  if (route.location !== undefined) reply.header('location', route.location(outcome.id))
  return reply.send({ ...acceptedBody(reply, outcome), ...handOut(reply, guest, outcome) })
}

/** The body and headers of a command that was carried out. */
export function acceptedBody(reply: FastifyReply, accepted: Accepted) {
  const { id, revision, position, replayed, result } = accepted
  reply.header('x-position', String(position)).header('etag', `"${revision}"`)
  if (replayed) reply.header('idempotent-replayed', 'true')
  return { id, revision, position: String(position), ...result }
}
