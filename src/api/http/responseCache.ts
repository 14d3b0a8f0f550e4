// Pages of the catalogue that were sent a moment ago, sent again before anything else is done.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { newId } from '../../commands/core/ids.ts'
import { addressOf } from './addresses.ts'
import type { ApiContext } from './context.ts'
import type { Limits } from './limits.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What hits are counted by, where the answer is the same for everybody. */
    sharedAs: string | undefined
    /** Of the answers, when the request came. */
    generation: string | undefined
  }
}

type CacheContext = ApiContext & { log: FastifyBaseLogger }

interface CachedResponse {
  generation: string
  /** The status and all headers that are the same for everybody, as lines. */
  head: string
  /** A character for each byte that goes out: such text is the fastest to write. */
  body: string
  /** What it is counted and timed by. */
  as: { method: string; route: string; status: number }
  kind: string
}

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  answer: CachedResponse
}

/** Sends an answer again; false where that is not for the lane to do. */
type Send = (exchange: Exchange) => boolean

const bytesMax = 8 * 1024 * 1024
/** However sure a process is of its version, it looks again after so long. */
const cachedMs = 10_000
/** With one of these a request wants something of its own. */
const special = new Set([
  ...['authorization', 'cookie', 'expect', 'if-none-match', 'if-modified-since', 'origin'],
  ...['range', 'traceparent', 'x-cart-token', 'x-forwarded-for', 'x-min-position', 'x-request-id'],
])

/** Headers that are of one request alone. */
const ofOne = /^(x-request-id|ratelimit|ratelimit-policy|date|connection|keep-alive)$/
/** What may stand in a header without being looked at again. */
const plainText = /^[\t\x20-\x7e]*$/

/**
 * Gives a server a fast lane: an answer that is the same for everybody is kept as it went out, and
 * goes out again to plain requests for the same address as long as the catalogue has not changed.
 * Such requests are counted and limited like all others.
 */
export function useResponseCache(
  server: FastifyInstance,
  context: CacheContext,
  limits: Limits,
): void {
  const { answers } = context
  const cached = new LRUCache<string, CachedResponse>({
    maxSize: bytesMax,
    sizeCalculation: ({ head, body }, url) => head.length + body.length + url.length + 500,
    ttl: cachedMs,
    ttlResolution: 100,
  })
  const send = createSend(server, context, limits)
  let isClosing = false
  server.decorateRequest('sharedAs', undefined)
  server.decorateRequest('generation', undefined)
  server.addHook('onRequest', (request, _, done) => {
    request.generation = answers.generation()
    done()
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    const answer = toKeep(request, reply, payload)
    if (answer !== undefined) cached.set(request.url, answer)
    done(null, payload)
  })
  server.addHook('preClose', async () => {
    isClosing = true
  })

  function serve(exchange: Exchange, generation: string | undefined) {
    const { request, response, answer } = exchange
    const isCurrent = answer.generation === generation
    if (!isCurrent) cached.delete(request.url ?? '')
    if (!isCurrent || isClosing || !send(exchange)) server.routing(request, response)
  }

  server.addHook('onReady', async () => {
    // The router is given what the lane does not serve.
    server.server.removeAllListeners('request')
    server.server.on('request', (request, response) => {
      const answer = cached.get(request.url ?? '')
      if (answer === undefined || !isPlain(request)) {
        server.routing(request, response)
        return
      }
      const exchange = { request, response, answer }
      const generation = answers.generation()
      if (generation !== undefined) serve(exchange, generation)
      // Waiting for Redis once is less than the long way for all who are here by then.
      else void answers.current().then(asked => serve(exchange, asked))
    })
  })
}

/** Names are looked at as they came: working out the headers takes longer than all the rest. */
function isPlain({ method, rawHeaders }: IncomingMessage): boolean {
  if (method !== 'GET') return false
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (special.has(rawHeaders[at]?.toLowerCase() ?? '')) return false
  }
  return true
}

