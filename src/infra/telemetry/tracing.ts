// Traces by OpenTelemetry, sent to a collector over OTLP.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, ROOT_CONTEXT, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  RandomIdGenerator,
} from '@opentelemetry/sdk-trace-base'
import type { Trace, Tracing } from '../../ports/tracing.ts'

export interface TracingOptions {
  /** Of the collector; spans go to /v1/traces below it. */
  endpoint: string
  service: string
}

/** Spans wait this long for company. */
const flushMs = 1_000
/** A collector that is away does not keep a process from stopping. */
const stopMs = 2_000

/**
 * Sends spans to a collector; without one they are dropped after a while. Nothing here is global,
 * so that parts of a shop in one process do not get into each other's way.
 */
export function createTracing({ endpoint, service }: TracingOptions) {
  const ids = createIds()
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` })
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: flushMs })],
  })
  const tracer = provider.getTracer('orderstream')
  const here = new AsyncLocalStorage<Context>()
  const contextOf = (parent: Trace | undefined) =>
    parent === undefined
      ? (here.getStore() ?? ROOT_CONTEXT)
      : trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: TraceFlags.SAMPLED })

  const tracing: Tracing = {
    isOn: true,
    async span(name, work, { parent, attributes = {} } = {}) {
      const within = contextOf(parent)
      const span = tracer.startSpan(name, { attributes }, within)
      try {
        return await here.run(trace.setSpan(within, span), () =>
          work(said => span.setAttributes(said)),
        )
      } catch (error) {
        // The kind alone: what errors say may quote what was asked.
        span.setStatus({ code: SpanStatusCode.ERROR, message: nameOf(error) })
        throw error
      } finally {
        span.end()
      }
    },
    note(name, { parent, self, attributes = {}, startedAt }) {
      const isRoot = self !== undefined && parent === undefined
      const within = isRoot ? ROOT_CONTEXT : contextOf(parent)
      ids.choose(self)
      tracer.startSpan(name, { attributes, startTime: startedAt }, within).end()
    },
    current: () => trace.getSpanContext(here.getStore() ?? ROOT_CONTEXT),
  }
  return {
    ...tracing,
    async close() {
      const stopped = provider.shutdown().catch(() => undefined)
      await Promise.race([stopped, sleep(stopMs, undefined, { ref: false })])
    },
  }
}

/** Random ids, but for a span that has a place of its own choice. */
function createIds() {
  const random = new RandomIdGenerator()
  let chosen: Trace | undefined
  return {
    choose(self: Trace | undefined) {
      chosen = self
    },
    generateTraceId: () => chosen?.traceId ?? random.generateTraceId(),
    generateSpanId() {
      const id = chosen?.spanId ?? random.generateSpanId()
      chosen = undefined
      return id
    },
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'failed'
}
