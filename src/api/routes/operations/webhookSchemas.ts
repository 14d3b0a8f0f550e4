// The shapes of webhooks over HTTP: endpoints and deliveries.

import Type from 'typebox'
import { code, line } from '../../../domain/kernel/text.ts'
import { Id, strict } from '../../../domain/kernel/types.ts'
import { justAfter } from '../../../kit/position.ts'
import { type WebhookEndpoint, webhookTypes } from '../../../ports/webhooks.ts'
import { integer, many, nullable, PageQuery, Position, text, time } from '../../http/schemas.ts'

const Url = code(
  '^https?://[^\\s\\p{C}]+$',
  2_000,
  'An address that begins with https:// or http://',
)
const Description = line(200, { minLength: 0 })
const EventType = Type.Enum([...webhookTypes])
const EventTypes = Type.Array(EventType, { minItems: 1, maxItems: webhookTypes.length })

export const WebhookParams = Type.Object({ webhookId: Id }, strict)
export const DeliveryParams = Type.Object({ webhookId: Id, deliveryId: Id }, strict)

export const NewEndpoint = Type.Object(
  { url: Url, description: Type.Optional(Description), events: EventTypes },
  strict,
)
export const EndpointChange = Type.Object(
  {
    url: Type.Optional(Url),
    description: Type.Optional(Description),
    events: Type.Optional(EventTypes),
    enabled: Type.Optional(Type.Boolean()),
  },
  { ...strict, minProperties: 1 },
)
export const Range = Type.Object({ from: Position, to: Position }, strict)

const endpoint = {
  id: Id,
  url: text(2_000),
  description: text(200),
  events: Type.Array(EventType, { maxItems: webhookTypes.length }),
  enabled: Type.Boolean(),
  /** `failures`: too many failed attempts in a row; `gone`: it answered 410. */
  disabledBecause: nullable(Type.Enum(['admin', 'failures', 'gone'])),
  disabledAt: nullable(time),
  failures: integer,
  previousSecretUntil: nullable(time),
  replay: nullable(Type.Object({ next: Position, to: Position }, strict)),
  revision: integer,
  createdAt: time,
  updatedAt: time,
}
export const Endpoint = Type.Object(endpoint, strict)
export const EndpointWithSecret = Type.Object(
  { ...endpoint, secret: Type.String({ pattern: '^whsec_[\\w+/=]+$', maxLength: 100 }) },
  strict,
)
export const EndpointList = Type.Object({ data: many(Endpoint, 100) }, strict)

export const DeliveryStatus = Type.Enum(['pending', 'delivered', 'dead'])
export const DeliveryQuery = Type.Object(
  { ...PageQuery, status: Type.Optional(DeliveryStatus) },
  strict,
)
export const Delivery = Type.Object(
  {
    id: Id,
    eventId: Id,
    type: text(60),
    position: Position,
    status: DeliveryStatus,
    attempts: integer,
    nextAttemptAt: nullable(time),
    lastStatus: nullable(integer),
    lastError: nullable(text(60)),
    createdAt: time,
    deliveredAt: nullable(time),
  },
  strict,
)

/** An endpoint as it is shown. */
export function endpointBody(of: WebhookEndpoint) {
  const { id, url, description, events, failures, revision, replay } = of
  return {
    id,
    url,
    description,
    events,
    enabled: of.disabledAt === null,
    disabledBecause: of.disabledBecause,
    disabledAt: of.disabledAt?.toISOString() ?? null,
    failures,
    previousSecretUntil: of.previousSecretUntil?.toISOString() ?? null,
    replay: replay && { next: String(justAfter(replay.after)), to: String(replay.to) },
    revision,
    createdAt: of.createdAt.toISOString(),
    updatedAt: of.updatedAt.toISOString(),
  }
}
