// Cache-Control of responses, and comparison of ETags.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Makes responses to identified callers private; routes may set something stricter. */
export function usePrivateAnswers(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead) reply.header('cache-control', 'private, no-store')
    else if (isPersonal(request)) reply.header('cache-control', 'private, no-cache')
    done()
  })
}

function isPersonal({ headers, routeOptions, url }: FastifyRequest): boolean {
  const { authorization, cookie } = headers
  const isNamed = authorization !== undefined || cookie !== undefined
  const hasCart = headers['x-cart-token'] !== undefined || url.startsWith('/api/cart')
  return isNamed || hasCart || Array.isArray(routeOptions.config.access)
}

const etags = /(?:W\/)?("[^"]*")/g

/** Whether If-None-Match names an ETag: a list or `*`, by weak comparison (RFC 9110, 13.1.2). */
export function hasETag({ headers }: FastifyRequest, etag: string): boolean {
  const header = headers['if-none-match']
  if (header === undefined) return false
  if (header === etag || header.trim() === '*') return true
  const wanted = etag.replace(/^W\//, '')
  return [...header.matchAll(etags)].some(([, opaque]) => opaque === wanted)
}

/**
 * Sets the ETag of a resource; true if the client has this version, so that 304 is the response. A
 * resource of several aggregates adds a `variant`, which If-Match ignores.
 */
export function isUnchanged(
  request: FastifyRequest,
  reply: FastifyReply,
  revision: number,
  variant?: string,
) {
  const etag = variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`
  reply.header('etag', etag)
  return hasETag(request, etag)
}
