// Where states of aggregates are kept between commands: in memory, and as snapshots.
/** A bounded cache of one kind of value by stream. */

export interface Cache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
}

export type CacheFactory = <Value extends object>() => Cache<Value>

/** What a stream had come to at one of its events, as text. */
export interface Snapshot {
  revision: number
  eventId: string
  /** Of the form in which it is written. */
  version: number
  written: string
}

/** Snapshots of long streams, the newest one of each. */
export interface Snapshots {
  find(stream: string): Promise<Snapshot | undefined>
  keep(stream: string, snapshot: Snapshot): Promise<void>
}
