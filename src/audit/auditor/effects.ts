// What follows from an event happens once: its mail, its webhook, its place in the read models, its
// message to who follows live.
import {
  amount,
  type Check,
  type Delivery,
  type Endpoint,
  type LogEvent,
  named,
  type Observations,
  type Place,
  type Report,
  type Scope,
  text,
} from './evidence.ts'
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

const oneMail = 'a mail is written once'
const mailOfEvent = 'a mail has its event'
const everyMail = 'no mail is forgotten'
const oneWebhook = 'a webhook is sent once'
const webhookOfEvent = 'a webhook has its event'
const everyWebhook = 'no webhook is forgotten'
const goesOut = 'what is queued goes out'
const asShown = 'read models equal the log'

/** Of whom a mail or a webhook is due to somebody; others are known by their places. */
interface Effects {
  due: ReadonlyMap<string, LogEvent>
  /** Of orders of 0.00: an earlier release wrote about their payment, too. */
  mayBeMailed: ReadonlySet<string>
  events: ReadonlyMap<string, Omit<Place, 'id'>>
}

export function effectChecks(book: OrderBook, report: Report, scope: Scope): Check {
  const due = new Map<string, LogEvent>()
  const mayBeMailed = new Set<string>()
  const events = new Map<string, Omit<Place, 'id'>>()
  const examined = { mails: 0, webhooks: 0, orders: 0 }
  const pass = ({ id, type, stream, revision, position }: Place) => {
    if (scope.has(id)) events.set(id, { type, stream, revision, position })
  }
  return {
    skip: pass,
    see(event) {
      pass(event)
      if (!scope.has(event.id)) return
      if (templates[event.type] === undefined || event.source !== undefined) return
      if (event.type === 'OrderPaid' && amount(event, 'amount') === 0) mayBeMailed.add(event.id)
      else due.set(event.id, event)
    },
    conclude(observations) {
      const effects = { due, mayBeMailed, events }
      if (observations.mails !== undefined) examined.mails = mails(observations, effects, report)
      if (observations.webhooks !== undefined)
        examined.webhooks = webhooks(observations, effects, report)
      if (observations.orders !== undefined) examined.orders = readModel(observations, book, report)
    },
    examined: () => ({
      [oneMail]: examined.mails,
      [mailOfEvent]: examined.mails,
      [everyMail]: due.size,
      [oneWebhook]: examined.webhooks,
      [webhookOfEvent]: examined.webhooks,
      [everyWebhook]: due.size,
      [goesOut]: examined.mails + examined.webhooks,
      [asShown]: examined.orders,
    }),
  }
}

/** Gives how many there are. */
function mails(
  observations: Observations,
  { due, mayBeMailed, events }: Effects,
  report: Report,
): number {
  const written = new Set<string>()
  let count = 0
  for (const { eventId, template, orderId, isStuck } of observations.mails ?? []) {
    count += 1
    const place = events.get(eventId)
    const event = due.get(eventId)
    const isDue = event !== undefined || mayBeMailed.has(eventId)
    const of = place === undefined ? `${eventId}, which is not in the log` : named(place)
    if (!isDue || templates[place?.type ?? ''] !== template) {
      report(mailOfEvent, `A mail "${template}" is there about ${of}, which asks for none.`)
    } else if (event && orderId !== undefined && orderId !== text(event, 'orderId')) {
      report(mailOfEvent, `The mail "${template}" of ${of} is about another order, ${orderId}.`)
    }
    const key = `${eventId} ${template}`
    if (written.has(key)) report(oneMail, `The mail "${template}" of ${of} is there twice.`)
    written.add(key)
    if (isStuck) report(goesOut, `The mail "${template}" of ${of} is queued and not sent.`)
  }
  if (observations.isAtRest) forgottenMails(observations, { due, written }, report)
  return count
}

function forgottenMails(
  observations: Observations,
  { due, written }: Pick<Effects, 'due'> & { written: ReadonlySet<string> },
  report: Report,
): void {
  for (const [eventId, event] of due) {
    const template = templates[event.type]
    if (written.has(`${eventId} ${template}`) || isLeftOut(event, observations)) continue
    report(everyMail, `${named(event)} has no mail "${template}": it was never queued.`)
  }
}

function isLeftOut({ stream, position }: LogEvent, { unreadable, reached }: Observations): boolean {
  return unreadable?.has(stream) || position > (reached?.mails ?? Number.POSITIVE_INFINITY)
}

/** Gives how many there are. */
function webhooks(observations: Observations, { due, events }: Effects, report: Report): number {
  const delivered = new Map<string, number>()
  const announced = new Set<string>()
  const endpoints = observations.endpoints === undefined ? undefined : [...observations.endpoints]
  let count = 0
  for (const { eventId, endpoint, isStuck } of observations.webhooks ?? []) {
    count += 1
    announced.add(eventId)
    const place = events.get(eventId)
    const key = keyOf({ eventId, endpoint })
    const times = (delivered.get(key) ?? 0) + 1
    delivered.set(key, times)
    const of = place === undefined ? eventId : named(place)
    if (place === undefined) {
      report(webhookOfEvent, `${endpoint} is told of ${eventId}, which is not in the log.`)
    } else if (times > 1) {
      report(oneWebhook, `${endpoint} is told ${times} times of ${of}.`)
    }
    if (isStuck) report(goesOut, `The webhook to ${endpoint} of ${of} is queued and not sent.`)
  }
  if (!observations.isAtRest) return count
  for (const event of due.values()) {
    if (observations.unreadable?.has(event.stream)) continue
    if (endpoints !== undefined) forgotten(event, endpoints, delivered, report)
    else if (!announced.has(event.id)) report(everyWebhook, `Nobody is told of ${named(event)}.`)
  }
  return count
}

const keyOf = ({ eventId, endpoint }: Delivery) => `${eventId} ${endpoint}`

function forgotten(
  event: LogEvent,
  endpoints: readonly Endpoint[],
  delivered: ReadonlyMap<string, number>,
  report: Report,
): void {
  for (const { endpoint, wants } of endpoints) {
    if (delivered.has(keyOf({ eventId: event.id, endpoint })) || !wants(event)) continue
    report(everyWebhook, `${endpoint} is not told of ${named(event)}.`)
  }
}

/** The list of orders shows each of them as the log has it; gives how many it shows. */
function readModel(observations: Observations, book: OrderBook, report: Report): number {
  const shown = new Map([...(observations.orders ?? [])].map(each => [each.orderId, each]))
  if (!observations.isAtRest) return shown.size
  const reached = observations.reached?.orders ?? Number.POSITIVE_INFINITY
  for (const { orderId, status, paidBack, events } of book.orders.values()) {
    if (observations.unreadable?.has(`order-${orderId}`)) continue
    const last = events.at(-1)
    const row = shown.get(orderId)
    if (last === undefined || last.position > reached) continue
    if (row?.status !== status) {
      const is = `Order ${orderId} is ${status} with ${named(last)}`
      report(asShown, `${is}, and shown as ${row?.status ?? 'nothing'}.`)
    } else if (row.paidBack !== undefined && row.paidBack !== paidBack) {
      const is = `Of order ${orderId} ${paidBack} was paid back with ${named(last)}`
      report(asShown, `${is}, and ${row.paidBack} is shown.`)
    }
  }
  for (const orderId of shown.keys()) {
    if (book.orders.has(orderId) || observations.unreadable?.has(`order-${orderId}`)) continue
    report(asShown, `Order ${orderId} is shown and not in the log.`)
  }
  return shown.size
}
