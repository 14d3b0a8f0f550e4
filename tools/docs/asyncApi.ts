// docs/asyncapi.yaml: WebSocket, server-sent events and webhooks, from the schemas of the messages.
import type { TSchema } from 'typebox'
import { stringify } from 'yaml'
import { Position, Status } from '../../src/api/http/schemas.ts'
import { clientMessages, serverMessages } from '../../src/api/realtime/messages.ts'
import { Progress } from '../../src/api/routes/catalogue/productImports.ts'
import { Rebuild } from '../../src/api/routes/operations/rebuildShape.ts'
import { Id, Money } from '../../src/domain/kernel/types.ts'
import { webhookTypes } from '../../src/ports/webhooks.ts'
import { webhookBody } from '../../src/workers/reactions/webhook/schemas.ts'
import {
  clientSummaries,
  serverSummaries,
  webhookHeaders,
  webhookSummaries,
} from './asyncApiTexts.ts'

const shared = { Id, Money, Position, Status }
const names = new Map(
  Object.entries(shared).map(([name, schema]) => [JSON.stringify(schema), name] as const),
)

/** The document as an object; what it says of messages are their schemas. */
export function asyncApi() {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Orderstream: live messages and webhooks',
      version: '1',
      description:
        'Order updates over WebSocket and server-sent events, the progress of long jobs, and ' +
        'webhooks. Commands and reads are in the OpenAPI document at /openapi.json. ' +
        'How to use both: docs/storefront.md.',
    },
    defaultContentType: 'application/json',
    servers: {
      webSocket: server('ws', 'WebSocket'),
      http: server('http', 'HTTP, for server-sent events'),
    },
    channels: channels(),
    operations: operations(),
    components: components(),
  }
}

/** The document as text. */
export function asyncApiYaml(): string {
  const head = '# Written by npm run docs from the schemas of the messages; a test compares them.\n'
  return head + stringify(asyncApi(), { aliasDuplicateObjects: false, lineWidth: 100 })
}

/** The schemas of all messages, as references to them in the components leave them. */
function messages(): Record<string, object> {
  return {
    ...each(clientMessages, (name, payload) => message(payload, clientSummaries[name])),
    ...each(serverMessages, (name, payload) => message(payload, serverSummaries[name])),
    import_progress: message(Progress, 'A bulk import as it is now; the last event is done'),
    rebuild_progress: message(Rebuild, 'A rebuild as it is now; the last event is done'),
    ...Object.fromEntries(
      webhookTypes.map(type => [
        type,
        { ...message(webhookBody(type), webhookSummaries[type]), headers: webhookHeaders },
      ]),
    ),
  }
}

function each<Name extends string>(
  schemas: Readonly<Record<Name, TSchema>>,
  made: (name: Name, payload: TSchema) => object,
): Record<string, object> {
  const entries = Object.entries(schemas) as [Name, TSchema][]
  return Object.fromEntries(entries.map(([name, payload]) => [name, made(name, payload)]))
}

function message(payload: TSchema, summary: string) {
  return { summary, contentType: 'application/json', payload: withReferences(payload) }
}

function server(protocol: string, description: string) {
  return {
    host: '{host}',
    protocol,
    description,
    variables: { host: { default: '127.0.0.1:3000', description: 'Where the API is' } },
    security: [{ $ref: '#/components/securitySchemes/bearer' }],
  }
}

const clientNames = Object.keys(clientMessages)
const serverNames = Object.keys(serverMessages)
/** What can only follow from something that the client has said does not come over SSE. */
const eventNames = ['order_update', 'resync']

function channels() {
  return {
    orderSocket: {
      ...channel('/ws/orders/notifications', 'webSocket', [...clientNames, ...serverNames]),
      description:
        'Sign in with an Authorization header or, from a browser, with the subprotocols ' +
        '"bearer, <access token>" or "ticket, <ticket of POST /api/auth/tickets>".',
      bindings: { ws: { method: 'GET' } },
    },
    orderEvents: {
      ...channel('/api/orders/notifications', 'http', eventNames),
      description: 'Server-sent events. Last-Event-ID resumes after that position.',
    },
    importProgress: {
      ...channel('/api/products/imports/{importId}', 'http', ['import_progress']),
      description: 'With Accept: text/event-stream; events are called progress, the last one done.',
      parameters: { importId: { description: 'The id of the import' } },
    },
    rebuildProgress: {
      ...channel('/api/admin/projections/{name}/rebuild', 'http', ['rebuild_progress']),
      description: 'With Accept: text/event-stream; events are called progress, the last one done.',
      parameters: { name: { description: 'The name of the projection' } },
    },
    webhooks: {
      address: null,
      description:
        'POST to the URL of an endpoint registered at /api/admin/webhooks, at least once, ' +
        'signed as in Standard Webhooks 1.0.',
      messages: references(webhookTypes),
    },
  }
}

function channel(address: string, on: 'webSocket' | 'http', of: readonly string[]) {
  return { address, servers: [{ $ref: `#/servers/${on}` }], messages: references(of) }
}

function references(of: readonly string[]) {
  return Object.fromEntries(of.map(name => [name, { $ref: `#/components/messages/${name}` }]))
}

function operations() {
  return {
    followOrdersBySocket: operation('send', 'orderSocket', serverNames, 'Order updates'),
    askBySocket: operation('receive', 'orderSocket', clientNames, 'What clients may say'),
    followOrdersByEvents: operation('send', 'orderEvents', eventNames, 'Order updates'),
    followImport: operation('send', 'importProgress', ['import_progress'], 'Progress'),
    followRebuild: operation('send', 'rebuildProgress', ['rebuild_progress'], 'Progress'),
    sendWebhooks: operation('send', 'webhooks', webhookTypes, 'Events for other programs'),
  }
}

function operation(action: 'send' | 'receive', on: string, of: readonly string[], summary: string) {
  return {
    action,
    channel: { $ref: `#/channels/${on}` },
    summary,
    messages: of.map(name => ({ $ref: `#/channels/${on}/messages/${name}` })),
  }
}

function components() {
  return {
    messages: messages(),
    schemas: JSON.parse(JSON.stringify(shared)),
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
  }
}

/** A copy as plain JSON, in which shapes that have a name are references to it. */
function withReferences(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const name = names.get(JSON.stringify(schema))
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` }
  if (Array.isArray(schema)) return schema.map(withReferences)
  const entries = Object.entries(schema).map(([key, value]) => [key, withReferences(value)])
  return Object.fromEntries(entries)
}
