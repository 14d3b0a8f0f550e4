// The log of what was sent to a webhook, and sending it again: one by one, or a stretch of the log.

import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { justBefore, parsePosition, startOfLog } from '../../../kit/position.ts'
import { findDelivery, listDeliveries } from '../../../projections/notifications/webhookQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { answerPage } from '../../http/paging.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { commandHeaders } from '../../http/requests.ts'
import { pageOf, problemResponses } from '../../http/schemas.ts'
import {
  Delivery,
  DeliveryParams,
  DeliveryQuery,
  Endpoint,
  endpointBody,
  Range,
  WebhookParams,
} from './webhookSchemas.ts'

const tag = 'Webhooks'
const access = ['admin'] as const

/** Publishes the log of deliveries. */
export function deliveryRoutes(server: FastifyInstance, context: ApiContext): void {
  listing(server, context)
  again(server, context)
  replaying(server, context)
}

function listing(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access,
    from: ['webhookOutbox'],
    url: '/admin/webhooks/:webhookId/deliveries',
    summary: 'List the deliveries of a webhook, newest first',
    operationId: 'listWebhookDeliveries',
    params: WebhookParams,
    query: DeliveryQuery,
    answer: pageOf(Delivery),
    async handle(request, reply) {
      const { webhookId } = request.params
      const { status } = request.query
      if ((await context.webhooks.find(webhookId)) === undefined) throw noEndpoint()
      const list = { of: { deliveries: webhookId, status }, kind: 'time' as const }
      return answerPage({ request, reply }, list, part =>
        listDeliveries(context.db, webhookId, { status, part }),
      )
    },
  })
}

function again(server: FastifyInstance, context: ApiContext): void {
  server.post<{ Params: Static<typeof DeliveryParams> }>(
    '/admin/webhooks/:webhookId/deliveries/:deliveryId/redeliver',
    {
      config: { access },
      schema: {
        summary: 'Send a delivery again under the same id',
        tags: [tag],
        operationId: 'redeliverWebhook',
        headers: commandHeaders({}),
        params: DeliveryParams,
        response: { 202: Delivery, ...problemResponses },
      },
    },
    async (request, reply) => {
      const { webhookId, deliveryId } = request.params
      const isThere = await context.webhooks.redeliver(webhookId, deliveryId)
      const delivery = isThere ? await findDelivery(context.db, deliveryId) : undefined
      if (delivery === undefined) throw noEndpoint()
      context.wakeWebhooks()
      return reply.status(202).send(delivery)
    },
  )
}

function replaying(server: FastifyInstance, context: ApiContext): void {
  server.post<{ Params: Static<typeof WebhookParams>; Body: Static<typeof Range> }>(
    '/admin/webhooks/:webhookId/replay',
    {
      config: { access, bulk: () => true },
      schema: {
        summary: 'Send all events between two positions again, both included',
        tags: [tag],
        operationId: 'replayWebhooks',
        headers: commandHeaders({}),
        params: WebhookParams,
        body: Range,
        response: { 202: Endpoint, ...problemResponses },
      },
    },
    async (request, reply) => {
      const [from, to] = [parsePosition(request.body.from), parsePosition(request.body.to)]
      if (from <= startOfLog || from > to)
        throw badRange('/from', 'must be at least 1 and not greater than `to`')
      const { webhookId } = request.params
      const replay = await context.webhooks.replay(webhookId, { after: justBefore(from), to })
      if (replay === undefined) throw noEndpoint()
      if (replay === 'busy')
        throw new HttpProblem('webhook/replaying', 'A replay is already running.')
      context.wakeWebhooks()
      return reply.status(202).send(endpointBody(replay))
    },
  )
}

function badRange(pointer: string, detail: string): HttpProblem {
  return new HttpProblem('request/invalid', 'The range of positions is invalid.', {
    errors: [{ pointer, detail, in: 'body' }],
  })
}

/** The problem of somebody who asks for an endpoint that there is not. */
export function noEndpoint(): HttpProblem {
  return new HttpProblem('webhook/not-found', 'The webhook does not exist.')
}
