// What the API works with; the entry points put it together.

import type { Queue } from 'bullmq'
import type { Kysely } from 'kysely'
import type { SessionServices, SharedPasswords } from '../commands/accountPorts.ts'
import type { AuditServices } from '../commands/auditPorts.ts'
import type { Codec } from '../commands/codecPorts.ts'
import type { FileStore, Imaging } from '../commands/imagePorts.ts'
import type { MailBox } from '../commands/mailPorts.ts'
import type { CallbackBook } from '../commands/paymentPorts.ts'
import type { Counters, Fingerprint, RequestKeys } from '../commands/requestPorts.ts'
import type { Shop } from '../commands/shop.ts'
import type { WebhookSender, Webhooks } from '../commands/webhookPorts.ts'
import type { Config } from '../config.ts'
import type { EventStore } from '../eventstore/port.ts'
import type { Health } from '../health.ts'
import type { Position } from '../kit/position.ts'
import type { Metrics } from '../metrics.ts'
import type { Notification } from '../projections/notification.ts'
import type { Reaction } from '../projections/projection.ts'
import type { Tables } from '../projections/tables.ts'
import type { Tracing } from '../tracing.ts'
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
  mayHear?(): Promise<boolean>
}

export interface NotificationFeed {
  /**
   * Hears what a projector tells: news are passed on at once where they follow on what is known,
   * else looked for. Polling finds what a lost call has missed.
   */
  hear(told: string): void
  /** Live from now on; the function ends it. */
  follow(subscriber: LiveSubscriber): () => void
  /** What somebody has missed, oldest first, at most `limit`. */
  missed(after: Position, limit: number, customerId: string | undefined): Promise<Notification[]>
  close(): Promise<void>
}

/** An answer that only has to be sent. */
export interface ReadyAnswer {
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
    compute: () => Promise<ReadyAnswer | undefined>,
  ): Promise<{ answer: ReadyAnswer | undefined; isRepeated: boolean }>
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
  shop: Shop
  /** What follows the log beside the projections, for admins to see to. */
  reactions: readonly Reaction[]
  accounts: ApiAccounts
  audit: AuditServices
  db: Kysely<Tables>
  eventStore: EventStore
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
