// Responses that are the same for all shoppers: kept as they were sent, and sent again unprocessed.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { digestOf } from '../../commands/core/ids.ts'
import { type Position, startOfLog } from '../../kit/position.ts'
import type { PageRequest } from '../../projections/core/keyset.ts'
import { isStaff } from './actor.ts'
import { hasETag } from './caching.ts'
import type { ApiContext, SerializedResponse } from './context.ts'
import { type FoundPage, type List, linkOf, pageBody } from './paging.ts'
import { callerOf } from './readYourWrites.ts'

declare module 'fastify' {
  interface FastifyInstance {
    storedResponses: LRUCache<string, StoredResponse>
  }
  interface FastifyRequest {
    /** Set where the response may be stored. */
    storable: Pick<StoredResponse, 'kind' | 'generation' | 'asOf'> | undefined
  }
}

interface StoredResponse {
  /** Of the catalogue; the response is stale once there is another one. */
  generation: string
  /** The position that the response shows at least. */
  asOf: Position
  /** The name under which hits are counted. */
  kind: string
  etag: string
  body: string
  link: string | undefined
}

interface CacheRequest {
  kind: string
  key: string
  compute(): Promise<SerializedResponse | undefined>
}

const bytesMax = 8 * 1024 * 1024
/** Stored responses are verified again after this time, whatever their generation says. */
const ttlMs = 10_000

/** Gives a server a bounded store of responses by URL. */
export function useStoredResponses(server: FastifyInstance): void {
  const store = new LRUCache<string, StoredResponse>({
    maxSize: bytesMax,
    sizeCalculation: ({ body, link = '' }, key) => body.length + link.length + key.length + 500,
    ttl: ttlMs,
    ttlResolution: 100,
  })
  server.decorate('storedResponses', store)
  server.decorateRequest('storable', undefined)
}

/**
 * An onRequest hook that answers from the store, if the stored response is current and shows what
 * the caller has written. It runs after authentication and rate limits; validation, the read
 * models and serialization are skipped, which is two thirds of the work.
 */
export function serveStored({ answers, ownWrites, metrics }: ApiContext) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const generation = answers.generation()
    if (generation === undefined || request.headers['x-min-position'] !== undefined) return
    const stored = request.server.storedResponses.get(storeKey(request))
    const caller = callerOf(request)
    const written = caller === undefined ? startOfLog : (await ownWrites.of(caller)).possible
    if (stored?.generation === generation && stored.asOf >= written) {
      metrics.cache(stored.kind, true)
      return send(request, reply, stored)
    }
    request.storable = { generation, asOf: startOfLog, kind: '' }
  }
}

/** Staff may see more at the same address. */
function storeKey({ actor, url }: FastifyRequest): string {
  return `${isStaff(actor) ? 'staff' : 'public'} ${url}`
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, body, link }: Pick<StoredResponse, 'etag' | 'body' | 'link'>,
) {
  reply.header('etag', etag)
  if (link !== undefined) reply.header('link', link)
  if (hasETag(request, etag)) return reply.status(304).send()
  return reply.type('application/json; charset=utf-8').send(body)
}

/** The cached response, or a computed one where the caller waits for a later position. */
export async function findCached(
  { answers, positions }: ApiContext,
  request: FastifyRequest,
  { kind, key, compute }: CacheRequest,
): Promise<SerializedResponse | undefined> {
  const asOf = positions.known('catalogue')
  const found = await answers.get({ kind, key, after: request.shows, asOf }, compute)
  const { storable } = request
  // One that was asked for once is not worth the memory.
  if (storable !== undefined && found.isRepeated)
    Object.assign(storable, { kind, asOf: found.asOf })
  return found.answer
}

/** Sends a response with its ETag, or 304 to a client that has it, and stores it if it may be. */
export function sendSerialized(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, body }: SerializedResponse,
  link?: string,
) {
  const { storable, server } = request
  if (storable !== undefined && storable.kind !== '') {
    server.storedResponses.set(storeKey(request), { ...storable, etag, body, link })
  }
  return send(request, reply, { etag, body, link })
}

/** A resource as it is sent. Its ETag is its revision, with a variant if other streams show. */
export function serialize(
  resource: object,
  revision: number,
  variant?: string,
): SerializedResponse {
  const etag = variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`
  return { etag, body: JSON.stringify(resource) }
}

/** A page of a list as it is sent. */
export function serializePage<Item>(
  part: PageRequest,
  list: List,
  found: FoundPage<Item>,
): SerializedResponse {
  const page = pageBody(part, list, found)
  const { nextCursor } = page
  return { etag: `"${digestOf(page)}"`, body: JSON.stringify(page), nextCursor, total: found.total }
}

/** Finds and sends a page of a list, with links to the other pages. */
export async function sendCachedPage(
  context: ApiContext,
  { request, reply, part }: { request: FastifyRequest; reply: FastifyReply; part: PageRequest },
  wanted: CacheRequest,
) {
  const response = await findCached(context, request, wanted)
  if (response === undefined) throw new Error('a list is never missing')
  return sendSerialized(request, reply, response, linkOf(request.url, part, response))
}
