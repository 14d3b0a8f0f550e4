// Graceful shutdown: new requests are refused and silent connections are closed.
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { HttpProblem } from './problems.ts'

const retryAfterSeconds = 1

/**
 * Closes connections without any data when the server begins to close: Node counts
 * them as busy, and the server would wait a minute for each spare connection of a client.
 */
export function closeSilentConnections(server: FastifyInstance): void {
  const open = new Set<Socket>()
  server.server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.addHook('preClose', async () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  })
}

/** Once the server begins to close, new requests get 503 with Retry-After and no connection. */
export function refuseWhenClosing(server: FastifyInstance): void {
  let isClosing = false
  server.addHook('preClose', async () => {
    isClosing = true
  })
  server.addHook('onRequest', (_, reply, done) => {
    if (!isClosing) return done()
    reply.header('connection', 'close')
    const detail = 'The service is restarting. Try again.'
    done(new HttpProblem('request/unavailable', detail, { retryAfterSeconds }))
  })
}
