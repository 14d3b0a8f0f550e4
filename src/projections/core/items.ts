// Batches as consumers read them: decoded events, and what is known of those that this release
// cannot decode.

import type { Kysely } from 'kysely'
import { categories, eventSchemas, eventTypesIn } from '../../domain/index.ts'
import { categoryOf } from '../../domain/kernel/streamNames.ts'
import type { Position } from '../../kit/position.ts'
import type { EventHeader, Poison } from '../../ports/codec.ts'
import { isEventType, type ReadEvent } from './events.ts'
import { personalColumnsOf } from './personal.ts'
import type { Plan } from './plan.ts'
import { type Consumer, type HeaderProjection, isProjection } from './projection.ts'
import type { AnyTable } from './table.ts'
import type { Tables } from './tables.ts'

type Db = Kysely<Tables>

export type Item = { event: ReadEvent } | { poison: Poison }

/** Where an item is in the log, and of which type. */
export function placeOf(item: Item): { type: string; stream: string; position: Position } {
  return 'event' in item ? item.event : item.poison
}

/** Every type of event that this release knows. */
const knownTypes = Object.keys(eventSchemas).filter(isEventType)
const known: ReadonlySet<string> = new Set(knownTypes)
const knownCategories = new Set(categories)

const typesByConsumer = new WeakMap<Consumer, ReadonlySet<string>>()

function typesOf(consumer: Consumer): ReadonlySet<string> {
  const cached = typesByConsumer.get(consumer)
  if (cached !== undefined) return cached
  const types = new Set<string>(consumer.on)
  typesByConsumer.set(consumer, types)
  return types
}

/** Whether a consumer reads events that cannot be decoded, too. */
export function readsHeaders(consumer: Consumer): consumer is HeaderProjection {
  return 'planHeaders' in consumer
}

/**
 * Whether an item concerns a consumer. A type that this release does not know concerns those
 * reactions that read streams of its kind, or all if that kind is not known either: a newer release
 * may read it, in its order. Projections that come to read it have a new version and are rebuilt.
 */
export function concerns(consumer: Consumer, item: Item): boolean {
  const { type, stream } = placeOf(item)
  if (readsHeaders(consumer)) return true
  const types = typesOf(consumer)
  if (known.has(type)) return types.has(type)
  if (isProjection(consumer)) return false
  const category = categoryOf(stream)
  if (!knownCategories.has(category)) return true
  return eventTypesIn(category).some(each => types.has(each))
}

/** Whether a consumer reads this type of event. */
export function reads(consumer: Consumer, type: string): boolean {
  return readsHeaders(consumer) || typesOf(consumer).has(type)
}

/** The events that any of some consumers reads: also types that this release does not know. */
export function filterFor(consumers: readonly Consumer[]): { exceptTypes: string[] } {
  const isUnread = (type: string) => consumers.every(consumer => !reads(consumer, type))
  return { exceptTypes: knownTypes.filter(isUnread) }
}

/** The part of a batch that one consumer reads. */
export interface Work {
  count: number
  plan(db: Db): Promise<Plan>
}

/** Whether a consumer can read an item: it has been decoded, or need not be. */
export function isReadable(consumer: Consumer, item: Item): boolean {
  return 'event' in item || readsHeaders(consumer)
}

/** Work of items all of which are readable to a consumer. */
export function workOf(consumer: Consumer, items: readonly Item[]): Work {
  if (readsHeaders(consumer)) {
    const headers = items.map(headerOf)
    return { count: headers.length, plan: db => consumer.planHeaders(headers, db) }
  }
  const events = items.flatMap(item => ('event' in item ? [item.event] : []))
  return { count: events.length, plan: db => consumer.plan(events, db) }
}

/** Defines a projection of every event, whether it can be decoded or not. */
export function defineHeaderProjection({
  table,
  ...projection
}: Pick<HeaderProjection, 'name' | 'version' | 'planHeaders'> & {
  table: AnyTable
}): HeaderProjection {
  const owned = { tables: [table.name], personal: personalColumnsOf([table]), onlyAdds: true }
  return { ...projection, ...owned, on: knownTypes, signals: [] }
}

function headerOf(item: Item): EventHeader {
  if ('poison' in item) return item.poison.place
  const { position, stream, revision, type, actor, correlationId, at } = item.event
  const who = actor.role === 'anonymous' ? actor.role : actor.id
  return { position, stream, revision, type, actor: who, correlationId, at }
}
