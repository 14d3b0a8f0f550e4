// Traces that follow a command into what comes of it. Rooms speak to this port; infra exports them.
import { type Health, noHealth } from './health.ts'
import { type Metrics, noMetrics } from './metrics.ts'

/** Where in which trace: 32 and 16 hexadecimal digits. */
export interface Trace {
  traceId: string
  spanId: string
}

export type Attributes = Readonly<Record<string, string | number>>

export interface SpanOptions {
  /** Where it belongs; else below whatever is under way, or at the root of a trace of its own. */
  parent?: Trace | undefined
  attributes?: Attributes
}

export interface Tracing {
  /** Whether anybody listens; without, nobody need ask for more. */
  isOn: boolean
  /** Runs `work` as a span and lets it say more about it; what throws ends it as an error. */
  span<T>(
    name: string,
    work: (say: (attributes: Attributes) => void) => Promise<T>,
    options?: SpanOptions,
  ): Promise<T>
  /** Notes a span that has ended by now; it may have a place of its own choice. */
  note(name: string, span: SpanOptions & { self?: Trace; startedAt: number }): void
  /** What is under way here. */
  current(): Trace | undefined
}

/** Follows nothing. */
export const noTracing: Tracing = {
  isOn: false,
  span: (_, work) => work(() => undefined),
  note: () => undefined,
  current: () => undefined,
}

export interface Observing {
  metrics: Metrics
  tracing: Tracing
  health: Health
  /** Told while a long job waits for an event store that does not answer; it waits for minutes. */
  storeIsAway?: (seconds: number) => void
  /** Told once of a search of the event store for the own log that takes some seconds already. */
  storeIsSearched?: (seconds: number) => void
  /** Called when a provider of a plugin fails, so that an order cannot be placed. */
  providerFailed?: (kind: string, fault: string) => void
}

/** For scripts: nobody looks. */
export const unobserved: Observing = {
  metrics: noMetrics,
  tracing: noTracing,
  health: noHealth,
}

/** What the log says of where an event comes from. */
export interface Caused {
  commandId: string
  correlationId: string
}

/**
 * The place of the append that wrote an event. Its trace is the correlation of the event and its
 * span follows from the command, so the log need not say more than it does without traces.
 */
export function appendTrace({ commandId, correlationId }: Caused): Trace {
  return {
    traceId: correlationId.replaceAll('-', ''),
    spanId: commandId.replaceAll('-', '').slice(16),
  }
}

/** The same as a W3C traceparent. */
export function traceparentOf(event: Caused): string {
  return traceparent(appendTrace(event))
}

/** A place as a W3C traceparent. */
export function traceparent({ traceId, spanId }: Trace): string {
  return `00-${traceId}-${spanId}-01`
}

/** Reads a traceparent; undefined when it is none. */
export function traceOf(text: string | null | undefined): Trace | undefined {
  const parts = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text ?? '')
  const [, traceId = '', spanId = ''] = parts ?? []
  return parts === null || /^0+$/.test(traceId) || /^0+$/.test(spanId)
    ? undefined
    : { traceId, spanId }
}
