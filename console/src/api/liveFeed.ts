// The order events as they happen: one WebSocket that comes back by itself and misses nothing.
import { ask } from './request.ts'
import type { OrderUpdate } from './shapes.ts'

export type FeedState = 'connecting' | 'live' | 'waiting'

export interface Feed {
  state: FeedState
  /** The newest first. */
  updates: readonly OrderUpdate[]
}

const entriesMax = 200
const waitsMs = [500, 1_000, 2_000, 5_000, 10_000]

/** Follows until stopped; `onChange` receives the whole feed after each change. */
export function followOrders(onChange: (feed: Feed) => void): () => void {
  let feed: Feed = { state: 'connecting', updates: [] }
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOver = false
  let failures = 0
  const change = (part: Partial<Feed>) => {
    feed = { ...feed, ...part }
    if (!isOver) onChange(feed)
  }
  const retry = () => {
    if (isOver) return
    change({ state: 'waiting' })
    timer = setTimeout(open, waitsMs[Math.min(failures, waitsMs.length - 1)])
    failures += 1
  }
  const receive = (message: { type: string } | OrderUpdate) => {
    if (message.type === 'subscribed') {
      failures = 0
      change({ state: 'live' })
    }
    if (!('orderId' in message)) return
    const known = feed.updates.some(({ position }) => position === message.position)
    if (!known) change({ updates: [message, ...feed.updates].slice(0, entriesMax) })
  }
  const open = async () => {
    try {
      const options = { method: 'POST', background: true } as const
      const { body } = await ask<{ ticket: string }>('/auth/tickets', options)
      if (isOver) return
      const address = new URL('/ws/orders/notifications', location.href)
      address.protocol = address.protocol.replace('http', 'ws')
      socket = new WebSocket(address, ['ticket', body.ticket])
      const opened = socket
      opened.addEventListener('open', () => {
        opened.send(JSON.stringify({ subscribe: 'orders:all' }))
        const [newest] = feed.updates
        if (newest) opened.send(JSON.stringify({ resume: newest.position }))
      })
      opened.addEventListener('message', ({ data }) => receive(JSON.parse(data)))
      opened.addEventListener('close', retry)
    } catch {
      retry()
    }
  }
  open()
  return () => {
    isOver = true
    clearTimeout(timer)
    socket?.close()
  }
}
