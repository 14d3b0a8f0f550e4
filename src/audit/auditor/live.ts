// Live messages: a customer receives each change of their own orders once, in order, and no other.
import { type Check, type Follower, type LogEvent, named, type Report } from './evidence.ts'
import type { OrderBook } from './orders.ts'

const notifiedTypes = new Set(['OrderPaid', 'OrderShipped', 'OrderCancelled'])

export function liveChecks(book: OrderBook, report: Report): Check {
  const due: LogEvent[] = []
  return {
    see(event) {
      if (event.source !== undefined) return
      if (notifiedTypes.has(event.type) && event.stream.startsWith('order-')) due.push(event)
    },
    examined: () => ({}),
    conclude({ live = [], isAtRest, unreadable }) {
      const readable = due.filter(({ stream }) => unreadable?.has(stream) !== true)
      for (const follower of live) {
        checkReceived(follower, book, report)
        if (isAtRest) missed(follower, { book, due: readable }, report)
      }
    },
  }
}

function checkReceived(
  { name, customerId, received: all }: Follower,
  book: OrderBook,
  report: Report,
): void {
  let last = 0
  for (const { position, orderId } of all) {
    if (position <= last) {
      report('live messages come once and in order', `${name} heard ${position} after ${last}.`)
    }
    last = position
    if (book.orders.get(orderId)?.customerId === customerId) continue
    report('nobody hears of orders of others', `${name} heard of order ${orderId}.`)
  }
}

function missed(
  { name, customerId, since, received: all }: Follower,
  { book, due }: { book: OrderBook; due: readonly LogEvent[] },
  report: Report,
): void {
  const positions = new Set(all.map(({ position }) => position))
  for (const event of due) {
    const order = book.orders.get(event.stream.slice('order-'.length))
    const isOwn = order?.customerId === customerId && event.position > since
    if (!isOwn || positions.has(event.position)) continue
    report('no live message is lost', `${name} did not hear of ${named(event)}.`)
  }
}
