// What a projector works with: the log, the projections and reactions, and the pace of batches.
import type { Kysely } from 'kysely'
import type { Codec } from '../../ports/codec.ts'
import type { Log } from '../../ports/log.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { Consumer, Projection, Reaction } from '../../projections/core/projection.ts'
import type { Raised } from '../../projections/core/signals.ts'
import type { Tables } from '../../projections/core/tables.ts'
import type { Progress } from './progress.ts'

export interface ProjectorParts {
  db: Kysely<Tables>
  eventStore: EventLog
  codec: Codec
  projections: readonly Projection[]
  reactions?: readonly Reaction[]
  /** The name under which this process holds leases. */
  runner: string
  progress: Progress
  /** Receives what a commit has raised; the next batch waits for it. */
  onCommitted(raised: readonly Raised[]): Promise<void>
  log: Log
}

/**
 * At the head a batch is left to grow for so long, and for some times as long as the one before
 * took: many small ones would cost more than they bring, and take the processor from who writes the
 * events. Whoever follows an order live waits for the one, and everybody for the other.
 */
export const paces = {
  urgent: { leastMs: 2, mostMs: 50, times: 1 },
  usual: { leastMs: 10, mostMs: 50, times: 8 },
}

export type Pace = (typeof paces)[keyof typeof paces]

/** Consumers that read the log together, and how long their batches may grow. */
export interface ConsumerGroup extends ProjectorParts {
  consumers: readonly Consumer[]
  pace: Pace
}
