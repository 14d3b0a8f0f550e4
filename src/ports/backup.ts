// What a backup needs of the database and of the log that a shop is restored into.

import type { Position } from '../kit/position.ts'
import type { RecordedEvent } from './eventStore.ts'

/** The rows of one table, each as the text of a JSON object. */
export interface TableRows {
  table: string
  rows: AsyncIterable<readonly string[]>
}

/** A shop as its database remembers it. */
export interface ShopRow {
  shopId: string
  currency: string
  eventStore: 'postgres' | 'eventstoredb'
}

/** The tables beside the log and the read models: what cannot be made anew. */
export interface TableCopies {
  /**
   * Gives table after table as they are at one moment; `onMoment` is called when that has come,
   * with the head of the log at that moment where the log is in this database, too.
   */
  copyOut(onMoment: (head: Position | undefined) => Promise<void>): AsyncIterable<TableRows>
  /** The keys of people as they are now. */
  personKeys(): TableRows
  /** Which shop this is, and the migrations that its database has had. */
  describe(): Promise<{ shop: ShopRow; migrations: string[] }>
}

/** Where positions have gone: the log was written again, by another kind of store. */
export interface MovedEvent {
  before: Position
  now: Position
}

/** An empty database that a backup is put into. */
export interface RestoreTarget {
  /** What of a shop is in it already; undefined where there is nothing. */
  occupied(): Promise<string | undefined>
  /** Brings it to the schema that the rows have. No shop starts on it until `finish`. */
  migrateTo(migrations: readonly string[]): Promise<void>
  copyIn(table: string, rows: readonly string[]): Promise<void>
  /** All is there: notes what this database is, of which shop, beside which kind of log. */
  adopt(eventStore: ShopRow['eventStore'], firstEventId: string | null): Promise<void>
  /** The last step of all: from now on it is a shop. */
  finish(): Promise<void>
  /** Moves what remembers positions; what proves the log of before stays with the backup. */
  move(events: AsyncIterable<readonly MovedEvent[]>): Promise<void>
}

/** The log of a shop that is being restored. */
export interface RestoreLog {
  eventStore: ShopRow['eventStore']
  /** Writes events in the order of the log behind what it holds. Positions may become others. */
  write(events: readonly RecordedEvent[]): Promise<void>
  /** Every event of a shop that it holds, in order. */
  readAll(): AsyncIterable<RecordedEvent>
}

/** Seals a text with the shop's secret, and knows its own seals again. */
export interface ManifestSeal {
  seal(text: string): string
  isSeal(text: string, seal: string): boolean
}
