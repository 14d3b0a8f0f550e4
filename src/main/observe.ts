// What watches a shop: metrics on a port of their own, and traces to a collector.

import { lagsAt } from '../audit/lag.ts'
import { type Config, ConfigError } from '../config/config.ts'
import type { Redis } from '../infra/redis/redis.ts'
import { listenFault } from '../infra/system/tcpPorts.ts'
import { addSources, createMetrics, serveMetrics } from '../infra/telemetry/metrics.ts'
import type { HealthLog } from '../ports/health.ts'
import type { Metrics } from '../ports/metrics.ts'
import { noTracing, type Observing } from '../ports/tracing.ts'
import { countOpenMails } from '../projections/notifications/mailQueries.ts'
import { countOpenCases } from '../projections/order/disputeQueries.ts'
import { projectionStates } from '../projections/order/orderQueries.ts'
import type { openQueues } from '../workers/jobs/jobQueue.ts'
import { createChecks } from './healthChecks.ts'
import type { AppServices } from './openServices.ts'

type Queues = ReturnType<typeof openQueues>

/** Of jobs and all else that is shared, and of cached answers. */
interface RedisServers {
  redis: Redis
  cacheRedis: Redis
}

export interface Observability extends Observing {
  /** Checks the servers from now on, and serves the metrics where a port is set for them. */
  serve(app: AppServices, queues: Queues, redis: RedisServers): Promise<void>
  close(): Promise<void>
}

/** Metrics and traces of one process, as its settings want them. */
export async function createObservability(
  config: Config,
  role: string,
  log: HealthLog,
): Promise<Observability> {
  const { registry, metrics: counted } = createMetrics()
  const metrics = withBrokenStreams(counted, log)
  const { health, start } = createChecks(log, metrics)
  const endpoint = config.otlpEndpoint
  const service = `orderstream-${role}`
  const tracing = endpoint === undefined ? undefined : await openTracing({ endpoint, service })
  const closers: (() => Promise<void>)[] = []
  return {
    metrics,
    tracing: tracing ?? noTracing,
    health,
    storeIsSearched: seconds => {
      const message = 'searching EventStoreDB for the events of this shop: others have written much'
      log.warn({ event: 'store-searched', seconds }, message)
    },
    providerFailed: (kind, fault) => {
      log.error({ event: 'provider-failed', kind, fault }, 'a provider of a plugin has failed')
    },
    async serve(app, { queues }, { redis, cacheRedis }) {
      const isStoreApart = config.eventStoreUrl !== undefined
      const { cacheRedisUrl } = config
      const isCacheApart =
        cacheRedisUrl !== undefined && cacheRedisUrl.reveal() !== config.redisUrl.reveal()
      const cache = isCacheApart ? cacheRedis : undefined
      closers.push((await start({ ...app, isStoreApart, redis, cache })).stop)
      const port = config.metricsPort
      if (port === undefined) return
      addSources(registry, {
        projections: () => lagsOf(app),
        queues: async () => (await Promise.all(queues.map(depthOf))).flat(),
        mails: () => countOpenMails(app.db),
        paymentCases: () => countOpenCases(app.db),
      })
      const on = { host: config.host, port, readiness: health.readiness }
      const serving = serveMetrics(registry, on).catch((cause: unknown) => {
        const setting = 'METRICS_PORT'
        throw new ConfigError(listenFault(cause, { host: config.host, port, setting }), { cause })
      })
      closers.push((await serving).close)
    },
    async close() {
      for (const stop of closers) await stop()
      await tracing?.close()
    },
  }
}

/** Says once of each stream that it cannot be read whole, and when it can be again. */
function withBrokenStreams(metrics: Metrics, log: HealthLog): Metrics {
  return {
    ...metrics,
    brokenStream(stream, fault) {
      metrics.brokenStream(stream, fault)
      if (fault === undefined)
        log.info({ event: 'whole-stream', stream }, 'a stream is whole again')
      else log.error({ event: 'broken-stream', stream, fault }, 'a stream is not whole: refused')
    },
  }
}

/** Loaded on demand: its library takes 20 MB. */
async function openTracing(options: { endpoint: string; service: string }) {
  const { createTracing } = await import('../infra/telemetry/tracing.ts')
  return createTracing(options)
}

async function depthOf(queue: Queues['queues'][number]) {
  const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed')
  return Object.entries(counts).map(([state, jobs]) => ({ queue: queue.name, state, jobs }))
}

async function lagsOf({ db, eventStore }: AppServices) {
  const [states, head] = await Promise.all([projectionStates(db), eventStore.head()])
  const positions = states.map(({ position }) => position)
  const lags = await lagsAt(eventStore, { positions, head, now: new Date() })
  return states.map(({ name, position, parked }) => {
    const { seconds = 0, events } = lags.get(position) ?? {}
    return { name, lagEvents: events, lagSeconds: seconds, parkedEvents: Number(parked) }
  })
}
