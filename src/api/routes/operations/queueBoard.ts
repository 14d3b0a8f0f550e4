// The dashboard of the queues at /admin/queues: admins look at it in a browser and change nothing.
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem, handleError } from '../../http/problems.ts'
import { signInPage, signInScript, signInStyle } from './queueSignIn.ts'

export const boardPath = '/admin/queues'

/** Pages that a browser loads carry no Authorization header: a cookie brings the token here. */
export const boardCookie = 'orderstream-queues'

/** Who may use the routes that come from the library, which knows nothing of us. */
export const boardConfig = { access: ['admin'] as const, cookie: boardCookie, fresh: true }

/** Nothing is loaded from elsewhere. */
const policy = [
  "default-src 'self'",
  "base-uri 'self'",
  "font-src 'self' data:",
  "form-action 'self'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "style-src 'self' 'unsafe-inline'",
].join(';')

/** Fonts of another host that the pages ask for: the policy refuses them, so they are left out. */
const foreignStyles = /<link[^>]+href="https?:[^>]+>\s*/g

/** Publishes the dashboard. */
export async function queueBoard(server: FastifyInstance, { queues }: ApiContext): Promise<void> {
  const adapter = new FastifyAdapter()
  adapter.setBasePath(boardPath)
  createBullBoard({
    queues: queues.map(queue => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Queues' } },
  })
  // What goes wrong is answered as everywhere else.
  adapter.setErrorHandler(error => {
    throw error
  })
  await server.register(async scope => {
    scope.setErrorHandler(answerError)
    scope.addHook('onRequest', async (request, reply) => {
      reply.header('content-security-policy', policy)
      if (request.method === 'GET' || request.method === 'HEAD') return
      throw new HttpProblem('command/forbidden', 'The queue dashboard is read-only.')
    })
    scope.addHook('onSend', async (_, reply, payload) => {
      const isPage = /^text\/html\b/.test(String(reply.getHeader('content-type') ?? ''))
      if (!isPage || typeof payload !== 'string') return payload
      reply.removeHeader('content-length')
      return payload.replace(foreignStyles, '')
    })
    signInParts(scope)
    await scope.register(adapter.registerPlugin(), { prefix: boardPath })
  })
}

function signInParts(server: FastifyInstance): void {
  const open = { config: { access: 'public' as const }, schema: { hide: true } }
  server.get(`${boardPath}/sign-in.js`, open, (_, reply) =>
    reply.type('text/javascript; charset=utf-8').send(signInScript),
  )
  server.get(`${boardPath}/sign-in.css`, open, (_, reply) =>
    reply.type('text/css; charset=utf-8').send(signInStyle),
  )
}

/** People who have not signed in, or not lately, are asked to; programs get a problem. */
function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const isStranger = error instanceof HttpProblem && error.code === 'request/unauthenticated'
  if (!isStranger || !/\btext\/html\b/.test(request.headers.accept ?? '')) {
    return handleError(error, request, reply)
  }
  return reply.status(401).type('text/html; charset=utf-8').send(signInPage)
}
