// What the steps of a rebuild share: the projections under way and how they report progress.
import type { Position } from '../../kit/position.ts'
import type { Batch, Parking } from '../core/engine.ts'
import type { Projection } from '../core/projection.ts'
import type { TableDifferences } from './rowDifferences.ts'
import type { StreamCensus } from './streamCensus.ts'

export interface RebuildContext {
  head(): Promise<Position>
  /** Reads what these projections read, behind a position and up to another. */
  read(
    projections: readonly Projection[],
    range: { after: Position; upTo: Position },
  ): AsyncIterable<Batch>
  /** The streams of that log. */
  streams: LogStreams
  onProgress(name: string, position: Position): void
  /** Has new tables serve although events of streams that they read are missing. */
  acceptsBroken?: boolean
  /** Which of them are still to be rebuilt, asked once nobody else can be at it; default: all. */
  stillDue?(projections: readonly Projection[]): Promise<readonly Projection[]>
  /** Ends it between two batches; it can be gone on with. */
  signal?: AbortSignal
}

/** A projection that is being rebuilt, and how far its new tables are. */
export interface RebuildMember {
  projection: Projection
  shadow: string
  /** Which beginning of its rebuild this is; one that comes after it makes this one worthless. */
  epoch: bigint
  /** Its tables are to serve even if events of streams that it reads are missing. */
  acceptsBroken: boolean
  position: Position
  parking: Parking
}

/** How far a member's tables are wanted. */
export interface Target {
  member: RebuildMember
  upTo: Position
}

/** Streams of which events are missing, with what is missing: the first of them. */
export interface BrokenStreams {
  count: number
  first: readonly { stream: string; fault: string }[]
}

/** The streams of the log that is read, as a rebuild asks for them. */
export interface LogStreams {
  census: StreamCensus
  /** Reads what the census lacks up to a position, until the signal aborts. */
  complete(upTo: Position, signal?: AbortSignal): Promise<void>
  /** Why the store refuses to read a stream; undefined where it does not. */
  faultOf(stream: string): Promise<string | undefined>
  /** Where many of them end, in the order asked for, and what the store says is wrong with them. */
  streamHeads(streams: readonly string[]): Promise<readonly StreamHead[]>
}

export interface Rebuilt {
  name: string
  /** False where the old tables go on serving because streams are broken. */
  serves: boolean
  position: Position
  /** Whether the new tables were equal to the old ones; undefined for another version of them. */
  matches: boolean | undefined
  /** Where they were not: which rows of which tables. */
  differences: readonly TableDifferences[]
  /** Streams that it reads and of which events are missing. */
  broken: BrokenStreams
}

export interface StreamHead {
  stream: string
  revision: number | 'no-stream'
  fault?: string
}
