// What the API works with; the entry points put it together.

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

/** A client that follows orders live. */
export interface LiveSubscriber {
  /** Whose orders; undefined for everybody's. */
  customerId: string | undefined
  deliver(notification: Notification): void
  /**
   * Whether they may be told what has just been heard of, by the log as it is now: whatever takes
   * that right away before a notification's position is in the log by then. Where it is missing,
   * they always may.
   */
  mayReceive?(): Promise<boolean>
}

export interface NotificationFeed {
  /**
   * Hears what a projector tells: news are passed on at once where they follow on what is known,
   * else looked for. Polling finds what a lost call has missed.
   */
  receive(told: string): void
  /** Live from now on; the function ends it. */
  follow(subscriber: LiveSubscriber): () => void
  /** What somebody has missed, oldest first, at most `limit`. */
  missed(after: Position, limit: number, customerId: string | undefined): Promise<Notification[]>
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

/** Answers by kind and key, valid as long as the catalogue does not change. */
export interface AnswerCache {
  /** An answer that shows the position `after`; what is computed now is known to show `asOf`. */
  get(
    wanted: { kind: string; key: string; after: Position; asOf: Position },
    compute: () => Promise<SerializedResponse | undefined>,
  ): Promise<{ answer: SerializedResponse | undefined; asOf: Position; isRepeated: boolean }>
  /** Which answers are true as far as this process knows; undefined where it has to ask. */
  generation(): string | undefined
  /** The same after asking; undefined where that cannot be known. */
  current(): Promise<string | undefined>
}

/** How far everybody has written, for all processes. */
export interface OwnWrites {
  /** False where other processes could not be told. */
  note(caller: string, position: Position): Promise<boolean>
  of(caller: string): Promise<{ known: Position; possible: Position }>
}

/** Files for the importer, and what admins want of an import. */
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

/** Whoever wants a password hashed has to say whose turn that is. */
export type ApiAccounts = SessionServices & { passwords: SharedPasswords }

export interface ApiContext {
  config: Config
  app: App
  /** What follows the log beside the projections, for admins to see to. */
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
  /** Where requests are counted. */
  counters: Counters
  webhooks: Webhooks
  mailBox: MailBox
  sender: WebhookSender
  /** Tells those who send webhooks that there are some; without it they find them in a second. */
  wakeWebhooks(): void
  /** Of jobs, to look at. */
  queues: readonly Queue[]
  metrics: Metrics
  tracing: Tracing
  /** Tells those who send mails that one waits; without it they find it a little later. */
  wakeMailers(): void
  health: Health
}
