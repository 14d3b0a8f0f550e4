// Security headers: those of helmet, computed once instead of for each response.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import helmet, { type HelmetOptions } from 'helmet'

type Directives = Record<string, string[] | null>

/** Headers that have no meaning for data: scripts, windows, plug-ins. */
const pageHeaderNames = [
  ...['cross-origin-opener-policy', 'origin-agent-cluster', 'x-dns-prefetch-control'],
  ...['x-download-options', 'x-permitted-cross-domain-policies', 'x-xss-protection'],
]

/** Data that is opened as a page may not load anything or be framed. */
const dataPolicy = "default-src 'none';frame-ancestors 'none'"

/**
 * Sends helmet's headers with every response, and those that matter for data with responses of the
 * API; a route that needs others sets them itself.
 */
export function useSecureHeaders(server: FastifyInstance, { https }: { https: boolean }): void {
  const pages = pageHeaders(https)
  const data = dataHeaders({ https })
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(request.url.startsWith('/api/') ? data : pages)
    done()
  })
}

function pageHeaders(https: boolean): Record<string, string> {
  return headersOf({ contentSecurityPolicy: policy({}), strictTransportSecurity: https })
}

/** The security headers of a response that is data. */
export function dataHeaders({ https }: { https: boolean }): Record<string, string> {
  const pages = Object.entries(pageHeaders(https)).filter(
    ([name]) => !pageHeaderNames.includes(name),
  )
  return { ...Object.fromEntries(pages), 'content-security-policy': dataPolicy }
}

/** The content security policy of a page with other directives. */
export function policyWith(directives: Directives): string {
  const headers = headersOf({ contentSecurityPolicy: policy(directives) })
  return headers['content-security-policy'] ?? ''
}

function policy(directives: Directives) {
  return { directives: { 'upgrade-insecure-requests': null, ...directives } }
}

function headersOf(options: HelmetOptions): Record<string, string> {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  helmet(options)(request, response, () => undefined)
  return Object.fromEntries(
    Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]),
  )
}
