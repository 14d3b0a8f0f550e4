// What a process answers that is about to end: a request that still reaches it is for another one.
import type { FastifyInstance } from 'fastify'
import { HttpProblem } from './problems.ts'

const retryAfterSeconds = 1

/** Once the server begins to close, new requests get 503 with Retry-After and no connection. */
export function refuseWhenClosing(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onRequest', (_, reply, done) => {
    if (!isClosing) return done()
    reply.header('connection', 'close')
    const detail = 'The shop is restarting: try again.'
    done(new HttpProblem('request/unavailable', detail, { retryAfterSeconds }))
  })
}
