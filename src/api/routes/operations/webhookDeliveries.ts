// The log of what was sent to a webhook, and sending it again: one by one, or a stretch of the log.

import type { FastifyInstance } from 'fastify'
import { justBefore, parsePosition, startOfLog } from '../../../kit/position.ts'
import { findDelivery, listDeliveries } from '../../../projections/notifications/webhookQueries.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute } from '../../http/readRoute.ts'
import { commandHeaders } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
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
  redelivering(server, context)
  replaying(server, context)
}

function listing(server: FastifyInstance, context: ApiContext): void {
  listRoute(server, context, {
    tag,
    access,
    from: ['webhookOutbox'],
    url: '/admin/webhooks/:webhookId/deliveries',
    summary: 'List the deliveries of a webhook, newest first',
    operationId: 'listWebhookDeliveries',
    params: WebhookParams,
    query: DeliveryQuery,
    item: Delivery,
    sort: 'time',
    async read({ params: { webhookId }, query: { status } }, part) {
      if ((await context.webhooks.find(webhookId)) === undefined) throw noEndpoint()
      return listDeliveries(context.db, webhookId, { status, part })
    },
  })
}

function redelivering(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/webhooks/:webhookId/deliveries/:deliveryId/redeliver',
    access,
    summary: 'Send a delivery again under the same id',
    tag,
    operationId: 'redeliverWebhook',
    headers: commandHeaders({}),
    params: DeliveryParams,
    status: 202,
    answer: Delivery,
    async handle(request) {
      const { webhookId, deliveryId } = request.params
      const isThere = await context.webhooks.redeliver(webhookId, deliveryId)
      const delivery = isThere ? await findDelivery(context.db, deliveryId) : undefined
      if (delivery === undefined) throw noEndpoint()
      context.notifyWebhookSender()
      return delivery
    },
  })
}

function replaying(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/webhooks/:webhookId/replay',
    access,
    config: { bulk: () => true },
    summary: 'Send all events between two positions again, both included',
    tag,
    operationId: 'replayWebhooks',
    headers: commandHeaders({}),
    params: WebhookParams,
    body: Range,
    status: 202,
    answer: Endpoint,
    async handle(request, reply) {
      const [from, to] = [parsePosition(request.body.from), parsePosition(request.body.to)]
      if (from <= startOfLog || from > to)
        throw badRange('/from', 'must be at least 1 and not greater than `to`')
      const { webhookId } = request.params
      const replay = await context.webhooks.replay(webhookId, { after: justBefore(from), to })
      if (replay === undefined) throw noEndpoint()
      if (replay === 'busy')
        throw new HttpProblem('webhook/replaying', 'A replay is already running.')
      context.notifyWebhookSender()
      return reply.status(202).send(endpointBody(replay))
    },
  })
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
