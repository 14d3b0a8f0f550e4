// The lag of readers of the log, in time and, where the store can tell, in events.

import type { Position } from '../kit/position.ts'
import type { EventStore } from '../ports/eventStore.ts'
import type { LogInspection } from '../ports/logInspection.ts'

export interface Lag {
  /** How long the first event has been in the log that was not read yet; 0 for none. */
  seconds: number
  /** How many were not read yet. Not every store can tell. */
  events?: number
}

type Log = Pick<EventStore, 'readAll'> & Pick<LogInspection, 'distance'>

/** The lag at one position of a log that ends at `head`. */
export async function lagAt(
  log: Log,
  { position, head, now }: { position: Position; head: Position; now: Date },
): Promise<Lag> {
  const isBehind = position < head
  const events = isBehind ? log.distance?.(position, head) : 0
  const seconds = isBehind ? await waitedSeconds(log, position, now) : 0
  return events === undefined ? { seconds } : { seconds, events }
}

/** The lag of several readers; those at the same position share one read of the log. */
export async function lagsAt(
  log: Log,
  { positions, head, now }: { positions: readonly Position[]; head: Position; now: Date },
): Promise<ReadonlyMap<Position, Lag>> {
  const each = [...new Set(positions)].map(async position => {
    return [position, await lagAt(log, { position, head, now })] as const
  })
  return new Map(await Promise.all(each))
}

async function waitedSeconds(log: Log, after: Position, now: Date): Promise<number> {
  for await (const { recordedAt } of log.readAll({ after })) {
    return Math.max(0, (now.getTime() - recordedAt.getTime()) / 1_000)
  }
  return 0
}
