// Whoever is answered before all of their body has come gets to read the answer, too.
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** More than that is not read: then the connection ends with the answer. */
const bytesMax = 16 * 1024 * 1024
const drainMs = 5_000
/** Whoever sends nothing for so long may be waiting for the answer. */
const idleMs = 1_000

/**
 * A connection that is closed while its client still sends is reset, and the client may never see
 * the answer. So where an answer ends the connection, the rest of the body is read first and thrown
 * away, up to a bound. Connections that stay open are read on by Node.
 */
export function drainBeforeClosing(server: FastifyInstance): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    if (!isToDrain(request, reply)) return done(null, payload)
    reply.deadline += drainMs
    void drained(request.raw).then(() => done(null, payload))
  })
}

/** Whether an answer would end a connection on which some of the body has still to come. */
export function isToDrain({ raw }: FastifyRequest, reply: FastifyReply): boolean {
  return ends(reply) && isOwed(raw)
}

function ends(reply: FastifyReply): boolean {
  return !reply.raw.shouldKeepAlive || reply.getHeader('connection') === 'close'
}

/** Whether some of the body has still to come. */
function isOwed({ complete, destroyed, headers }: IncomingMessage): boolean {
  if (complete || destroyed) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Resolves when the body has come, or too much of it, or the client is gone or too slow. */
export function drained(body: IncomingMessage): Promise<void> {
  return new Promise(resolve => {
    let bytes = 0
    const end = () => {
      clearTimeout(timer)
      clearTimeout(idle)
      body.off('data', count).off('end', end).off('close', end)
      resolve()
    }
    const count = (piece: Buffer) => {
      bytes += piece.length
      idle.refresh()
      if (bytes > bytesMax) end()
    }
    const timer = setTimeout(end, drainMs)
    const idle = setTimeout(end, idleMs)
    body.unpipe()
    body.on('data', count).on('end', end).on('close', end).resume()
  })
}
