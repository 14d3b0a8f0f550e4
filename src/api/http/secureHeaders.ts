// What tells browsers to be careful, worked out once instead of for each answer.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import helmet, { type HelmetOptions } from 'helmet'

type Directives = Record<string, string[] | null>

/** What helmet says about pages means nothing for data: no scripts, windows or plug-ins there. */
const ofPages = [
  ...['cross-origin-opener-policy', 'origin-agent-cluster', 'x-dns-prefetch-control'],
  ...['x-download-options', 'x-permitted-cross-domain-policies', 'x-xss-protection'],
]
/** Data that is opened as a page may load nothing and be put into no other page. */
const dataPolicy = "default-src 'none';frame-ancestors 'none'"

/**
 * Sends helmet's headers with every answer, those that mean something for data with answers of the
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

/** The headers of an answer that is data and no page. */
export function dataHeaders({ https }: { https: boolean }): Record<string, string> {
  const pages = Object.entries(pageHeaders(https)).filter(([name]) => !ofPages.includes(name))
  return { ...Object.fromEntries(pages), 'content-security-policy': dataPolicy }
}

/** The content security policy of a page that may do more than the others. */
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
