// The progress of something long as server-sent events, until it has ended.

import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const pollMs = 250
const heartbeatMs = 20_000

/** How something is now; undefined when it is not there any more. */
export type Look = () => Promise<{ state: unknown; isDone: boolean } | undefined>

export interface ProgressStreams {
  /**
   * Answers with an event whenever the state has changed; the last one is called `done`. It ends
   * earlier when whoever reads it may not any more. Throws a problem where there is no room.
   */
  follow(request: FastifyRequest, reply: FastifyReply, look: Look): FastifyReply
}

/** Whether a client asks for events instead of the state of now. */
export function wantsEvents(request: FastifyRequest): boolean {
  return /\btext\/event-stream\b/.test(request.headers.accept ?? '')
}

/** Streams of progress that end with the server. */
export function createProgressStreams(server: FastifyInstance): ProgressStreams {
  const open = new Set<ServerResponse>()
  // A stream never ends by itself as long as there is work: the server would wait for it.
  server.addHook('preClose', async () => {
    for (const response of open) response.end()
  })
  return {
    follow(request, reply, look) {
      const connection = server.connections.sit(request, reply, 'progress')
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

async function write(response: ServerResponse, look: Look): Promise<void> {
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
