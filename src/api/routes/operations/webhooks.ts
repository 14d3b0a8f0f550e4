// Outgoing webhooks for admins: who is told, with which secret, and what became of each telling.

import type { FastifyInstance, FastifyReply } from 'fastify'
import { derivedId } from '../../../commands/core/ids.ts'
import type { WithSecret } from '../../../ports/webhooks.ts'
import { isUnchanged } from '../../http/caching.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { commandHeaders, envelopeOf, requireMatch } from '../../http/requests.ts'
import { publish } from '../../http/route.ts'
import { nothing } from '../../http/schemas.ts'
import { deliveryRoutes, noEndpoint } from './webhookDeliveries.ts'
import {
  Endpoint,
  EndpointChange,
  EndpointList,
  EndpointWithSecret,
  endpointBody,
  NewEndpoint,
  WebhookParams,
} from './webhookSchemas.ts'

const tag = 'Webhooks'
const access = ['admin'] as const

/** Publishes the management of webhooks. */
export function webhookRoutes(server: FastifyInstance, context: ApiContext): void {
  reads(server, context)
  creating(server, context)
  changing(server, context)
  removing(server, context)
  rotating(server, context)
  deliveryRoutes(server, context)
}

function stale(): HttpProblem {
  return new HttpProblem('command/stale', 'The resource has changed since it was read.')
}

function reads(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    tag,
    access,
    from: [],
    url: '/admin/webhooks',
    summary: 'List the webhooks',
    operationId: 'listWebhooks',
    answer: EndpointList,
    handle: async () => ({ data: (await context.webhooks.list()).map(endpointBody) }),
  })
  readRoute(server, context, {
    tag,
    access,
    from: [],
    url: '/admin/webhooks/:webhookId',
    summary: 'Get a webhook',
    operationId: 'getWebhook',
    params: WebhookParams,
    answer: Endpoint,
    async handle(request, reply) {
      const endpoint = await context.webhooks.find(request.params.webhookId)
      if (endpoint === undefined) throw noEndpoint()
      const isKnown = isUnchanged(request, reply, endpoint.revision)
      return isKnown ? reply.status(304).send() : endpointBody(endpoint)
    },
  })
}

function refuseUnreachable({ sender }: ApiContext, url: string | undefined): void {
  const refusal = url === undefined ? undefined : sender.refusalOf(url)
  if (refusal === undefined) return
  throw new HttpProblem('request/invalid', 'The request body is invalid.', {
    errors: [{ pointer: '/url', detail: refusal, in: 'body' }],
  })
}

function creating(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/webhooks',
    access,
    summary: 'Create a webhook; its secret is only shown in this response',
    description:
      'Sent as in Standard Webhooks 1.0: webhook-id, webhook-timestamp, webhook-signature. ' +
      'Each event comes at least once, under one id; order is told by data.aggregateRevision.',
    tag,
    operationId: 'createWebhook',
    headers: commandHeaders({}),
    body: NewEndpoint,
    status: 201,
    answer: EndpointWithSecret,
    async handle(request, reply) {
      const { url, description = '', events } = request.body
      refuseUnreachable(context, url)
      const { commandId } = envelopeOf(context, request, request.body)
      const made = await context.webhooks.create({
        id: derivedId(commandId, 'webhook'),
        commandId,
        url,
        description,
        events: [...new Set(events)],
        startsAfter: await context.eventStore.head(),
      })
      if (made === 'other') throw reused()
      if (made === 'full')
        throw new HttpProblem('webhook/limit', 'The limit of 100 webhooks is reached.')
      request.log.info({ event: 'webhook-created', webhookId: made.endpoint.id }, 'webhook')
      reply.status(201).header('location', `/api/admin/webhooks/${made.endpoint.id}`)
      return secretBody(reply, made)
    },
  })
}

function reused(): HttpProblem {
  return new HttpProblem('command/key-reused', 'The Idempotency-Key was used for another webhook.')
}

function secretBody(reply: FastifyReply, { endpoint, secret, replayed }: WithSecret) {
  reply.header('cache-control', 'private, no-store').header('etag', `"${endpoint.revision}"`)
  if (replayed) reply.header('idempotent-replayed', 'true')
  return reply.send({ ...endpointBody(endpoint), secret })
}

function changing(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'PATCH',
    url: '/admin/webhooks/:webhookId',
    access,
    preValidation: async request => requireMatch(request),
    summary: 'Change, disable or enable a webhook',
    description: 'Events recorded while it was disabled can be sent by a replay.',
    tag,
    operationId: 'changeWebhook',
    headers: commandHeaders({ requireMatch: true }),
    params: WebhookParams,
    body: EndpointChange,
    answer: Endpoint,
    async handle(request, reply) {
      const { webhookId } = request.params
      refuseUnreachable(context, request.body.url)
      const { expectedRevision } = envelopeOf(context, request, request.body)
      const change = { ...request.body, head: await context.eventStore.head() }
      const changed = await context.webhooks.change(webhookId, change, expectedRevision)
      if (changed === undefined) throw noEndpoint()
      if (changed === 'stale') throw stale()
      request.log.info({ event: 'webhook-changed', webhookId }, 'webhook')
      reply.header('etag', `"${changed.revision}"`)
      return endpointBody(changed)
    },
  })
}

function removing(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'DELETE',
    url: '/admin/webhooks/:webhookId',
    access,
    preValidation: async request => requireMatch(request),
    summary: 'Delete a webhook with its deliveries',
    tag,
    operationId: 'removeWebhook',
    headers: commandHeaders({ requireMatch: true }),
    params: WebhookParams,
    status: 204,
    answer: nothing('Removed'),
    async handle(request) {
      const { webhookId } = request.params
      const { expectedRevision } = envelopeOf(context, request, {})
      const removed = await context.webhooks.remove(webhookId, expectedRevision)
      if (removed === undefined) throw noEndpoint()
      if (removed === 'stale') throw stale()
      request.log.info({ event: 'webhook-removed', webhookId }, 'webhook')
    },
  })
}

function rotating(server: FastifyInstance, context: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/webhooks/:webhookId/secret',
    access,
    summary: 'Rotate the secret of a webhook; the previous one signs for another day',
    tag,
    operationId: 'rotateWebhookSecret',
    headers: commandHeaders({}),
    params: WebhookParams,
    answer: EndpointWithSecret,
    async handle(request, reply) {
      const { webhookId } = request.params
      const { commandId } = envelopeOf(context, request, {})
      const rotated = await context.webhooks.rotate(webhookId, commandId)
      if (rotated === undefined) throw noEndpoint()
      request.log.info({ event: 'webhook-secret-rotated', webhookId }, 'webhook')
      return secretBody(reply, rotated)
    },
  })
}
