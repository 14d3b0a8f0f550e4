// Clients that follow their orders over WebSocket, and come back where they were cut off.
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Customer } from '../support/orderTraffic.ts'

interface Message {
  type: string
  position: string
  orderId: string
}

export interface LiveClient {
  name: string
  customerId: string
  /** Everything after this position has to be heard. */
  since: number
  messages: Message[]
  /** How often it had to start anew because the server could not go on from its position. */
  resyncs: number
  connections: number
  stop(): Promise<void>
}

/** Follows until told to stop, on any node, from `since` on. */
export function followLive(customer: Customer, node: () => string, since: number): LiveClient {
  const stopping = new AbortController()
  const client: LiveClient = {
    name: `live client of ${customer.id}`,
    customerId: customer.id,
    since,
    messages: [],
    resyncs: 0,
    connections: 0,
    stop: async () => {
      stopping.abort()
      await following
    },
  }
  const following = follow(client, { token: customer.token, node, signal: stopping.signal })
  return client
}

interface Following {
  token: string
  node: () => string
  signal: AbortSignal
}

async function follow(client: LiveClient, { token, node, signal }: Following): Promise<void> {
  while (!signal.aborted) {
    await connection(client, new WebSocket(address(node()), ['bearer', token]), signal)
    await pause(200)
  }
}

const address = (url: string) => `${url.replace('http', 'ws')}/ws/orders/notifications`

/** One connection from its first to its last message; a silent server is left after a while. */
function connection(client: LiveClient, socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => socket.terminate()
    signal.addEventListener('abort', end)
    let isHeard = Date.now()
    const watch = setInterval(() => {
      if (Date.now() - isHeard > 45_000) end()
    }, 1_000)
    const hear = () => {
      isHeard = Date.now()
    }
    socket.on('open', () => {
      client.connections += 1
      const last = client.messages.at(-1)?.position ?? String(client.since)
      socket.send(JSON.stringify({ resume: last }))
    })
    socket.on('ping', hear)
    socket.on('message', data => {
      hear()
      const message: Message = JSON.parse(String(data))
      if (message.type === 'order_update') client.messages.push(message)
      if (message.type === 'resync') client.resyncs += 1
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(watch)
      signal.removeEventListener('abort', end)
      resolve()
    })
  })
}
