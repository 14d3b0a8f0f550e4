// What audits, identity checks and backups ask of a log beyond the event store port.
import type { Position } from '../kit/position.ts'
import type { ActualRevision, EventStore, RecordedEvent } from './eventStore.ts'

/** The last event of a stream, or why the stream cannot be read. */
export interface StreamHead {
  stream: string
  revision: ActualRevision
  /** What is missing of it, where something is. */
  fault?: string
}

/** A setting of the store that hides events of a stream, or is going to. */
export interface StreamLimit {
  stream: string
  detail: string
}

/** Questions about a log that commands and projections have no need for. */
export interface LogInspection {
  /** The event at exactly this position; undefined where the log has none there. */
  eventAt(position: Position): Promise<RecordedEvent | undefined>
  /** The heads of many streams in few round trips, in the order of the names. */
  streamHeads(streams: readonly string[]): Promise<StreamHead[]>
  /** The streams of which the store was told to give, or to keep, a part only. */
  streamLimits(): AsyncIterable<StreamLimit>
  /**
   * The newest position in the store, which may hold records of other applications: a subscription
   * can be ahead of the head of the log, but not of this.
   */
  storeHead(): Promise<Position>
  /** The number of events between two positions, where the store numbers its events. */
  distance?(from: Position, to: Position): number
  /**
   * Throws ForeignLog where the log is not the one of this shop; `readAll` reads it nevertheless,
   * since an auditor has to see its events. Missing where logs are not compared.
   */
  assertOwn?(): Promise<void>
}

/** An adapter implements both ports. */
export type EventLog = EventStore & LogInspection
