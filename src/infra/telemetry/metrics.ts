// Metrics in the form of Prometheus, on a port of their own that strangers do not reach.
import { createServer } from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from '../../ports/metrics.ts'
import { requestTimes, Timings } from './timings.ts'

/** Sources that are queried when metrics are scraped. */
export interface MetricSources {
  projections(): Promise<
    { name: string; lagEvents: number | undefined; lagSeconds: number; parkedEvents: number }[]
  >
  queues(): Promise<{ queue: string; state: string; jobs: number }[]>
  /** Mails that are not sent, by state. */
  mails(): Promise<{ state: string; mails: number }[]>
  /** Disputes and findings about payments that are open. */
  paymentCases(): Promise<{ kind: string; cases: number }[]>
}

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]

/** Metrics that are counted here. */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return { registry, metrics: { ...logMetrics(registry), ...edgeMetrics(registry) } }
}

function builders(registry: Registry) {
  const registers = [registry]
  return {
    counter: <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Counter({ name: `orderstream_${name}`, help, labelNames, registers }),
    histogram: <Label extends string>(
      name: string,
      help: string,
      on: { buckets: number[]; labelNames: readonly Label[] },
    ) => new Histogram({ name: `orderstream_${name}`, help, ...on, registers }),
  }
}

type LogMetrics = Pick<
  Metrics,
  'append' | 'conflict' | 'projectionBatch' | 'textReplaced' | 'cache' | 'cacheWrite'
>

function logMetrics(registry: Registry): LogMetrics {
  const { counter, histogram } = builders(registry)
  const none: readonly string[] = []
  const time = { buckets: seconds, labelNames: none }
  const size = { buckets: sizes, labelNames: none }
  const appends = histogram('append_seconds', 'Writes to the log: how long', time)
  const events = histogram('append_batch_events', 'Writes to the log: events in each', size)
  const requests = histogram('append_batch_requests', 'Writes to the log: requests in each', size)
  const conflicts = counter('append_conflicts_total', 'Appends that met another revision', none)
  const projected = counter('projection_events_total', 'Events that were projected', ['projection'])
  const batches = histogram('projection_batch_seconds', 'Batches of projections: how long', {
    buckets: seconds,
    labelNames: ['projection'],
  })
  const replaced = counter('text_replaced_total', 'Events with text that PostgreSQL cannot hold', [
    'projection',
  ])
  const caches = counter('cache_requests_total', 'Caches: hits and misses', ['cache', 'result'])
  const cacheWrites = counter('cache_writes_total', 'Answers for the shared cache', ['result'])
  return {
    append(took, eventCount, requestCount) {
      appends.observe(took)
      events.observe(eventCount)
      requests.observe(requestCount)
    },
    conflict: () => conflicts.inc(),
    projectionBatch(projection, eventCount, took) {
      projected.inc({ projection }, eventCount)
      batches.observe({ projection }, took)
    },
    textReplaced: (projection, eventCount) => replaced.inc({ projection }, eventCount),
    cache: (cache, hit, times = 1) => caches.inc({ cache, result: hit ? 'hit' : 'miss' }, times),
    cacheWrite: result => cacheWrites.inc({ result }),
  }
}

function edgeMetrics(registry: Registry): Omit<Metrics, keyof LogMetrics> {
  const { counter } = builders(registry)
  const requests = new Timings({
    name: 'orderstream_http_request_seconds',
    help: 'HTTP requests: how long',
    buckets: seconds,
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  })
  const payments = counter('payments_total', 'Answers of the payment provider', ['kind', 'result'])
  const mails = counter('mails_total', 'Mails that were given to the server', [
    'template',
    'result',
  ])
  const webhooks = counter('webhooks_total', 'Attempts to deliver a webhook', ['result'])
  const alarm = new Gauge({
    name: 'orderstream_audit_alarm',
    help: '1 while the log is not signed because it was tampered with',
    registers: [registry],
  })
  const brokenStreams = new Set<string>()
  const broken = new Gauge({
    name: 'orderstream_broken_streams',
    help: 'Streams that this process could not read whole when it last tried',
    registers: [registry],
  })
  const dependencies = new Gauge({
    name: 'orderstream_dependency_up',
    help: 'Whether what the shop depends on works: 1 or 0',
    labelNames: ['name'],
    registers: [registry],
  })
  return {
    request: requestTimes(requests),
    payment: (kind, result) => payments.inc({ kind, result }),
    mail: (template, result) => mails.inc({ template, result }),
    dependency: (name, isUp) => dependencies.set({ name }, isUp ? 1 : 0),
    webhook: result => webhooks.inc({ result }),
    auditAlarm: isOn => alarm.set(isOn ? 1 : 0),
    brokenStream(stream, fault) {
      if (fault === undefined) brokenStreams.delete(stream)
      else brokenStreams.add(stream)
      broken.set(brokenStreams.size)
    },
  }
}

