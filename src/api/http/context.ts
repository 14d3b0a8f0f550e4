// The services that the API depends on; the entry points provide them.

import type { Queue } from 'bullmq'
import type { Kysely } from 'kysely'
import type { App } from '../../commands/core/app.ts'
import type { Config } from '../../config/config.ts'
import type { Position } from '../../kit/position.ts'
import type { SessionServices, SharedPasswords } from '../../ports/accounts.ts'
import type { AuditServices } from '../../ports/audit.ts'
import type { Codec } from '../../ports/codec.ts'
import type { Health } from '../../ports/health.ts'
import type { FileStore, Imaging } from '../../ports/images.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { MailBox } from '../../ports/mailBox.ts'
import type { Metrics } from '../../ports/metrics.ts'
import type { CallbackBook } from '../../ports/payments.ts'
import type { Counters, Fingerprint, RequestKeys } from '../../ports/requests.ts'
import type { Tracing } from '../../ports/tracing.ts'
import type { WebhookSender, Webhooks } from '../../ports/webhooks.ts'
import type { Reaction } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import type { Notification } from '../../projections/order/orderNotifications.ts'
import type { Positions, Reached } from './positions.ts'

/** A client that is subscribed to order updates. */
export interface LiveSubscriber {
  /** The customer whose orders are followed; undefined for all. */
  customerId: string | undefined
  deliver(notification: Notification): void
  /**
   * Whether the client may still receive notifications, by the current log: whatever revokes
   * that right before the position of a notification is in the log by then. Without it,
   * it always may.
   */
  mayReceive?(): Promise<boolean>
}

export interface NotificationFeed {
  /**
   * Receives what a projector publishes: notifications are delivered at once if they follow the
   * last one, else read from the database. Polling finds those of a lost message.
   */
  receive(told: string): void
  /** Subscribes; the returned function unsubscribes. */
  subscribe(subscriber: LiveSubscriber): () => void
  /** Up to `limit` notifications after a position, oldest first. */
  notificationsAfter(
    after: Position,
    limit: number,
    customerId: string | undefined,
  ): Promise<Notification[]>
  close(): Promise<void>
}

/** A response whose body is serialized. */
export interface SerializedResponse {
  etag: string
  body: string
  /** Of a list: where it goes on, and how many there are. */
  nextCursor?: string | undefined
  total?: number | undefined
}

/** Responses by kind and key, valid until the catalogue changes. */
export interface AnswerCache {
  /** A response that shows the position `after`; one computed now shows at least `asOf`. */
  get(
    wanted: { kind: string; key: string; after: Position; asOf: Position },
    compute: () => Promise<SerializedResponse | undefined>,
  ): Promise<{ answer: SerializedResponse | undefined; asOf: Position; isRepeated: boolean }>
  /** The current generation of responses, if this process knows it. */
  generation(): string | undefined
  /** The same after asking Redis; undefined if that is not possible. */
  current(): Promise<string | undefined>
}

/** The last written position of each caller, shared by all processes. */
export interface OwnWrites {
  /** False if the position could not be shared with other processes. */
  note(caller: string, position: Position): Promise<boolean>
  of(caller: string): Promise<{ known: Position; possible: Position }>
}

/** Files for the importer, and operations on imports. */
export interface ProductImports {
  receive(upload: {
    importId: string
    correlationId: string
    requestedBy: string
    format: 'csv' | 'ndjson'
    dryRun: boolean
    content: AsyncIterable<Buffer>
  }): Promise<'queued' | 'replayed' | 'other' | 'too-large'>
  cancel(importId: string): Promise<void>
  undo(importId: string, requestedBy: string): Promise<void>
}

/** Hashing passwords is queued by caller. */
export type ApiAccounts = SessionServices & { passwords: SharedPasswords }

export interface ApiContext {
  config: Config
  app: App
  /** Reactions to events, which admins can inspect. */
  reactions: readonly Reaction[]
  accounts: ApiAccounts
  audit: AuditServices
  db: Kysely<Tables>
  eventStore: EventLog
  codec: Codec
  callbacks: CallbackBook
  requestKeys: RequestKeys
  fingerprint: Fingerprint
  answers: AnswerCache
  files: FileStore
  imaging: Imaging
  productImports: ProductImports
  feed: NotificationFeed
  progress: Reached
  /** Waits for read models to reach a position. */
  positions: Positions
  ownWrites: OwnWrites
  /** Rate limit counters. */
  counters: Counters
  webhooks: Webhooks
  mailBox: MailBox
  sender: WebhookSender
  /** Signals that webhooks are due; without it they are found within a second. */
  notifyWebhookSender(): void
  /** The job queues, for the dashboard. */
  queues: readonly Queue[]
  metrics: Metrics
  tracing: Tracing
  /** Signals that a mail is queued; without it it is found a little later. */
  notifyMailSender(): void
  health: Health
}
