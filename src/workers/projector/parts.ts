// Dependencies of a projector: the log, projections and reactions, and the pace of batches.
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
 * At the head, a cycle lasts `times` the duration of the last commit, between `leastMs` and
 * `mostMs`: small batches would take processor time from the API. Live updates of orders use
 * `urgent`, other read models `usual`.
 */
export const paces = {
  urgent: { leastMs: 2, mostMs: 50, times: 1 },
  usual: { leastMs: 10, mostMs: 50, times: 8 },
}

export type Pace = (typeof paces)[keyof typeof paces]

/** Consumers that share one reading of the log, and the pace of their batches. */
export interface ConsumerGroup extends ProjectorParts {
  consumers: readonly Consumer[]
  pace: Pace
}
