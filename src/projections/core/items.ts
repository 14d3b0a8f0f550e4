// What followers are given of the log: decoded events, and what is known of those that this release
// cannot read.

import type { Kysely } from 'kysely'
import { categories, eventSchemas, eventTypesIn, type ShopEvent } from '../../domain/index.ts'
import { categoryOf } from '../../domain/kernel/streamNames.ts'
import type { Position } from '../../kit/position.ts'
import {
  applyPlan,
  type Committed,
  type Follower,
  type Place,
  type Plan,
  type Projection,
  type ReadEvent,
} from './projection.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

/** An event of the log that could not be decoded. */
export interface Poison {
  type: string
  stream: string
  position: Position
  error: string
  /** `Type@version` that a newer release can read; null for what no release is expected to. */
  awaits: string | null
  place: Place
}
export type Item = { event: ReadEvent } | { poison: Poison }

/** Where an item is in the log, and of which type. */
export function placeOf(item: Item): { type: string; stream: string; position: Position } {
  return 'event' in item ? item.event : item.poison
}

/** Every type of event that this release knows. */
const knownTypes = Object.keys(eventSchemas)
const known = new Set(knownTypes)
const knownCategories = new Set(categories)

const wantedTypes = new WeakMap<Follower, ReadonlySet<string>>()

function typesOf(follower: Follower): ReadonlySet<string> {
  const found = wantedTypes.get(follower)
  if (found !== undefined) return found
  const types = new Set<string>(follower.on)
  wantedTypes.set(follower, types)
  return types
}

/**
 * Whether an item concerns a follower. A type that this release does not know concerns those
 * reactions that read streams of its kind, or all if that kind is not known either: a newer release
 * may read it, in its order. Projections that come to read it have a new version and are rebuilt.
 */
export function concerns(follower: Follower, item: Item): boolean {
  const { type, stream } = placeOf(item)
  if (follower.planPlaces !== undefined) return true
  const types = typesOf(follower)
  if (known.has(type)) return types.has(type)
  if (follower.version !== undefined) return false
  const category = categoryOf(stream)
  if (!knownCategories.has(category)) return true
  return eventTypesIn(category).some(each => types.has(each))
}

/** Whether a follower reads this type of event. */
export function reads(follower: Follower, type: string): boolean {
  return follower.planPlaces !== undefined || typesOf(follower).has(type)
}

/** What some followers have to be told of: also types that this release does not know. */
export function filterFor(followers: readonly Follower[]): { exceptTypes: string[] } {
  const unwanted = (type: string) => followers.every(follower => !reads(follower, type))
  return { exceptTypes: knownTypes.filter(unwanted) }
}

/** Items as one follower is given them. */
export interface Work {
  count: number
  plan(db: Db): Promise<Plan | undefined>
  apply(db: Db): Promise<Committed>
}

/** Whether a follower can be given an item: it has been decoded, or need not be. */
export function isReadable(follower: Follower, item: Item): boolean {
  return 'event' in item || follower.planPlaces !== undefined
}

/** Work of items all of which are readable to a follower. */
export function workOf(follower: Follower, items: readonly Item[]): Work {
  const { planPlaces } = follower
  if (planPlaces === undefined) {
    const events = eventsOf(items)
    return {
      count: events.length,
      plan: async db => follower.plan?.(events, db),
      apply: db => follower.apply(events, db),
    }
  }
  const places = items.map(item => ('event' in item ? placeOfEvent(item.event) : item.poison.place))
  const plan = (db: Db) => planPlaces(places, db)
  return { count: places.length, plan, apply: db => applyPlan(plan, db) }
}

/** A projection of where events are: it reads all of them, whether they can be decoded or not. */
export function ofPlaces(
  projection: Omit<Projection, 'on' | 'apply' | 'plan' | 'planPlaces'> & PlacesOnly,
): Projection {
  const { planPlaces } = projection
  return {
    ...projection,
    on: knownTypes.filter(isType),
    apply: (events, db) => applyPlan(trx => planPlaces(events.map(placeOfEvent), trx), db),
  }
}

interface PlacesOnly {
  planPlaces(places: readonly Place[], db: Db): Promise<Plan>
}

function isType(name: string): name is ShopEvent['type'] {
  return name in eventSchemas
}

function eventsOf(items: readonly Item[]): ReadEvent[] {
  const events: ReadEvent[] = []
  for (const item of items) if ('event' in item) events.push(item.event)
  return events
}

function placeOfEvent(event: ReadEvent): Place {
  const { position, stream, revision, type, actor, correlationId, at } = event
  const who = actor.role === 'anonymous' ? actor.role : actor.id
  return { position, stream, revision, type, actor: who, correlationId, at }
}
