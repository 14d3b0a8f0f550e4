// Reads the rest of a request body before the connection is closed, so that the response arrives.
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Of more than that the rest is not read. */
const bytesMax = 16 * 1024 * 1024
const drainMs = 5_000
/** A client that sends nothing for this long may be waiting for the response. */
const idleMs = 1_000

/**
 * A connection that is closed while its client still sends is reset, and the client may not see
 * the response. So before a response that closes the connection, the rest of the body is read and
 * discarded, up to a limit. Node does this for connections that stay open.
 */
export function drainBeforeClosing(server: FastifyInstance): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    if (!isToDrain(request, reply)) return done(null, payload)
    reply.deadline += drainMs
    void drained(request.raw).then(() => done(null, payload))
  })
}

/** Whether a response would close a connection before all of the body was received. */
export function isToDrain({ raw }: FastifyRequest, reply: FastifyReply): boolean {
  return closesConnection(reply) && isIncomplete(raw)
}

function closesConnection(reply: FastifyReply): boolean {
  return !reply.raw.shouldKeepAlive || reply.getHeader('connection') === 'close'
}

/** Whether a part of the body was not received yet. */
function isIncomplete({ complete, destroyed, headers }: IncomingMessage): boolean {
  if (complete || destroyed) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Resolves when the body was received, is too large, or the client is gone or too slow. */
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
