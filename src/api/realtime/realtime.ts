// Order notifications over WebSocket and server-sent events: the same messages, both resumable.

import type { ServerResponse } from 'node:http'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { roles } from '../../domain/kernel/types.ts'
import { parseJson } from '../../kit/parseJson.ts'
import { parsePosition } from '../../kit/position.ts'
import { signedIn } from '../http/actor.ts'
import type { ApiContext } from '../http/context.ts'
import { mayFollow } from '../http/currentRoles.ts'
import { isPosition } from '../http/positions.ts'
import { publish } from '../http/route.ts'
import { closing, type LiveConnection } from './connections.ts'
import { clientMessages, type ServerMessage } from './messages.ts'
import { type OrderStream, openStream, type StreamClient } from './orderStream.ts'

/** A client that reads too slowly is closed with the position to resume from. */
const bufferedBytesMax = 256 * 1024
const heartbeatMs = 20_000
/** The limit of messages of a client. */
const messagesMax = 20
const messagesMs = 10_000
/** How long a closing handshake is awaited when the server stops. */
const closingMs = 2_000
/** How long live updates are held for a client to resume. */
const resumeGraceMs = 500

const { resume, subscribe, ping } = clientMessages
const Message = Compile(Type.Union([resume, subscribe, ping]))

/** Registers both routes; the WebSocket is under the root, not under /api. */
export function realtimeRoutes(server: FastifyInstance, context: ApiContext): void {
  const { connections } = server
  const open = new Set<ServerResponse>()
  // Shutting down does not wait for streams.
  server.addHook('preClose', async () => {
    for (const response of open) response.end()
  })
  server.get(
    '/ws/orders/notifications',
    {
      websocket: true,
      config: { access: roles },
      onRequest: connections.admit,
      schema: { hide: true },
    },
    (socket, request) =>
      serveSocket({ context, connection: connections.connectionOf(request) }, socket, request),
  )
  publish(server, {
    method: 'GET',
    url: '/api/orders/notifications',
    // A stream has no HEAD.
    exposeHeadRoute: false,
    access: roles,
    onRequest: connections.admit,
    summary: 'Follow your orders with server-sent events',
    tag: 'Real time',
    operationId: 'followOrders',
    description:
      'Events are called order_update; Last-Event-ID resumes after a position. The same ' +
      'over WebSocket: /ws/orders/notifications.',
    answer: {
      description: 'A stream of order_update events',
      content: { 'text/event-stream': { schema: Type.String() } },
    },
    handle(request, reply) {
      reply.hijack()
      // Such as CORS headers.
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'private, no-store',
        'x-accel-buffering': 'no',
      })
      open.add(reply.raw)
      reply.raw.on('close', () => open.delete(reply.raw))
      const connection = connections.connectionOf(request)
      connection.end = () => reply.raw.end()
      serveEvents({ context, connection }, request, reply.raw)
    },
  })
}

interface Live {
  context: ApiContext
  connection: LiveConnection
}

/** A client of a connection, which is ended when access is lost or cannot be checked. */
function clientOf(
  { context, connection }: Live,
  request: FastifyRequest,
  write: (message: ServerMessage) => void,
): StreamClient {
  return {
    customerId: signedIn(request),
    write,
    async mayReceive(isForAll) {
      try {
        const isAllowed = await mayFollow(context.app, connection, isForAll)
        if (!isAllowed) connection.end(closing.signedOut, 'roles have changed')
        return isAllowed
      } catch (error) {
        request.log.warn({ event: 'live-unchecked', err: error }, 'rights cannot be checked')
        connection.end(closing.tooSlow, 'come back in a moment')
        return false
      }
    },
  }
}

function serveSocket(
  { context, connection }: Live,
  socket: WebSocket,
  request: FastifyRequest,
): void {
  connection.end = (code, why) => socket.close(code, why)
  let last = ''
  const write = (message: ServerMessage) => {
    if (socket.bufferedAmount > bufferedBytesMax) {
      // Logged once for each client.
      if (socket.readyState === socket.OPEN)
        request.log.warn({ event: 'live-too-slow' }, 'too slow')
      socket.close(closing.tooSlow, `resume:${last}`)
      return
    }
    if ('position' in message) last = String(message.position)
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }
  const stream = openStream(context, clientOf({ context, connection }, request, write))
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
  const isTooMuch = countMessages()
  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return
    if (isTooMuch()) {
      request.log.warn({ event: 'live-too-many-messages' }, 'too many messages')
      socket.close(closing.tooMuch, 'too many messages')
      return
    }
    receive(stream, { context, connection }, isBinary ? '' : String(data)).catch(() =>
      socket.close(1011),
    )
  })
  socket.on('error', () => socket.terminate())
  socket.on('close', () => {
    clearTimeout(grace)
    clearInterval(heartbeat)
    stream.end()
  })
  stream.send({ type: 'connected' })
}

/** Counts the messages of a client within ten seconds. */
function countMessages(): () => boolean {
  let receivedAt: number[] = []
  return () => {
    const now = performance.now()
    receivedAt = receivedAt.filter(at => now - at < messagesMs)
    return receivedAt.push(now) > messagesMax
  }
}

/** Closes all clients; those without a closing handshake are terminated. */
export function closeClients(clients: Iterable<WebSocket>): void {
  for (const client of clients) {
    client.close(closing.goingAway, 'the server stops')
    const timer = setTimeout(() => client.terminate(), closingMs)
    client.once('close', () => clearTimeout(timer))
  }
}

async function receive(
  stream: OrderStream,
  { context, connection }: Live,
  text: string,
): Promise<void> {
  const message = parseJson(text)
  if (!Message.Check(message)) {
    stream.send({
      type: 'error',
      detail: 'Expected {"resume":"<position>"}, {"subscribe":"orders:all"} or {"type":"ping"}.',
    })
  } else if ('resume' in message) {
    await resumeFrom(stream, message.resume)
  } else if ('subscribe' in message) {
    if (!(await mayFollow(context.app, connection, true)))
      stream.send({ type: 'error', detail: 'Only staff can subscribe to all orders.' })
    else {
      stream.includeAll()
      stream.send({ type: 'subscribed', to: 'orders:all' })
    }
  } else {
    stream.send({ type: 'pong' })
  }
}

/** Resumes from a position; a text that cannot be one of ours is answered with `resync`. */
async function resumeFrom(stream: OrderStream, position: string): Promise<void> {
  if (isPosition(position)) await stream.resume(parsePosition(position))
  else stream.send({ type: 'resync' })
}

function serveEvents(
  { context, connection }: Live,
  request: FastifyRequest,
  response: ServerResponse,
): void {
  const write = (message: ServerMessage) => {
    if (response.writableLength > bufferedBytesMax) {
      response.destroy()
      return
    }
    const id = 'position' in message ? `id: ${message.position}\n` : ''
    if (!response.writableEnded) {
      response.write(`${id}event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`)
    }
  }
  const stream = openStream(context, clientOf({ context, connection }, request, write))
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs)
  request.raw.on('close', () => {
    clearInterval(heartbeat)
    stream.end()
  })
  response.write('retry: 1000\n\n')
  const lastEventId = request.headers['last-event-id']
  // It is empty if the client has not received an id yet.
  if (typeof lastEventId !== 'string' || lastEventId === '') return
  resumeFrom(stream, lastEventId).catch(() => response.destroy())
}
