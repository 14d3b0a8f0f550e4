// What tells browsers to be careful, worked out once instead of for each answer.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import helmet, { type HelmetOptions } from 'helmet'

type Directives = Record<string, string[] | null>

/** Sends helmet's headers with every answer; a route that needs others sets them itself. */
export function useSecureHeaders(app: FastifyInstance, { https }: { https: boolean }): void {
  const headers = headersOf({ contentSecurityPolicy: policy({}), strictTransportSecurity: https })
  app.addHook('onRequest', (_, reply, done) => {
    reply.headers(headers)
    done()
  })
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
