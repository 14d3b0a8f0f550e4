// Events that a projection could not handle, and what admins decide about them.

import type { FastifyInstance, FastifyReply } from 'fastify'
import Type from 'typebox'
import { decodeAt } from '../../../commands/core/decoding.ts'
import { line, multiline } from '../../../domain/kernel/text.ts'
import { strict } from '../../../domain/kernel/types.ts'
import { parsePosition } from '../../../kit/position.ts'
import { type Decided, decideParked, parkedEvents } from '../../../projections/core/parking.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { publish } from '../../http/route.ts'
import { many, nullable, Position, text, time } from '../../http/schemas.ts'
import { followerNamed, named } from './projections.ts'
import { count } from './rebuildShape.ts'

const tag = 'Admin'
const ParkedEvent = Type.Object(
  {
    position: Position,
    stream: text(200),
    type: text(100),
    error: text(2_000),
    awaits: {
      ...nullable(text(200)),
      description: 'Type@version that a newer release can read, which tries it again by itself',
    },
    parkedAt: time,
  },
  strict,
)

const parkedOne = Type.Object({ name: line(100), position: Position }, strict)
const ParkedQuery = Type.Object(
  {
    after: Type.Optional(Position),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  },
  strict,
)
const defaultLimit = 10

/** Publishes them. */
export function parkedEventRoutes(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access: ['admin', 'auditor'],
    from: [],
    url: '/admin/projections/:name/parked',
    summary: 'List the parked events of a projection',
    operationId: 'listParked',
    params: named,
    query: ParkedQuery,
    answer: Type.Object(
      { data: many(ParkedEvent, 100), nextCursor: Type.Optional(Position) },
      strict,
    ),
    async handle({ params: { name }, query: { after = '0', limit = defaultLimit } }) {
      const found = await parkedEvents(context.db, name, { after: parsePosition(after), limit })
      const data = found.map(({ position, parkedAt, ...rest }) => ({
        ...rest,
        position: String(position),
        parkedAt: parkedAt.toISOString(),
      }))
      const last = data.length < limit ? undefined : data.at(-1)?.position
      return last === undefined ? { data } : { data, nextCursor: last }
    },
  })
  decision(server, context, 'retry')
  decision(server, context, 'skip')
}

const Reason = Type.Object({ reason: multiline(500) }, strict)
const OptionalReason = Type.Partial(Reason, strict)

function decision(server: FastifyInstance, context: ApiContext, what: 'retry' | 'skip'): void {
  const body = what === 'skip' ? Reason : OptionalReason
  publish(server, {
    method: 'POST',
    url: `/admin/projections/:name/parked/:position/${what}`,
    access: ['admin'],
    async preValidation(request) {
      if (what === 'retry') request.body ??= {}
    },
    summary:
      what === 'skip'
        ? 'Skip a parked event and apply the events waiting for it'
        : 'Retry a parked event and apply the events waiting for it',
    tag,
    operationId: `${what}Parked`,
    params: parkedOne,
    body,
    answer: Type.Object({ applied: count, left: count }, strict),
    async handle(request, reply) {
      const { name, position } = request.params
      const decided = await decideParked(context.db, followerNamed(context, name), {
        position: parsePosition(position),
        decision: {
          decision: what,
          reason: request.body.reason ?? null,
          decidedBy: signedIn(request),
        },
        read: (stream, positions) => decodeAt(context, stream, positions),
      })
      return sendDecided(reply, decided)
    },
  })
}

function sendDecided(reply: FastifyReply, decided: Decided) {
  switch (decided.outcome) {
    case 'applied':
      return reply.send({ applied: decided.events, left: decided.left })
    case 'not-parked':
      throw new HttpProblem('projection/not-parked', 'The event is not parked for this projection.')
    case 'not-first':
      throw new HttpProblem(
        'projection/earlier-parked',
        'Events of a stream are applied in order: retry or skip the first parked one.',
        { first: String(decided.first) },
      )
    case 'still-parked':
      throw new HttpProblem(
        'projection/still-parked',
        'The event still cannot be applied. Correct the projection first, or skip the event.',
        { error: decided.error },
      )
  }
}
