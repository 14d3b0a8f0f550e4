// Lets an admin's browser look at the queues: the access token, in a cookie for those pages alone.
import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { nothing, problemResponses } from '../../http/schemas.ts'
import { boardCookie, boardPath } from './queueBoard.ts'

/** Publishes the way into the dashboard of the queues. */
export function queueSessionRoutes(server: FastifyInstance, { config }: ApiContext): void {
  server.post(
    '/admin/queues/session',
    {
      config: { access: ['admin'], fresh: true },
      schema: {
        summary: 'Open /admin/queues in your browser for the lifetime of your access token',
        description:
          'Sets the token as a cookie that scripts cannot read, that no other site can have sent ' +
          'and that goes to /admin/queues alone; ask again with a newer token to stay.',
        tags: ['Admin'],
        operationId: 'openQueues',
        response: { 204: nothing('The cookie is set'), ...problemResponses },
      },
    },
    async (request, reply) => {
      const token = request.headers.authorization?.replace(/^Bearer /i, '') ?? ''
      const attributes = [
        `${boardCookie}=${token}`,
        `Path=${boardPath}`,
        `Max-Age=${config.accessTokenTtlSeconds}`,
        'HttpOnly',
        'SameSite=Strict',
        ...(config.publicUrl.startsWith('https:') ? ['Secure'] : []),
      ]
      reply.header('set-cookie', attributes.join('; ')).header('cache-control', 'private, no-store')
      request.log.info({ event: 'queues-opened' }, 'queues opened')
      return reply.status(204).send()
    },
  )
}
