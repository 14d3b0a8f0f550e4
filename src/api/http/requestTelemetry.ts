// Telemetry of requests: a log line, metrics and a trace span.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { traceOf, traceparent } from '../../ports/tracing.ts'
import type { ApiContext } from './context.ts'

/** Logs one line a request, with the pattern of the route instead of its URL. */
export function observeRequests(server: FastifyInstance, { metrics }: ApiContext): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { method } = request
    const [route, status] = [routeOf(request), reply.statusCode]
    metrics.request({ method, route, status }, reply.elapsedTime / 1_000)
    request.log.info(
      {
        method,
        route,
        status,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        actorId: request.actor.role === 'anonymous' ? undefined : request.actor.id,
      },
      'request',
    )
    done()
  })
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none'
}

/**
 * A span from the arrival of a request until its response is sent, with child spans. The trace
 * is that of the client's traceparent, and becomes the correlation of the events.
 */
export function traceRequests(server: FastifyInstance, { tracing }: ApiContext): void {
  if (!tracing.isOn) return
  const inside = new WeakMap<FastifyRequest, ReturnType<typeof AsyncLocalStorage.snapshot>>()
  server.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request
    const given = typeof headers.traceparent === 'string' ? traceOf(headers.traceparent) : undefined
    const untilClosed = (say: (attributes: Record<string, string | number>) => void) =>
      new Promise<void>(resolve => {
        const current = tracing.current()
        if (current !== undefined) headers.traceparent = traceparent(current)
        inside.set(request, AsyncLocalStorage.snapshot())
        reply.raw.once('close', () => {
          say({ 'http.response.status_code': reply.statusCode })
          resolve()
        })
        done()
      })
    const route = routeOf(request)
    const attributes = { 'http.request.method': method, 'http.route': route }
    void tracing.span(`${method} ${route}`, untilClosed, { parent: given, attributes })
  })
  // Reading a body leaves the context of the request: this is the way back into it.
  server.addHook('preValidation', (request, _, done) => {
    const enter = inside.get(request)
    if (enter === undefined) done()
    else enter(done)
  })
}
