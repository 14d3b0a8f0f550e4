// What operators ask: is it alive, is it ready.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'

const open = { access: 'public' as const }

/** Health under the root. */
export function healthRoutes(server: FastifyInstance, { health }: ApiContext): void {
  server.get('/healthz', { config: open, schema: { hide: true } }, async () => ({ status: 'ok' }))
  server.get('/readyz', { config: open, schema: { hide: true } }, async (_, reply) => {
    const readiness = health.readiness()
    return reply.status(readiness.status === 'not-ready' ? 503 : 200).send(readiness)
  })
}
