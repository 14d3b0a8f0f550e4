// What reads the log: projections, which own tables that can be rebuilt, and reactions, which own
// none and whose effects are never repeated.

import type { Kysely } from 'kysely'
import type { EventHeader } from '../../ports/codec.ts'
import type { EventType, ReadEvent } from './events.ts'
import {
  findPlaces,
  forgetting,
  type PersonalColumn,
  personalColumnsOf,
  placesOf,
} from './personal.ts'
import type { Plan } from './plan.ts'
import type { ReadModel } from './readModel.ts'
import type { Signal } from './signals.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

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
  /** Those of their columns that hold text about people. */
  personal: readonly PersonalColumn[]
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

interface ProjectionDefinition extends Pick<EventProjection, 'name' | 'version' | 'isUrgent'> {
  models: readonly ReadModel[]
}

/** Defines a projection. Where its tables hold text about people, it forgets those erased. */
export function defineProjection({ models, ...projection }: ProjectionDefinition): EventProjection {
  const tables = models.flatMap(model => model.tables)
  const personal = personalColumnsOf(tables)
  const forgets: EventType[] = personal.length === 0 ? [] : ['CustomerErased']
  const readers = models.map(model => ({ ...model, types: new Set<string>(model.on) }))
  return {
    ...projection,
    tables: tables.map(({ name }) => name),
    personal,
    onlyAdds: models.every(({ onlyAdds }) => onlyAdds),
    on: [...new Set([...models.flatMap(({ on }) => on), ...forgets])],
    signals: [...new Set(models.flatMap(({ signals = [] }) => signals))],
    async plan(events, db) {
      const plans: Plan[] = []
      for (const { plan, types } of readers) {
        const own = events.filter(({ type }) => types.has(type))
        if (own.length > 0) plans.push(await plan(own, db))
      }
      const writes = plans.flatMap(each => each.writes)
      const people = personal.length === 0 ? [] : erasedIn(events)
      if (people.length > 0) {
        // Also in the tables that its last rebuild has replaced: nothing writes to these any more.
        const previous = await findPlaces(db, personal, previousOf(projection.name))
        writes.push(...forgetting(db, [...placesOf(personal), ...previous], people))
      }
      return { writes, signals: () => plans.flatMap(({ signals }) => signals?.([]) ?? []) }
    },
  }
}

/** The people whose erasure is among some events. */
export function erasedIn(events: readonly ReadEvent[]): string[] {
  return events.flatMap(event => (event.type === 'CustomerErased' ? [event.data.customerId] : []))
}

/** The schema with the tables of a projection that its last rebuild has replaced. */
export const previousOf = (name: string) => `previous_${name.toLowerCase()}`

/** Defines a reaction. */
export function defineReaction(
  reaction: Omit<Reaction, 'signals'> & Partial<Pick<Reaction, 'signals'>>,
): Reaction {
  return { signals: [], ...reaction }
}
