// The contexts of the domain: all aggregates and their events, for readers of the whole log.
import { cartAggregates } from './cart/index.ts'
import { catalogueAggregates } from './catalogue/index.ts'
import { customerAggregates } from './customer/index.ts'
import type { EventSchemas, EventsOf } from './kernel/aggregate.ts'
import { ledgerAggregates } from './ledger/index.ts'
import { orderAggregates } from './order/index.ts'
import { stockAggregates } from './stock/index.ts'

export const aggregates = {
  ...cartAggregates,
  ...catalogueAggregates,
  ...customerAggregates,
  ...ledgerAggregates,
  ...orderAggregates,
  ...stockAggregates,
}
export type Aggregates = typeof aggregates

/** Every event that the log can hold. */
export type AppEvent = EventsOf<Aggregates>

const all: readonly { category: string; events: EventSchemas }[] = Object.values(aggregates)

/** The stream categories: the name of each stream begins with one of them and a dash. */
export const categories: readonly string[] = all.map(each => each.category)

/** What the names of streams begin with. */
export const streamPrefixes: readonly string[] = categories.map(category => `${category}-`)

const typesByCategory = new Map(all.map(each => [each.category, Object.keys(each.events)] as const))

/** The types of event in streams of a category; none for one that is not known. */
export function eventTypesIn(category: string): readonly string[] {
  return typesByCategory.get(category) ?? []
}

/** The schema of every event type; the names are unique over all aggregates. */
export const eventSchemas: EventSchemas = Object.fromEntries(
  all.flatMap(each => Object.entries(each.events)),
)
