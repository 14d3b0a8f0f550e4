// What follows from an event happens once: its mail, its webhook, its place in the read models, its
// message to who follows live.
import { amount, type Check, type Evidence, type LogEvent, named, type Report } from './evidence.ts'
import type { OrderBook } from './orders.ts'

const templates: Readonly<Record<string, string>> = {
  OrderPlaced: 'order-placed',
  OrderPaid: 'order-paid',
  OrderShipped: 'order-shipped',
  OrderDelivered: 'order-delivered',
  OrderCancelled: 'order-cancelled',
  OrderExpired: 'order-expired',
  OrderRefunded: 'order-refunded',
}

/** Events of orders that the shop's partners hear of. */
const sent = new Set(Object.keys(templates))

export function effectChecks(book: OrderBook, report: Report): Check {
  const due = new Map<string, LogEvent>()
  const events = new Map<string, LogEvent>()
  return {
    see(event) {
      events.set(event.id, event)
      if (templates[event.type] === undefined || event.source !== undefined) return
      if (event.type === 'OrderPaid' && amount(event, 'amount') === 0) return
      due.set(event.id, event)
    },
    conclude(evidence) {
      if (evidence.mails !== undefined) mails(evidence, due, report)
      if (evidence.webhooks !== undefined) webhooks(evidence, { due, events }, report)
      if (evidence.orders !== undefined) readModel(evidence, book, report)
    },
  }
}

function mails(evidence: Evidence, due: ReadonlyMap<string, LogEvent>, report: Report): void {
  const written = new Set<string>()
  for (const { eventId, template } of evidence.mails ?? []) {
    const event = due.get(eventId)
    if (event === undefined || templates[event.type] !== template) {
      report(
        'a mail has its event',
        `A mail "${template}" is about ${eventId}, which asks for none.`,
      )
    }
    if (written.has(eventId)) {
      report('a mail is written once', `"${template}" of ${event && named(event)} is there twice.`)
    }
    written.add(eventId)
  }
  if (!evidence.isAtRest) return
  for (const [eventId, event] of due) {
    if (written.has(eventId) || evidence.unreadable?.has(event.stream)) continue
    report('no mail is forgotten', `${named(event)} has no mail "${templates[event.type]}".`)
  }
}

function webhooks(
  evidence: Evidence,
  { due, events }: { due: ReadonlyMap<string, LogEvent>; events: ReadonlyMap<string, LogEvent> },
  report: Report,
): void {
  const delivered = new Map<string, number>()
  for (const { eventId, endpoint } of evidence.webhooks ?? []) {
    const event = events.get(eventId)
    const times = (delivered.get(eventId) ?? 0) + 1
    delivered.set(eventId, times)
    if (event === undefined) {
      report('a webhook has its event', `${endpoint} is told of ${eventId}, which is not there.`)
    } else if (times > 1) {
      report('a webhook is sent once', `${endpoint} is told ${times} times of ${named(event)}.`)
    }
  }
  if (!evidence.isAtRest) return
  for (const [eventId, event] of due) {
    if (!sent.has(event.type) || delivered.has(eventId)) continue
    if (evidence.unreadable?.has(event.stream)) continue
    report('no webhook is forgotten', `Nobody is told of ${named(event)}.`)
  }
}

/** At rest the list of orders shows each of them as the log has it. */
function readModel(evidence: Evidence, book: OrderBook, report: Report): void {
  if (!evidence.isAtRest) return
  const shown = new Map([...(evidence.orders ?? [])].map(each => [each.orderId, each.status]))
  for (const { orderId, status } of book.orders.values()) {
    if (evidence.unreadable?.has(`order-${orderId}`)) continue
    if (shown.get(orderId) === status) continue
    const says = `Order ${orderId} is ${status}, and shown as ${shown.get(orderId) ?? 'nothing'}.`
    report('read models equal the log', says)
  }
  for (const orderId of shown.keys()) {
    if (book.orders.has(orderId)) continue
    report('read models equal the log', `Order ${orderId} is shown and not in the log.`)
  }
}
