// Pages of the catalogue that were sent a moment ago, sent again before anything else is done.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { newId } from '../commands/ids.ts'
import type { ApiContext } from './context.ts'
import { addressOf, type Limits } from './limits.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What hits are counted by, where the answer is the same for everybody. */
    sharedAs: string | undefined
    /** Of the answers, when the request came. */
    generation: string | undefined
  }
}

type LaneContext = ApiContext & { log: FastifyBaseLogger }

interface Kept {
  generation: string
  headers: string[]
  body: string
  /** ASCII goes out faster where nobody has to look for anything else. */
  encoding: 'latin1' | 'utf8'
  route: string
  kind: string
}

const bytesMax = 16 * 1024 * 1024
/** With one of these a request wants something of its own. */
const special = [
  ...['authorization', 'cookie', 'expect', 'if-none-match', 'if-modified-since', 'origin'],
  ...['range', 'traceparent', 'x-cart-token', 'x-forwarded-for', 'x-min-position', 'x-request-id'],
] as const
/** Headers that are of one request alone. */
const ofOne = /^(x-request-id|ratelimit|ratelimit-policy|date|connection|keep-alive)$/

/**
 * Gives a server a fast lane: an answer that is the same for everybody is kept as it went out, and
 * goes out again to plain requests for the same address as long as the catalogue has not changed.
 * Such requests are counted and limited like all others.
 */
export function useFastLane(app: FastifyInstance, context: LaneContext, limits: Limits): void {
  const kept = new LRUCache<string, Kept>({
    maxSize: bytesMax,
    sizeCalculation: ({ body }, url) => 2 * (body.length + url.length) + 2_000,
  })
  let isClosing = false
  app.decorateRequest('sharedAs', undefined)
  app.decorateRequest('generation', undefined)
  app.addHook('onRequest', (request, _, done) => {
    request.generation = context.answers.generation()
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    const answer = toKeep(request, reply, payload)
    if (answer !== undefined) kept.set(request.url, answer)
    done(null, payload)
  })
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onReady', async () => {
    // The router is given what the lane does not serve.
    app.server.removeAllListeners('request')
    app.server.on('request', (request, response) => {
      const answer = isClosing || !isPlain(request) ? undefined : kept.get(request.url ?? '')
      const isCurrent = answer !== undefined && answer.generation === context.answers.generation()
      if (!isCurrent || !send(context, limits, { request, response, answer })) {
        app.routing(request, response)
      }
    })
  })
}

function isPlain({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && special.every(name => headers[name] === undefined)
}

function toKeep(request: FastifyRequest, reply: FastifyReply, payload: unknown): Kept | undefined {
  const { generation, sharedAs: kind } = request
  const { statusCode } = reply
  // What was computed while the catalogue changed is newer than its generation says: that is fine.
  if (kind === undefined || generation === undefined || statusCode !== 200) return undefined
  if (typeof payload !== 'string' || !isPlain(request.raw)) return undefined
  const bytes = Buffer.byteLength(payload)
  const headers = Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
    value === undefined || ofOne.test(name) ? [] : [name, String(value)],
  )
  headers.push('content-length', String(bytes))
  const encoding = bytes === payload.length ? 'latin1' : 'utf8'
  const route = request.routeOptions.url ?? 'none'
  return { generation, headers, body: payload, encoding, route, kind }
}

/** False where it has to be counted first whether the client may ask at all. */
function send(
  { metrics, log }: LaneContext,
  limits: Limits,
  on: { request: IncomingMessage; response: ServerResponse; answer: Kept },
): boolean {
  const { request, response, answer } = on
  const counted = limits.credit(addressOf(request.socket.remoteAddress ?? ''))
  if (counted === undefined) return false
  const began = performance.now()
  response.writeHead(200, [...answer.headers, ...counted, 'x-request-id', newId()])
  // Text leaves together with its headers, in one write.
  response.end(answer.body, answer.encoding)
  const seconds = (performance.now() - began) / 1_000
  const { route, kind } = answer
  metrics.request({ method: 'GET', route, status: 200 }, seconds)
  metrics.cache(kind, true)
  log.info({ method: 'GET', route, status: 200, ms: seconds * 1_000 }, 'request')
  return true
}