function toKeep(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): CachedResponse | undefined {
  const { generation, sharedAs: kind } = request
  const { statusCode } = reply
  // What was computed while the catalogue changed is newer than its generation says: that is fine.
  if (kind === undefined || generation === undefined || statusCode !== 200) return undefined
  if (typeof payload !== 'string' || !isPlain(request.raw)) return undefined
  const bytes = Buffer.from(payload)
  const headers = Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
    value === undefined || ofOne.test(name) ? [] : [`${name}: ${String(value)}`],
  )
  if (!headers.every(header => plainText.test(header))) return undefined
  const head = ['HTTP/1.1 200 OK', ...headers, `content-length: ${bytes.length}`, ''].join('\r\n')
  const as = { method: 'GET', route: request.routeOptions.url ?? 'none', status: statusCode }
  return { generation, head, body: bytes.toString('latin1'), as, kind }
}

/**
 * What is the same for all requests is worked out once, and an answer is written as one text: to
 * have it put together again of twelve headers takes a third of the time of all the rest.
 */
function createSend(server: FastifyInstance, { metrics, log }: CacheContext, limits: Limits): Send {
  const ownHeaders = createOwnHeaders(server.server.keepAliveTimeout)
  const addresses = new WeakMap<Socket, string>()
  const countHit = createHits(metrics)
  const isLogged = ['info', 'debug', 'trace'].includes(log.level)

  function credit(socket: Socket): string[] | undefined {
    const known = addresses.get(socket)
    if (known !== undefined) return limits.quota(known)
    const address = addressOf(socket.remoteAddress ?? '')
    addresses.set(socket, address)
    return limits.quota(address)
  }

  return ({ response, answer }) => {
    const { socket, shouldKeepAlive } = response
    // Without a socket its turn has not come: requests before it are still to be answered.
    if (!socket?.writable || !shouldKeepAlive) return false
    const counted = credit(socket)
    if (counted === undefined) return false
    const { head, body, as, kind } = answer
    const began = performance.now()
    const limitHeaders = counted.length === 0 ? '' : linesOf(counted)
    // Node's own responses end in this way, too.
    const finish = () => response.emit('finish')
    socket.write(head + limitHeaders + ownHeaders(began) + body, 'latin1', finish)
    const seconds = (performance.now() - began) / 1_000
    metrics.request(as, seconds)
    countHit(kind)
    if (isLogged) log.info({ ...as, ms: seconds * 1_000 }, 'request')
    return true
  }
}

function linesOf(headers: readonly string[]): string {
  return headers.map((text, at) => text + (at % 2 === 0 ? ': ' : '\r\n')).join('')
}

const hexDigits = 16

/**
 * The headers that are of one request alone, and the empty line behind all headers. An id of ours
 * gives sixteen that differ in their last digit, within one second.
 */
function createOwnHeaders(keepAliveMs: number): (nowMs: number) => string {
  const keepAlive = `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveMs / 1_000}\r\n`
  let start = ''
  let end = ''
  let used = hexDigits
  let endsAt = 0
  return nowMs => {
    if (used === hexDigits || nowMs >= endsAt) {
      const now = new Date()
      start = `x-request-id: ${newId().slice(0, -1)}`
      end = `\r\ndate: ${now.toUTCString()}\r\n${keepAlive}\r\n`
      used = 0
      endsAt = nowMs + 1_000 - now.getMilliseconds()
    }
    used += 1
    return start + (used - 1).toString(hexDigits) + end
  }
}

const reportAfterMs = 50

/** Counts hits of the caches, and tells them together. */
function createHits(metrics: ApiContext['metrics']): (kind: string) => void {
  const hits = new Map<string, number>()
  const report = () => {
    for (const [kind, times] of hits) metrics.cache(kind, true, times)
    hits.clear()
  }
  return kind => {
    if (hits.size === 0) setTimeout(report, reportAfterMs).unref()
    hits.set(kind, (hits.get(kind) ?? 0) + 1)
  }
}
