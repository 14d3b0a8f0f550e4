// The progress of a long operation as server-sent events.

import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const pollMs = 250
const heartbeatMs = 20_000

/** Reads the current state; undefined if it does not exist any more. */
export type ReadState = () => Promise<{ state: unknown; isDone: boolean } | undefined>

export interface ProgressStreams {
  /**
   * Sends an event whenever the state has changed; the last one is called `done`. It ends
   * earlier when its reader loses access. Throws a problem above the limits.
   */
  follow(request: FastifyRequest, reply: FastifyReply, look: ReadState): FastifyReply
}

/** Whether a client accepts server-sent events. */
export function acceptsEvents(request: FastifyRequest): boolean {
  return /\btext\/event-stream\b/.test(request.headers.accept ?? '')
}

/** Streams of progress that end with the server. */
export function createProgressStreams(server: FastifyInstance): ProgressStreams {
  const open = new Set<ServerResponse>()
  // Shutting down does not wait for streams.
  server.addHook('preClose', async () => {
    for (const response of open) response.end()
  })
  return {
    follow(request, reply, look) {
      const connection = server.connections.open(request, reply, 'progress')
      connection.end = () => reply.raw.destroy()
      reply.hijack()
      open.add(reply.raw)
      reply.raw.on('close', () => open.delete(reply.raw))
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'private, no-store',
        'x-accel-buffering': 'no',
      })
      write(reply.raw, look)
        .catch(() => undefined)
        .finally(() => reply.raw.end())
      return reply
    },
  }
}

async function write(response: ServerResponse, look: ReadState): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  let last = ''
  let writtenAt = performance.now()
  while (!gone.signal.aborted) {
    const seen = await look()
    if (seen === undefined) return
    const text = JSON.stringify(seen.state)
    if (text !== last || seen.isDone) {
      response.write(`event: ${seen.isDone ? 'done' : 'progress'}\ndata: ${text}\n\n`)
      writtenAt = performance.now()
    } else if (performance.now() - writtenAt > heartbeatMs) {
      response.write(':\n\n')
      writtenAt = performance.now()
    }
    if (seen.isDone) return
    last = text
    await sleep(pollMs, undefined, { signal: gone.signal })
  }
}
