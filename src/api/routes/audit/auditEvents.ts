// The log over HTTP, for auditors: events by filter, one stream, everything a command has caused.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { firstOf, showEvents } from '../../../audit/events.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { startOfLog } from '../../../kit/position.ts'
import { readStream } from '../../../ports/eventStore.ts'
import {
  type EventFilter,
  mailsOf,
  webhooksOf,
} from '../../../projections/audit/eventIndexQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { streamedRoute } from '../../http/ndjson.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { Position } from '../../http/schemas.ts'
import {
  access,
  EventQuery,
  Events,
  Limit,
  momentFrom,
  positionFrom,
  Stream,
  Trace,
  tag,
} from './auditSchemas.ts'
import { eventsBehind, exportLines } from './readLog.ts'

const defaultLimit = 50
/** Events of one trace that are shown: a bulk import has more. */
const traceMax = 1_000

/** Publishes the log. */
export function auditLogRoutes(server: FastifyInstance, context: ApiContext): void {
  streamedRoute(server, context, {
    tag,
    access,
    from: ['eventIndex'],
    bulk: true,
    url: '/audit/events',
    summary: 'List events in order; as NDJSON, export the log as stored',
    operationId: 'listEvents',
    query: EventQuery,
    answer: Events,
    async handle(request, reply) {
      const { after, limit = defaultLimit } = request.query
      const wanted = { after: positionFrom(after), limit: limit + 1 }
      const found = await eventsBehind(context, filterOf(request.query), wanted)
      const data = await showEvents(context.codec, found.slice(0, limit))
      const nextCursor = found.length > limit ? data.at(-1)?.position : undefined
      return linked(request, reply, { data, nextCursor })
    },
    lines: ({ query }) => exportLines(context, filterOf(query), positionFrom(query.after)),
  })
  oneStream(server, context)
  trace(server, context)
}

function filterOf(query: Static<typeof EventQuery>): EventFilter {
  const { type, stream, actor, correlationId, from, to } = query
  if (from !== undefined) momentFrom(from, 'from')
  if (to !== undefined) momentFrom(to, 'to')
  return { type, stream, actor, correlationId, from, to }
}

/** The next part begins behind the cursor: it is where `after` goes. */
function linked<Data>(
  request: FastifyRequest,
  reply: FastifyReply,
  { data, nextCursor }: { data: Data; nextCursor: string | undefined },
) {
  if (nextCursor === undefined) return { data }
  const { pathname, searchParams } = new URL(request.url, 'http://shop.invalid')
  searchParams.set('after', nextCursor)
  reply.header('link', `<${pathname}?${searchParams}>; rel="next"`)
  return { data, nextCursor }
}

const StreamQuery = Type.Object(
  {
    after: Type.Optional(
      Type.Integer({ minimum: -1, maximum: 999_999_999, description: 'A revision' }),
    ),
    limit: Type.Optional(Limit),
    minPosition: Type.Optional(Position),
  },
  strict,
)

function oneStream(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access,
    // Straight from the log: always the newest.
    from: [],
    url: '/audit/streams/:stream',
    summary: 'List the events of a stream',
    operationId: 'getStream',
    params: Type.Object({ stream: Stream }, strict),
    query: StreamQuery,
    answer: Events,
    async handle(request, reply) {
      const { after = -1, limit = defaultLimit } = request.query
      const range = { from: after + 1, to: after + 1 + limit }
      const events = readStream(context.eventStore, request.params.stream, range)
      const found = await firstOf(events, limit + 1)
      if (found.length === 0 && after < 0) {
        throw new HttpProblem('request/not-found', 'The stream does not exist.')
      }
      const data = await showEvents(context.codec, found.slice(0, limit))
      const next = found.length > limit ? String(data.at(-1)?.revision) : undefined
      return linked(request, reply, { data, nextCursor: next })
    },
  })
}

function trace(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access,
    from: ['eventIndex'],
    url: '/audit/trace/:correlationId',
    summary: 'Get the events, mails and webhooks that a command has caused',
    operationId: 'getTrace',
    params: Type.Object({ correlationId: Id }, strict),
    answer: Trace,
    async handle({ params: { correlationId } }) {
      const wanted = { after: startOfLog, limit: traceMax + 1 }
      const found = await eventsBehind(context, { correlationId }, wanted)
      if (found.length === 0) {
        throw new HttpProblem('request/not-found', 'No events with this correlation id exist.')
      }
      const shown = found.slice(0, traceMax)
      const ids = shown.map(({ id }) => id)
      const [events, mails, webhooks] = await Promise.all([
        showEvents(context.codec, shown),
        mailsOf(context.db, ids),
        webhooksOf(context.db, ids),
      ])
      return { correlationId, events, mails, webhooks, complete: found.length <= traceMax }
    },
  })
}
