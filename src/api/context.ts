// What the API works with; the entry points put it together.
import type { Kysely } from 'kysely'
import type { AccountServices } from '../commands/accountPorts.ts'
import type { FileStore, Imaging } from '../commands/imagePorts.ts'
import type { CallbackBook, Codec } from '../commands/ports.ts'
import type { Shop } from '../commands/shop.ts'
import type { Config } from '../config.ts'
import type { EventStore } from '../eventstore/port.ts'
import type { Tables } from '../projections/tables.ts'
import type { NotificationFeed } from './feed.ts'
import type { Counters } from './limits.ts'

/** Text by key, valid as long as the catalogue does not change. */
export interface Listings {
  /** What is `fresh` is computed now, whatever is cached. */
  get(key: string, compute: () => Promise<string>, fresh?: boolean): Promise<string>
}

/** How far the projections are that run in this process. */
export interface Reached {
  positionOf(name: string): bigint
  nextStep(timeoutMs: number): Promise<void>
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

export interface ApiContext {
  config: Config
  shop: Shop
  accounts: AccountServices
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
  callbacks: CallbackBook
  listings: Listings
  files: FileStore
  imaging: Imaging
  productImports: ProductImports
  feed: NotificationFeed
  progress: Reached
  /** Where requests are counted. */
  counters: Counters
  /** Tells those who send mails that one waits; without it they find it a little later. */
  wakeMailers(): void
  /** Resolves when Redis answers. */
  redis: { ping(): Promise<unknown> }
}