/** Adds gauges that are queried when metrics are scraped. */
export function addSources(registry: Registry, sources: MetricSources): void {
  const registers = [registry]
  const labelNames = ['projection']
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `orderstream_${name}`, help, labelNames, registers })
  const events = gauge('projection_lag_events', 'Events still to be read, where the store can tell')
  const parked = gauge('projection_parked_events', 'Events that wait for somebody to look at them')
  new Gauge({
    name: 'orderstream_projection_lag_seconds',
    help: 'How long the next event has been waiting',
    labelNames,
    registers,
    async collect() {
      for (const gauge of [this, events, parked]) gauge.reset()
      for (const { name: projection, ...state } of await orNothing(sources.projections())) {
        this.set({ projection }, state.lagSeconds)
        if (state.lagEvents !== undefined) events.set({ projection }, state.lagEvents)
        parked.set({ projection }, state.parkedEvents)
      }
    },
  })
  new Gauge({
    name: 'orderstream_queue_jobs',
    help: 'Jobs by queue and state',
    labelNames: ['queue', 'state'],
    registers,
    async collect() {
      this.reset()
      const known = await orNothing(sources.queues())
      for (const { queue, state, jobs } of known) this.set({ queue, state }, jobs)
    },
  })
  addMailGauges(registry, sources)
  new Gauge({
    name: 'orderstream_payment_cases_open',
    help: 'Open disputes, and findings about payments that somebody has to see to',
    labelNames: ['kind'],
    registers,
    async collect() {
      this.reset()
      for (const { kind, cases } of await orNothing(sources.paymentCases())) {
        this.set({ kind }, cases)
      }
    },
  })
}

function addMailGauges(registry: Registry, { mails }: MetricSources): void {
  const registers = [registry]
  new Gauge({
    name: 'orderstream_mails_waiting',
    help: 'Mails that are still to be sent',
    registers,
    async collect() {
      const found = await orNothing(mails())
      const waiting = found.filter(({ state }) => state !== 'undeliverable')
      if (found.length === 0) this.remove()
      else this.set(waiting.reduce((sum, each) => sum + each.mails, 0))
    },
  })
  new Gauge({
    name: 'orderstream_mails_open',
    help: 'Mails that are due, wait for another attempt, or could not be delivered',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset()
      for (const { state, mails: open } of await orNothing(mails())) this.set({ state }, open)
    },
  })
}

/** A server that is away takes its own numbers with it, and no others. */
function orNothing<T>(asked: Promise<T[]>): Promise<T[]> {
  return asked.catch(() => [])
}

/** Serves /metrics and /readyz, and nothing else. */
export async function serveMetrics(
  registry: Registry,
  on: { host: string; port: number; readiness(): { status: string } },
) {
  const server = createServer(async (request, response) => {
    const path = request.method === 'GET' ? request.url?.split('?')[0] : undefined
    if (path === '/readyz') {
      const readiness = on.readiness()
      response.writeHead(readiness.status === 'not-ready' ? 503 : 200, {
        'content-type': 'application/json; charset=utf-8',
      })
      response.end(JSON.stringify(readiness))
      return
    }
    if (path !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    try {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    } catch {
      // Prometheus notes that this target was down.
      response.writeHead(503).end()
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(on.port, on.host, resolve)
  })
  return {
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
