// What reads the log: projections, which own tables that can be rebuilt, and reactions, which own
// none and whose effects are never repeated.

import type { CompiledQuery, Kysely } from 'kysely'
import type { AppEvent } from '../../domain/index.ts'
import type { Actor } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import { forgetting, personalIn, personalPlaces } from './personal.ts'
import type { Raised, Signal } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** An event as projections see it: decoded, with where and when it happened. */
export type ReadEvent = AppEvent & {
  id: string
  stream: string
  revision: number
  position: Position
  at: string
  actor: Actor
  correlationId: string
  commandId: string
  source: string | undefined
  /** Some of its text reads otherwise in the log, because PostgreSQL cannot hold it. */
  isReplaced?: true
}

export type EventType = AppEvent['type']
export type EventOf<Type extends EventType> = Extract<ReadEvent, { type: Type }>

/** Where an event is and who caused it: also known of an event that cannot be decoded. */
export interface EventHeader {
  position: Position
  stream: string
  revision: number
  type: string
  /** The id of the actor, or the role of one without an id. */
  actor: string
  correlationId: string
  at: string
}

/** What a batch changes, before any of it is written. */
export interface Plan {
  /** In this order, in the transaction that moves the checkpoint. */
  writes: readonly CompiledQuery[]
  /** Work that has to see these writes: it follows them in the same transaction. */
  work?(trx: Db): Promise<void>
  /** What the commit raises, given how many rows each statement has written. */
  signals?(written: readonly number[]): readonly Raised[]
}

/** What projections and reactions share: a checkpoint, and each event once and in log order. */
interface ConsumerBase {
  name: string
  /** The events it reads; all others only move its checkpoint. */
  on: readonly EventType[]
  /** What its commits can raise. */
  signals: readonly Signal[]
  /** Clients wait for what it raises: it does not share batches with the others. */
  isUrgent?: boolean
}

interface EventPlanner {
  /** Reads what it needs, as its last batch has left it, and writes nothing. */
  plan(events: readonly ReadEvent[], db: Db): Promise<Plan>
}

interface OwnedTables {
  /** Raise it when the rows change their meaning: the next start rebuilds them. */
  version: number
  /** Tables of the schema readmodel that belong to this projection alone. */
  tables: readonly string[]
  /**
   * Its rows are only ever added and never looked up by it: tables that are rebuilt get their keys
   * once they are full, which costs a fifth of keeping them up.
   */
  onlyAdds?: boolean
}

export interface EventProjection extends ConsumerBase, EventPlanner, OwnedTables {}

/** A projection of every event, whether it can be decoded or not. */
export interface HeaderProjection extends ConsumerBase, OwnedTables {
  planHeaders(headers: readonly EventHeader[], db: Db): Promise<Plan>
}

/** Rows that follow from the log alone, so that they can be rebuilt. */
export type Projection = EventProjection | HeaderProjection

/**
 * What is to be done about an event: a mail, a webhook, a job. It writes rows with ids that follow
 * from the event, in the transaction that moves its checkpoint. A rebuild never replays it.
 */
export interface Reaction extends ConsumerBase, EventPlanner {}

export type Consumer = Projection | Reaction

/** Whether a consumer owns tables that can be rebuilt. */
export function isProjection(consumer: Consumer): consumer is Projection {
  return 'tables' in consumer
}

type Defined<Kind extends ConsumerBase> = Omit<Kind, 'signals'> & Partial<Pick<Kind, 'signals'>>

/** Defines a projection. Where its tables hold text about people, it forgets those erased. */
export function defineProjection(projection: Defined<EventProjection>): EventProjection {
  const { signals = [] } = projection
  const places = personalIn(projection.tables)
  if (places.length === 0) return { ...projection, signals }
  return {
    ...projection,
    signals,
    on: [...new Set([...projection.on, 'CustomerErased' as const])],
    async plan(events, db) {
      const plan = await projection.plan(events, db)
      const people = erasedIn(events)
      if (people.length === 0) return plan
      // Also in the tables that its last rebuild has replaced: nothing writes to these any more.
      const all = [...places, ...(await personalPlaces(db, previousOf(projection.name)))]
      return { ...plan, writes: [...plan.writes, ...forgetting(db, all, people)] }
    },
  }
}

function erasedIn(events: readonly ReadEvent[]): string[] {
  return events.flatMap(event => (event.type === 'CustomerErased' ? [event.data.customerId] : []))
}

/** The schema with the tables of a projection that its last rebuild has replaced. */
export const previousOf = (name: string) => `previous_${name.toLowerCase()}`

/** Defines a reaction. */
export function defineReaction(reaction: Defined<Reaction>): Reaction {
  return { signals: [], ...reaction }
}

/** Writes what is planned, inside a transaction, and returns what the commit raises. */
export async function applyPlan(
  { writes, work, signals }: Plan,
  trx: Db,
): Promise<readonly Raised[]> {
  const written: number[] = []
  for (const write of writes) {
    const { numAffectedRows = 0n } = await trx.executeQuery(write)
    written.push(Number(numAffectedRows))
  }
  await work?.(trx)
  return signals?.(written) ?? []
}
