// What the hash chain needs from the world: a place for its checkpoints, and a key to sign them.

import type { Position } from '../kit/position.ts'
import type { PublicKey } from './accounts.ts'
import type { EventStore, RecordedEvent } from './eventStore.ts'

/** What is signed of a part of the log: everything behind `after` up to `position`. */
export interface Checkpoint extends Link {
  after: Position
  at: Date
}

/** The hash that an event had when its part was signed: it names the event that has changed. */
export interface Mark {
  position: Position
  hash: string
}

/** A checkpoint as it is kept. */
export interface StoredCheckpoint {
  position: Position
  after: Position
  /** A JWS: RFC 7515, compact. */
  signed: string
}

export interface StoredSegment extends StoredCheckpoint {
  marks: readonly Mark[]
}

export interface CheckpointBook {
  /** The checkpoint with the highest position. */
  last(): Promise<StoredCheckpoint | undefined>
  /** The newest checkpoint at or before a position. */
  upTo(position: Position): Promise<StoredCheckpoint | undefined>
  /** Checkpoints behind a position, in order. */
  after(position: Position, limit: number): Promise<StoredCheckpoint[]>
  /** The same with their marks: 40 kB each. */
  segmentsAfter(position: Position, limit: number): Promise<StoredSegment[]>
  /** Adds a part; false when somebody else has taken its place in the chain. */
  add(segment: StoredSegment): Promise<boolean>
  /** Runs `work` unless another process is at it; false when one is. */
  withLock(work: () => Promise<void>): Promise<boolean>
}

export interface CheckpointSigner {
  sign(checkpoint: Checkpoint): Promise<string>
  /** What was signed; undefined when it was not signed by a key of the shop. */
  open(signed: string): Promise<Checkpoint | undefined>
  /** Every key that has ever signed. */
  jwks(): Promise<{ keys: PublicKey[] }>
}

/** How far the log has been signed, kept where the database's own rights do not reach. */
export interface HighWaterMark extends Link {
  at: Date
}

/** Places that hold the high-water mark, each sealed. What is read is the newest genuine one. */
export interface HighWaterMarks {
  newest(): Promise<HighWaterMark | undefined>
  /** Writes it everywhere; gives the places that could not be written. */
  raise(mark: HighWaterMark): Promise<readonly string[]>
  /** Takes the mark back on an operator's word: after a backup has been restored. */
  reset(mark: HighWaterMark | undefined): Promise<void>
}

/** Something outside of the chain that is not as the shop has left it. */
export interface StateFinding {
  check: string
  /** The row, stream, function or file. */
  key: string
  detail: string
}

/** What the chain does not cover: what else a decision rests on. */
export interface StateGuard {
  /** Every finding, in bounded memory; `log` says what there should be. */
  findings(log: Pick<EventStore, 'readAll'>): AsyncIterable<StateFinding>
  /** How many events stand behind a position; undefined where only reading them would tell. */
  countAfter(position: Position): Promise<number | undefined>
}

/** Whether the shop has appended an event. */
export interface Authenticity {
  stateOf(event: RecordedEvent): 'sealed' | 'unsealed' | 'forged'
}

/** A checkpoint on its way out. */
export type Publication = Pick<StoredCheckpoint, 'position' | 'signed'>

/** One way by which checkpoints leave the machine. */
export interface Publisher {
  name: string
  /** Gives the receipt, where there is one. Throws what keeps it from being published. */
  publish(publication: Publication): Promise<Buffer | undefined>
}

/** What has been published where. */
export interface PublicationBook {
  newest(target: string): Promise<{ position: Position; at: Date } | undefined>
  note(target: string, position: Position, receipt: Buffer | undefined): Promise<void>
}

export interface AuditServices {
  book: CheckpointBook
  signer: CheckpointSigner
  seals?: Authenticity | undefined
  marks?: HighWaterMarks | undefined
  guard?: StateGuard | undefined
}

/** Where a chain has got: how many events it holds, the last one's position, the hash over all. */
export interface Link {
  position: Position
  count: number
  /** SHA-256, 64 hexadecimal digits. */
  hash: string
}
