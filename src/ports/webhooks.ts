// Outgoing webhooks: which events others can hear of, and what is kept about those who listen.
import type { Position } from '../kit/position.ts'

/** The names under which events are sent; they are a contract, added and never renamed. */
export const webhookTypes = [
  'order.placed',
  'order.paid',
  'order.payment_failed',
  'order.shipped',
  'order.delivered',
  'order.cancelled',
  'order.expired',
  'order.refunded',
  'order.dispute_opened',
  'order.dispute_closed',
  'product.created',
  'product.updated',
  'product.price_changed',
  'product.deleted',
  'stock.adjusted',
  'stock.reserved',
  'stock.released',
  'stock.committed',
] as const

export type WebhookType = (typeof webhookTypes)[number]

/** What is sent: no name, no address, no free text of anybody's. */
export interface WebhookMessage {
  type: WebhookType
  /** When it happened. */
  timestamp: string
  data: Readonly<Record<string, unknown>>
}

export type DisabledBecause = 'admin' | 'failures' | 'gone'

export interface WebhookEndpoint {
  id: string
  url: string
  description: string
  events: readonly WebhookType[]
  disabledAt: Date | null
  disabledBecause: DisabledBecause | null
  failures: number
  /** Until when what was the secret before signs as well. */
  previousSecretUntil: Date | null
  replay: { after: Position; to: Position } | null
  revision: number
  createdAt: Date
  updatedAt: Date
}

export interface NewEndpoint {
  /** Follows from the command, so that a retry makes nothing new. */
  id: string
  commandId: string
  url: string
  description: string
  events: readonly WebhookType[]
  startsAfter: Position
}

export interface EndpointChange {
  url?: string
  description?: string
  events?: readonly WebhookType[]
  enabled?: boolean
  /** Where the log ends: what has happened while it was disabled is not sent by itself. */
  head: Position
}

/** An endpoint with its secret: told once, to whoever made it. */
export interface WithSecret {
  endpoint: WebhookEndpoint
  secret: string
  replayed: boolean
}

export interface WebhookTarget {
  url: string
  events: readonly WebhookType[]
  secrets: readonly string[]
}

/** Those who listen, in PostgreSQL. Everything throws Unavailable while it cannot be reached. */
export interface Webhooks {
  list(): Promise<WebhookEndpoint[]>
  find(id: string): Promise<WebhookEndpoint | undefined>
  /** `other`: this id stands for another endpoint; `full`: there are as many as there may be. */
  create(endpoint: NewEndpoint): Promise<WithSecret | 'other' | 'full'>
  /** Undefined when there is none; without a revision whatever is there is changed. */
  change(
    id: string,
    change: EndpointChange,
    revision: number | undefined,
  ): Promise<WebhookEndpoint | 'stale' | undefined>
  remove(id: string, revision: number | undefined): Promise<'removed' | 'stale' | undefined>
  /** A new secret; the one before signs as well for a day. */
  rotate(id: string, commandId: string): Promise<WithSecret | undefined>
  /** Sends one again, under the same id. False when there is none. */
  redeliver(id: string, deliveryId: string): Promise<boolean>
  /** Sends what happened in a range again. */
  replay(
    id: string,
    range: { after: Position; to: Position },
  ): Promise<WebhookEndpoint | 'busy' | undefined>
  /**
   * Where messages for an endpoint go, and what signs them now, the newest first; undefined when it
   * is gone. Throws where it is not as the shop has sealed it.
   */
  targetOf(id: string): Promise<WebhookTarget | undefined>
}

export interface WebhookRequest {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
}

/** The answer's status, or a word on why there was none. */
export type WebhookAnswer = { status: number } | { error: string }

/** Sends to places that strangers have named, and to no place where they have no business. */
export interface WebhookSender {
  send(request: WebhookRequest): Promise<WebhookAnswer>
  /** Why nothing is ever sent to a URL, as far as the URL itself tells; undefined if nothing. */
  refusalOf(url: string): string | undefined
}
