// Answers from the cache: sent as the text that they are kept as, or not again to who has them.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { digestOf } from '../../commands/core/ids.ts'
import type { PageRequest } from '../../projections/core/keyset.ts'
import { hasETag } from './caching.ts'
import type { ApiContext, ReadyAnswer } from './context.ts'
import { type Found, type List, linkOf, pageBody } from './paging.ts'

interface CachedListRequest {
  /** What hits and misses are counted by: one of a few words. */
  kind: string
  key: string
  compute(): Promise<ReadyAnswer | undefined>
}

/** The answer from the cache, or computed where a request waits for what the cache may not know. */
export async function findReady(
  { answers, positions }: ApiContext,
  request: FastifyRequest,
  { kind, key, compute }: CachedListRequest,
): Promise<ReadyAnswer | undefined> {
  const asOf = positions.known('catalogue')
  const wanted = { kind, key, after: request.shows, asOf }
  const { answer, isRepeated } = await answers.get(wanted, compute)
  if (isRepeated) request.sharedAs = kind
  return answer
}

/** Sends an answer with its ETag, or 304 to who has it already. */
export function sendReady(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, body }: ReadyAnswer,
) {
  reply.header('etag', etag)
  if (hasETag(request, etag)) return reply.status(304).send()
  return reply.type('application/json; charset=utf-8').serializer(String).send(body)
}

/** One thing as it is sent. The ETag is its revision, and a variant where other streams show. */
export function readyThing(thing: object, revision: number, variant?: string): ReadyAnswer {
  const etag = variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`
  return { etag, body: JSON.stringify(thing) }
}

/** A part of a list as it is sent. */
export function cachedPage<Item>(part: PageRequest, list: List, found: Found<Item>): ReadyAnswer {
  const page = pageBody(part, list, found)
  return {
    etag: `"${digestOf(page)}"`,
    body: JSON.stringify(page),
    nextCursor: page.nextCursor,
    total: found.total,
  }
}

/** Finds and sends a part of a list, with links to the others. */
export async function sendCachedPage(
  context: ApiContext,
  on: { request: FastifyRequest; reply: FastifyReply; part: PageRequest },
  wanted: CachedListRequest,
) {
  const { request, reply, part } = on
  const answer = await findReady(context, request, wanted)
  if (answer === undefined) throw new Error('a list is never missing')
  reply.header('link', linkFor(request.url, part, answer))
  return sendReady(request, reply, answer)
}

/** The links of each answer for the address that it was last asked by: mostly it is the same. */
const links = new WeakMap<ReadyAnswer, { url: string; link: string }>()

function linkFor(url: string, part: PageRequest, answer: ReadyAnswer): string {
  const last = links.get(answer)
  if (last?.url === url) return last.link
  const link = linkOf(url, part, answer)
  links.set(answer, { url, link })
  return link
}
