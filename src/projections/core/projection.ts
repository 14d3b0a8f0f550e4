// What follows the log: projections, which own tables that can be made anew, and reactions, which
// own none: what they have brought about is not brought about again.

import type { CompiledQuery, Kysely } from 'kysely'
import type { ShopEvent } from '../../domain/index.ts'
import type { Actor } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'
import type { Notification } from './notification.ts'
import { forgetting, personalIn, personalPlaces } from './personal.ts'
import type { Tables } from './tables.ts'

/** An event as projections see it: decoded, with where and when it happened. */
export type ReadEvent = ShopEvent & {
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

/** Where an event is and who has brought it about: known also of what cannot be decoded. */
export interface Place {
  position: Position
  stream: string
  revision: number
  type: string
  /** The id of who asked for it, or their role where they have none. */
  actor: string
  correlationId: string
  at: string
}

/** What readers elsewhere have to know once a batch has been committed. */
export interface Committed {
  /** Something that listings show has changed. */
  listingsChanged?: boolean
  /** There are new rows for those who follow orders live. */
  notified?: boolean
  /** These. */
  notifications?: readonly Notification[]
  /** There are new images whose sizes have to be made. */
  imagesQueued?: boolean
  /** There are new mails to be sent. */
  mailsQueued?: boolean
  /** There are new webhooks to be sent. */
  webhooksQueued?: boolean
}

/** What a batch comes to, before any of it is written. */
export interface Plan {
  /** In this order, in the transaction that moves the checkpoint. */
  writes: readonly CompiledQuery[]
  /** What there is to know once it has been committed, told how many rows each has written. */
  committed(written: readonly number[]): Committed
}

/** What has a checkpoint, and is told of each event once. */
export interface Follower {
  name: string
  /** Of its tables; reactions have none. */
  version?: number
  /** The events it reads; all others only move its checkpoint. */
  on: readonly ShopEvent['type'][]
  /** Applies events in log order, inside the transaction that moves the checkpoint. */
  apply(events: readonly ReadEvent[], db: Kysely<Tables>): Promise<Committed>
  /**
   * The same without writing: what it reads is as its last batch has left it. Undefined where it
   * has to see some of its writes before it knows the others.
   */
  plan?(events: readonly ReadEvent[], db: Kysely<Tables>): Promise<Plan | undefined>
  /** Instead of all that: it is told where each event is, whether that can be decoded or not. */
  planPlaces?(places: readonly Place[], db: Kysely<Tables>): Promise<Plan>
  /** Somebody waits for its news: it does not wait for the projections that nobody looks at. */
  isUrgent?: boolean
}

/** Rows that follow from the log and from nothing else, so that they can be built anew. */
export interface Projection extends Follower {
  /** Raise it when the rows change their meaning: the next start rebuilds them. */
  version: number
  /** Tables of the schema readmodel that belong to this projection alone. */
  tables: readonly string[]
  /**
   * Its rows are only ever added and never looked for by it: tables that are rebuilt get their keys
   * once they are full, which costs a fifth of keeping them up.
   */
  onlyAdds?: boolean
}

/**
 * What is to be done about an event: a mail, a webhook, a job. It says so in rows with ids that
 * follow from the event, in the transaction that moves its checkpoint. A rebuild never replays it.
 */
export interface Reaction extends Follower {
  version?: never
  tables?: never
}

/**
 * A projection that never has to see its writes: applying is writing what it plans. Where its
 * tables hold text about people, it forgets those who are erased.
 */
export function planned(projection: Omit<Projection, 'apply' | 'plan'> & PlanOnly): Projection {
  const places = personalIn(projection.tables)
  if (places.length === 0) return { ...projection, apply: applying(projection) }
  const forgetful = {
    ...projection,
    on: [...new Set([...projection.on, 'CustomerErased' as const])],
    async plan(events: readonly ReadEvent[], db: Kysely<Tables>) {
      const plan = await projection.plan(events, db)
      const people = erasedIn(events)
      if (people.length === 0) return plan
      // Also in the tables that its last rebuild has replaced: nobody writes to these any more.
      const all = [...places, ...(await personalPlaces(db, previousOf(projection.name)))]
      return { ...plan, writes: [...plan.writes, ...forgetting(db, all, people)] }
    },
  }
  return { ...forgetful, apply: applying(forgetful) }
}

function erasedIn(events: readonly ReadEvent[]): string[] {
  return events.flatMap(event => (event.type === 'CustomerErased' ? [event.data.customerId] : []))
}

/** The schema with the tables of a projection that its last rebuild has replaced. */
export const previousOf = (name: string) => `previous_${name.toLowerCase()}`

/** The same for a reaction. */
export function plannedReaction(reaction: Omit<Reaction, 'apply' | 'plan'> & PlanOnly): Reaction {
  return { ...reaction, apply: applying(reaction) }
}

function applying(follower: PlanOnly): Follower['apply'] {
  return (events, db) => applyPlan(trx => follower.plan(events, trx), db)
}

/** Writes what is planned. */
export async function applyPlan(
  plan: (db: Kysely<Tables>) => Promise<Plan>,
  db: Kysely<Tables>,
): Promise<Committed> {
  const { writes, committed } = await plan(db)
  const written: number[] = []
  for (const write of writes) {
    const { numAffectedRows = 0n } = await db.executeQuery(write)
    written.push(Number(numAffectedRows))
  }
  return committed(written)
}

interface PlanOnly {
  plan(events: readonly ReadEvent[], db: Kysely<Tables>): Promise<Plan>
}
