// Stricter HTTP than Node's: ambiguous headers are refused, and all refusals are problems.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createClientErrors } from './malformed.ts'
import { HttpProblem } from './problems.ts'

/** Headers that must not be repeated: which value counts would depend on the reader. */
const singular = new Set([
  ...['authorization', 'content-type', 'host', 'idempotency-key'],
  ...['x-cart-token', 'x-min-position'],
])

/** Refuses repeated headers, and WebSockets on routes without one. */
export function useStrictHttp(server: FastifyInstance): void {
  const live = new Set<string>()
  server.addHook('onRoute', ({ url, websocket }) => {
    if (websocket === true) live.add(url)
  })
  server.addHook('onRequest', (request, _, done) => {
    done(headerFault(request) ?? liveFault(request, live))
  })
}

/** The same for messages that never become a Fastify request. */
export function refuseStrayMessages(server: FastifyInstance, on: { https: boolean }): void {
  const refuse = createClientErrors(on)
  // Expectations other than 100-continue may be ignored (RFC 9110, 10.1.1).
  server.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    server.routing(request, response),
  )
  server.server.on('connect', (_: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined)
    refuse(Object.assign(new Error('no proxy'), { code: 'HPE_INVALID_METHOD' }), socket)
  })
  server.websocketServer.on('wsClientError', (error: Error, socket: Socket) =>
    refuse(error, socket),
  )
}

function headerFault({ raw }: FastifyRequest): HttpProblem | undefined {
  const { rawHeaders, headers, httpVersion } = raw
  if (headers.host === undefined && httpVersion === '1.1') return fault('Host', 'is required')
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!singular.has(name)) continue
    if (seen.has(name)) return fault(rawHeaders[at] ?? name, 'must be sent once')
    seen.add(name)
  }
  return undefined
}

function fault(pointer: string, detail: string): HttpProblem {
  return new HttpProblem('request/invalid', 'The request headers are invalid.', {
    errors: [{ pointer, detail, in: 'headers' }],
  })
}

function liveFault(request: FastifyRequest, live: ReadonlySet<string>): HttpProblem | undefined {
  const { url } = request.routeOptions
  if (!request.ws || url === undefined || live.has(url)) return undefined
  return new HttpProblem('request/invalid', 'This URL does not accept WebSocket connections.')
}
