// Opens the event store at EVENTSTORE_URL, as far as it belongs to the shop of the settings.

import { type Config, ConfigError } from '../config/config.ts'
import { eventSchemas, streamPrefixes } from '../domain/index.ts'
import type { EventStoreDbOptions } from '../eventstore/eventstoredb/eventstoredb.ts'
import { optional } from '../kit/optional.ts'
import { Unavailable } from '../ports/eventStore.ts'
import type { EventLog } from '../ports/logInspection.ts'
import type { Observing } from '../ports/tracing.ts'

type Confirm = NonNullable<EventStoreDbOptions['confirm']>

interface Opening {
  observing: Observing
  confirm: Confirm
  timeoutMs?: number
}

/** How long long-running jobs retry an event store that does not answer. */
const longestWaitMs = 5 * 60_000

/** Loaded on demand: this client takes 30 MB, that of Stripe 20. */
export async function openEventStoreDb(
  config: Pick<Config, 'streamPrefix'>,
  url: string,
  { observing, confirm, timeoutMs }: Opening,
): Promise<EventLog> {
  const { eventStoreDb } = await import('../eventstore/eventstoredb/eventstoredb.ts')
  const { eventStoreProblem } = await import('../eventstore/eventstoredb/connect.ts')
  const own = ownOptions(config, url)
  const problem = await eventStoreProblem(own)
  if (problem !== undefined) throw new ConfigError(problem)
  const { storeIsAway, storeIsSearched: tellSearch } = observing
  const retryPolicy = storeIsAway && { ms: longestWaitMs, tell: storeIsAway }
  const bound = optional('timeoutMs', timeoutMs)
  const store = eventStoreDb({ ...own, retryPolicy, tellSearch, confirm, ...bound })
  try {
    // One of the nodes has answered, and any of them sends this on to the leader.
    await store.storeHead()
    return store
  } catch (error) {
    await store.close()
    throw isAway(error) ? new ConfigError(noLeader) : error
  }
}

const noLeader = 'EVENTSTORE_URL: no leader answers; of a cluster of three, two nodes have to run'

/** A server that refuses or has another log says so itself, in an error of its own class. */
function isAway(error: unknown): boolean {
  return error instanceof Error && error.constructor === Unavailable
}

/** Of a server, the streams of this shop, and what this release writes into them. */
export function ownOptions(
  { streamPrefix }: Pick<Config, 'streamPrefix'>,
  url: string,
): EventStoreDbOptions {
  return { url, prefix: streamPrefix, streamPrefixes, types: Object.keys(eventSchemas) }
}
