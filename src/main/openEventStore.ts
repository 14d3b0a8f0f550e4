// Opens the event store at EVENTSTORE_URL, as far as it belongs to the shop of the settings.
import { type Config, ConfigError } from '../config/config.ts'
import { eventSchemas, streamPrefixes } from '../domain/index.ts'
import type { EventStoreDbOptions } from '../eventstore/eventstoredb/eventstoredb.ts'
import type { EventStore } from '../ports/eventStore.ts'
import type { Observing } from '../ports/tracing.ts'

type Confirm = NonNullable<EventStoreDbOptions['confirm']>

/** How long jobs that say so wait for an event store that does not answer. */
const longestWaitMs = 5 * 60_000

/** A client that is not wanted is not loaded either: this one takes 30 MB, that of Stripe 20. */
export async function openEventStoreDb(
  config: Config,
  url: string,
  { observing, confirm }: { observing: Observing; confirm: Confirm },
): Promise<EventStore> {
  const { eventStoreDb } = await import('../eventstore/eventstoredb/eventstoredb.ts')
  const { eventStoreProblem } = await import('../eventstore/eventstoredb/connect.ts')
  const problem = await eventStoreProblem(url)
  if (problem !== undefined) throw new ConfigError(problem)
  const { storeIsAway, storeIsSearched: tellSearch } = observing
  const retryPolicy = storeIsAway && { ms: longestWaitMs, tell: storeIsAway }
  return eventStoreDb({ ...ownOptions(config, url), retryPolicy, tellSearch, confirm })
}

/** Of a server, the streams of this shop, and what this release writes into them. */
export function ownOptions(
  { streamPrefix }: Pick<Config, 'streamPrefix'>,
  url: string,
): EventStoreDbOptions {
  return { url, prefix: streamPrefix, streamPrefixes, types: Object.keys(eventSchemas) }
}
