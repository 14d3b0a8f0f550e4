// Lets an admin's browser look at the queues: the access token, in a cookie for those pages alone.

import type { FastifyInstance } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { publish } from '../../http/route.ts'
import { nothing } from '../../http/schemas.ts'
import { boardCookie, boardPath } from './queueBoard.ts'

/** Publishes the way into the dashboard of the queues. */
export function queueSessionRoutes(server: FastifyInstance, { config }: ApiContext): void {
  publish(server, {
    method: 'POST',
    url: '/admin/queues/session',
    access: ['admin'],
    config: { fresh: true },
    summary: 'Open /admin/queues in your browser for the lifetime of your access token',
    description:
      'Sets the token as a cookie that scripts cannot read, that no other site can have sent ' +
      'and that goes to /admin/queues alone; ask again with a newer token to stay.',
    tag: 'Admin',
    operationId: 'openQueues',
    status: 204,
    answer: nothing('The cookie is set'),
    async handle(request, reply) {
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
    },
  })
}
