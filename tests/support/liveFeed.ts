// Clients that follow orders live: over WebSocket and over server-sent events.
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { assertDeclared } from './asyncApi.ts'
import { waitFor } from './waitFor.ts'

export interface Update {
  type: string
  position: string
  orderId: string
  orderNumber: string
  status: string
  previousStatus: string
  message: string
  at: string
  [field: string]: unknown
}

export interface Follower {
  /** Everything that came, the oldest first. */
  messages: Update[]
  /** The order updates among it. */
  updates(): Update[]
  /** Waits until one came that fits. */
  hears(what: string, fits: (update: Update) => boolean): Promise<Update>
  say(message: unknown): void
  /** Reads nothing from now on, and the connection stays; WebSocket only. */
  stopReading(): void
  startReading(): void
  /** Breaks the connection off, without a goodbye. */
  cut(): void
  /** The code with which the other side ended. */
  closed: Promise<number>
  /** What it said to that; nothing over server-sent events. */
  why: Promise<string>
}

export interface Handshake {
  authorization?: string
  protocols?: string[]
  origin?: string
  /** The address that a proxy says it comes from. */
  from?: string
}

function connect(url: string, handshake: Handshake): WebSocket {
  const { authorization, protocols = [], origin, from } = handshake
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(origin === undefined ? {} : { origin }),
    ...(from === undefined ? {} : { 'x-forwarded-for': from }),
  }
  const address = `${url.replace('http', 'ws')}/ws/orders/notifications`
  return new WebSocket(address, protocols, { headers })
}

/** Follows over WebSocket; throws when it is refused. */
export async function followSocket(url: string, handshake: Handshake): Promise<Follower> {
  const socket = connect(url, handshake)
  const messages: Update[] = []
  socket.on('message', data => messages.push(JSON.parse(String(data))))
  const ended = new Promise<{ code: number; reason: string }>(resolve =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  const closed = ended.then(({ code }) => code)
  const why = ended.then(({ reason }) => reason)
  await once(socket, 'open')
  socket.on('error', () => undefined)
  return {
    ...listener(messages),
    say: message =>
      socket.send(typeof message === 'object' ? JSON.stringify(message) : `${message}`),
    stopReading: () => socket.pause(),
    startReading: () => socket.resume(),
    cut: () => socket.terminate(),
    closed,
    why,
  }
}

/** Sends frames as they are, whatever they are; the code with which the other side ended. */
export async function sendFrames(url: string, handshake: Handshake, frames: (string | Buffer)[]) {
  const socket = connect(url, handshake)
  socket.on('error', () => undefined)
  const closed = once(socket, 'close').then(([code]) => Number(code))
  await once(socket, 'open')
  let answers = 0
  socket.on('message', () => {
    answers += 1
  })
  for (const frame of frames) socket.send(frame)
  return { closed, answers: () => answers, cut: () => socket.terminate() }
}

/** The status with which a handshake is refused, 101 when it is not. */
export async function handshakeStatus(url: string, handshake: Handshake): Promise<number> {
  const socket = connect(url, handshake)
  socket.on('error', () => undefined)
  return new Promise(resolve => {
    socket.once('unexpected-response', (_, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    })
    socket.once('open', () => {
      resolve(101)
      socket.terminate()
    })
  })
}

/** Follows over server-sent events; throws when it is refused. */
export async function followEvents(
  url: string,
  token: string,
  lastEventId?: string,
  origin?: string,
): Promise<Follower & { headers: Headers }> {
  const ending = new AbortController()
  const response = await fetch(`${url}/api/orders/notifications`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      ...(origin === undefined ? {} : { origin }),
    },
    signal: ending.signal,
  })
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status}`)
  const messages: Update[] = []
  const closed = readEvents(response.body, messages).catch(() => 0)
  return {
    ...listener(messages),
    headers: response.headers,
    say: () => undefined,
    stopReading: () => undefined,
    startReading: () => undefined,
    cut: () => ending.abort(),
    closed,
    why: closed.then(() => ''),
  }
}

async function readEvents(body: ReadableStream<Uint8Array>, messages: Update[]): Promise<number> {
  let text = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(
        block
          .split('\n')
          .map(line => [line.slice(0, line.indexOf(':')), line.replace(/^\w*: ?/, '')]),
      )
      const data = fields.get('data')
      if (data === undefined) continue
      const message: Update = JSON.parse(data)
      if (message.position !== fields.get('id')) throw new Error(`id and position differ: ${block}`)
      messages.push(message)
    }
  }
  return 1
}

function listener(messages: Update[]) {
  const checked = () => {
    for (const message of messages) assertDeclared(message.type, 'payload', message)
    return messages
  }
  return {
    messages,
    updates: () => messages.filter(({ type }) => type === 'order_update'),
    hears: (what: string, fits: (update: Update) => boolean) =>
      waitFor(what, () => checked().find(fits), 10_000),
  }
}
