// Order notifications over WebSocket and server-sent events: the same messages, both resumable.

import type { ServerResponse } from 'node:http'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { roles } from '../domain/types.ts'
import { isStaff, signedIn } from './actor.ts'
import type { ApiContext } from './context.ts'
import { type OrderStream, openStream } from './orderStream.ts'
import { problemResponses } from './schemas.ts'

/** A client that reads slower than we write is closed with the position to resume from. */
const bufferedBytesMax = 256 * 1024
const heartbeatMs = 20_000
/** A client that comes back has this long to say from where, before live news reach it. */
const resumeGraceMs = 500

const Message = Compile(
  Type.Union([
    Type.Object(
      { resume: Type.String({ pattern: '^\\d{1,19}$' }) },
      { additionalProperties: false },
    ),
    Type.Object({ subscribe: Type.Literal('orders:all') }, { additionalProperties: false }),
    Type.Object({ type: Type.Literal('ping') }, { additionalProperties: false }),
  ]),
)

/** Registers both routes; the WebSocket is under the root, not under /api. */
export function realtimeRoutes(app: FastifyInstance, context: ApiContext): void {
  const open = new Set<ServerResponse>()
  // Events never end by themselves: without this the server would wait for its clients to leave.
  app.addHook('preClose', async () => {
    for (const response of open) response.end()
  })
  app.get(
    '/ws/orders/notifications',
    {
      websocket: true,
      config: { access: roles },
      schema: { hide: true },
    },
    (socket, request) => serveSocket(context, socket, request),
  )
  app.get(
    '/api/orders/notifications',
    {
      config: { access: roles },
      schema: {
        summary: 'Follow your orders live (server-sent events)',
        tags: ['Real time'],
        operationId: 'followOrders',
        response: {
          200: {
            description: 'A stream of order_update events',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          ...problemResponses,
        },
      },
    },
    (request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      open.add(reply.raw)
      reply.raw.on('close', () => open.delete(reply.raw))
      serveEvents(context, request, reply.raw)
    },
  )
}

function serveSocket(context: ApiContext, socket: WebSocket, request: FastifyRequest): void {
  let last = ''
  const stream = openStream(context, signedIn(request), message => {
    if (socket.bufferedAmount > bufferedBytesMax) {
      socket.close(1013, `resume:${last}`)
      return
    }
    if ('position' in message) last = String(message.position)
    socket.send(JSON.stringify(message))
  })
  stream.hold()
  const grace = setTimeout(stream.release, resumeGraceMs)
  let isAlive = true
  const heartbeat = setInterval(() => {
    if (!isAlive) socket.terminate()
    isAlive = false
    socket.ping()
  }, heartbeatMs)
  socket.on('pong', () => {
    isAlive = true
  })
  socket.on('message', (data, isBinary) => {
    hear(stream, request, isBinary ? '' : String(data)).catch(() => socket.close(1011))
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    clearTimeout(grace)
    clearInterval(heartbeat)
    stream.end()
  })
  stream.send({ type: 'connected' })
}

async function hear(stream: OrderStream, request: FastifyRequest, text: string): Promise<void> {
  const message = parse(text)
  if (!Message.Check(message)) {
    stream.send({
      type: 'error',
      detail: 'Say {"resume":"<position>"} or {"subscribe":"orders:all"}.',
    })
  } else if ('resume' in message) {
    await stream.resume(BigInt(message.resume))
  } else if ('subscribe' in message) {
    if (!isStaff(request.actor)) stream.send({ type: 'error', detail: 'That is for staff.' })
    else {
      stream.widen()
      stream.send({ type: 'subscribed', to: 'orders:all' })
    }
  } else {
    stream.send({ type: 'pong' })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function serveEvents(context: ApiContext, request: FastifyRequest, response: ServerResponse): void {
  const stream = openStream(context, signedIn(request), message => {
    if (response.writableLength > bufferedBytesMax) {
      response.destroy()
      return
    }
    const id = 'position' in message ? `id: ${message.position}\n` : ''
    const type = 'type' in message ? `event: ${message.type}\n` : ''
    response.write(`${id}${type}data: ${JSON.stringify(message)}\n\n`)
  })
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs)
  request.raw.on('close', () => {
    clearInterval(heartbeat)
    stream.end()
  })
  response.write('retry: 1000\n\n')
  const lastEventId = request.headers['last-event-id']
  if (typeof lastEventId === 'string' && /^\d{1,19}$/.test(lastEventId)) {
    stream.resume(BigInt(lastEventId)).catch(() => response.destroy())
  }
}
