// Holds a shop to its promises from outside: its own SQL, its own fold of the log, and what the
// clients were told. Nothing of src decides here.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Traffic } from '../support/orderTraffic.ts'
import type { LiveClient } from './liveClients.ts'

interface LogEvent {
  position: number
  stream: string
  revision: number
  type: string
  data: Record<string, unknown>
}

export interface Evidence {
  databaseUrl: string
  mailFolder: string
  traffic: Traffic
  live: readonly LiveClient[]
  /** How often a process was killed or stopped: each may send some mails twice. */
  deaths: number
}

/** Every promise that was broken, in plain words; an empty list when none was. */
export async function auditFromOutside(evidence: Evidence): Promise<string[]> {
  const client = new pg.Client({ connectionString: evidence.databaseUrl })
  await client.connect()
  try {
    const log = await readLog(client)
    return [
      ...gaps(log),
      ...wrongOrders(log, evidence.traffic),
      ...(await wrongNumbers(client)),
      ...wrongStock(log),
      ...(await wrongMoney(client, log)),
      ...(await wrongReadModels(client, log)),
      ...(await wrongMails(log, evidence)),
      ...evidence.live.flatMap(each => wrongMessages(log, each)),
    ]
  } finally {
    await client.end()
  }
}

async function readLog(client: pg.Client): Promise<LogEvent[]> {
  const { rows } = await client.query<{ [K in keyof LogEvent]: string }>(
    'select position, stream, revision, type, data::text from eventstore.events order by position',
  )
  return rows.map(row => ({
    position: Number(row.position),
    stream: row.stream,
    revision: Number(row.revision),
    type: row.type,
    data: JSON.parse(row.data),
  }))
}

function gaps(log: readonly LogEvent[]): string[] {
  const next = new Map<string, number>()
  return log.flatMap(({ position, stream, revision }, index) => {
    const expected = next.get(stream) ?? 0
    next.set(stream, revision + 1)
    return [
      ...(position === index + 1 ? [] : [`position ${position} follows ${index}`]),
      ...(revision === expected
        ? []
        : [`${stream} has revision ${revision} after ${expected - 1}`]),
    ]
  })
}

const orderOf = ({ data }: LogEvent) => String(data.orderId)

function wrongOrders(log: readonly LogEvent[], traffic: Traffic): string[] {
  const count = new Map<string, Map<string, number>>()
  const placedBy = new Map<string, number>()
  const ownerOf = new Map<string, string>()
  for (const event of log.filter(({ stream }) => stream.startsWith('order-'))) {
    const types = count.get(orderOf(event)) ?? new Map<string, number>()
    types.set(event.type, (types.get(event.type) ?? 0) + 1)
    count.set(orderOf(event), types)
    if (event.type === 'OrderSubmitted') {
      ownerOf.set(orderOf(event), String(event.data.customerId))
    }
    if (event.type === 'OrderPlaced') {
      const owner = ownerOf.get(orderOf(event)) ?? ''
      placedBy.set(owner, (placedBy.get(owner) ?? 0) + 1)
    }
  }
  const eventOf = { paid: 'OrderPaid', shipped: 'OrderShipped', cancelled: 'OrderCancelled' }
  const findings = traffic.placed.flatMap(({ orderId, done }) => {
    const types = count.get(orderId)
    if (types?.get('OrderPlaced') !== 1) return [`acknowledged order ${orderId} is not placed once`]
    return Object.entries(eventOf)
      .filter(([step, type]) => done.includes(step) && types.get(type) !== 1)
      .map(
        ([step, type]) => `${orderId} was told "${step}" and has ${types.get(type) ?? 0} ${type}`,
      )
  })
  const ids = traffic.placed.map(({ orderId }) => orderId)
  if (new Set(ids).size < ids.length) findings.push('two requests were answered with one order')
  for (const [orderId, types] of count) {
    for (const once of ['OrderSubmitted', 'OrderPlaced', 'OrderPaid', 'OrderShipped']) {
      const times = types.get(once) ?? 0
      if (times > 1) findings.push(`order ${orderId} has ${times} ${once}`)
    }
  }
  const acknowledged = traffic.placed.length
  const placed = [...placedBy.values()].reduce((sum, each) => sum + each, 0)
  if (placed < acknowledged || placed > acknowledged + traffic.abandoned) {
    findings.push(`${placed} orders, ${acknowledged} acknowledged, ${traffic.abandoned} abandoned`)
  }
  return findings
}

/**
 * Each number is of one order, and higher than those of orders that were in the log a second before
 * it was asked for.
 */
async function wrongNumbers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ finding: string }>(`
    with numbered as (
      select data ->> 'orderNumber' as number, recorded_at,
        (metadata ->> 'at')::timestamptz as asked_at,
        left(replace(data ->> 'orderNumber', '-', ''), -1)::bigint as serial
      from eventstore.events where type = 'OrderSubmitted'
    )
    select number || ' is the number of ' || count(*) || ' orders' as finding
    from numbered group by number having count(*) > 1
    union all
    select later.number || ' was given a second after ' || earlier.number
    from numbered earlier join numbered later
      on later.asked_at >= earlier.recorded_at + interval '1 second'
      and later.serial < earlier.serial
  `)
  return rows.map(({ finding }) => finding)
}

interface Shelf {
  onHand: number
  /** Pieces by the order that they are kept for. */
  held: Map<string, number>
}

/** Folds stock by hand: on hand and reserved, at every event. */
function wrongStock(log: readonly LogEvent[]): string[] {
  const shelves = new Map<string, Shelf>()
  const findings: string[] = []
  for (const event of log.filter(({ stream }) => stream.startsWith('stock-'))) {
    const shelf = shelves.get(event.stream) ?? { onHand: 0, held: new Map<string, number>() }
    shelves.set(event.stream, shelf)
    const where = `${event.stream} at ${event.position}`
    if (!moveStock(shelf, event)) findings.push(`${where}: ${event.type} does not fit`)
    const promised = [...shelf.held.values()].reduce((sum, each) => sum + each, 0)
    if (shelf.onHand < 0 || promised > shelf.onHand) {
      findings.push(`${where} has ${shelf.onHand} and has promised ${promised}`)
    }
  }
  const status = statuses(log)
  for (const [stream, { held }] of shelves) {
    for (const order of held.keys()) {
      const is = status.get(order)
      if (is !== 'pending' && is !== 'paid') findings.push(`${stream} is held for a ${is} order`)
    }
  }
  return findings
}

/** Whether the movement fits what went before. */
function moveStock(shelf: Shelf, event: LogEvent): boolean {
  const { type, data } = event
  const order = orderOf(event)
  const quantity = Number(data.quantity)
  if (type === 'StockAdjusted') shelf.onHand += Number(data.delta)
  if (type === 'StockReserved') {
    const isNew = !shelf.held.has(order)
    shelf.held.set(order, quantity)
    return isNew
  }
  if (type !== 'ReservationReleased' && type !== 'ReservationCommitted') return true
  const fits = shelf.held.get(order) === quantity
  shelf.held.delete(order)
  if (type === 'ReservationCommitted') shelf.onHand -= quantity
  return fits
}

const statusAfter: Record<string, string> = {
  OrderSubmitted: 'submitted',
  OrderPlaced: 'pending',
  OrderRejected: 'rejected',
  OrderPaid: 'paid',
  OrderShipped: 'shipped',
  OrderDelivered: 'delivered',
  OrderCancelled: 'cancelled',
  OrderExpired: 'expired',
}

function statuses(log: readonly LogEvent[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const event of log) {
    const status = statusAfter[event.type]
    if (status !== undefined && event.stream.startsWith('order-')) found.set(orderOf(event), status)
  }
  return found
}

async function wrongMoney(client: pg.Client, log: readonly LogEvent[]): Promise<string[]> {
  const { rows } = await client.query<{ payment_id: string; order_id: string; status: string }>(
    'select payment_id, order_id, status from shop.simulated_payments',
  )
  const captured = rows.filter(({ status }) => status === 'captured')
  const booked = new Set(
    log.flatMap(({ type, data }) => (type === 'OrderPaid' ? [String(data.paymentId)] : [])),
  )
  const late = new Set(
    log.flatMap(({ type, data }) => (type.startsWith('LatePay') ? [String(data.paymentId)] : [])),
  )
  const perOrder = new Map<string, number>()
  for (const { order_id } of captured) perOrder.set(order_id, (perOrder.get(order_id) ?? 0) + 1)
  return [
    ...captured
      .filter(({ payment_id }) => !booked.has(payment_id) && !late.has(payment_id))
      .map(({ order_id }) => `money taken for ${order_id} is not in the log`),
    ...[...perOrder].filter(([, times]) => times > 1).map(([id]) => `${id} was charged twice`),
  ]
}

async function wrongReadModels(client: pg.Client, log: readonly LogEvent[]): Promise<string[]> {
  const expected = statuses(log)
  const { rows } = await client.query<{ order_id: string; status: string }>(
    'select order_id, status from readmodel.orders',
  )
  const shown = new Map(rows.map(({ order_id, status }) => [order_id, status]))
  const { rows: parked } = await client.query<{ name: string; stream: string }>(
    'select name, stream from shop.parked_events',
  )
  return [
    ...[...expected]
      .filter(([orderId, status]) => shown.get(orderId) !== status)
      .map(([orderId, status]) => `${orderId} is ${status} and shown as ${shown.get(orderId)}`),
    ...[...shown.keys()]
      .filter(orderId => !expected.has(orderId))
      .map(orderId => `${orderId} is shown and not in the log`),
    ...parked.map(({ name, stream }) => `${stream} is parked for ${name}`),
  ]
}

const mailOf: Record<string, string> = {
  OrderPlaced: 'order-placed',
  OrderPaid: 'order-paid',
  OrderShipped: 'order-shipped',
  OrderCancelled: 'order-cancelled',
}

/** Message-IDs of what was sent: the event's id and the template. */
async function wrongMails(log: readonly LogEvent[], evidence: Evidence): Promise<string[]> {
  const files = (await readdir(evidence.mailFolder)).filter(name => name.endsWith('.eml'))
  const texts = await Promise.all(
    files.map(name => readFile(join(evidence.mailFolder, name), 'utf8')),
  )
  const sent = new Map<string, number>()
  for (const text of texts) {
    const id = /^Message-ID:\s+<([^>@]+)@/im.exec(text)?.[1] ?? 'none'
    sent.set(id, (sent.get(id) ?? 0) + 1)
  }
  const templates = [...sent.keys()].map(id => id.slice(id.indexOf('.') + 1))
  const findings = Object.entries(mailOf).flatMap(([type, template]) => {
    const due = log.filter(event => event.type === type).length
    const different = templates.filter(each => each === template).length
    return due === different ? [] : [`${due} ${type} and ${different} mails "${template}"`]
  })
  const twice = [...sent.values()].reduce((sum, times) => sum + times - 1, 0)
  if (twice > evidence.deaths * 3) {
    findings.push(`${twice} mails went out twice in ${evidence.deaths} deaths`)
  }
  return findings
}

const told = new Set(['OrderPaid', 'OrderShipped', 'OrderCancelled'])

/** What one client has heard is what happened to its orders, in order, once. */
function wrongMessages(log: readonly LogEvent[], client: LiveClient): string[] {
  const mine = new Set(
    log
      .filter(
        ({ type, data }) => type === 'OrderSubmitted' && data.customerId === client.customerId,
      )
      .map(orderOf),
  )
  const heard = client.messages.map(({ position }) => Number(position))
  const positions = new Set(heard)
  const findings = heard.flatMap((position, index) => {
    const before = heard[index - 1]
    return before !== undefined && position <= before
      ? [`${client.name} heard ${position} after ${before}`]
      : []
  })
  const strange = client.messages.filter(({ orderId }) => !mine.has(orderId)).length
  if (strange > 0) findings.push(`${client.name} heard of ${strange} orders of others`)
  for (const event of log) {
    const isDue = told.has(event.type) && mine.has(orderOf(event))
    if (isDue && event.position > client.since && !positions.has(event.position)) {
      findings.push(`${client.name} did not hear of ${event.type} at ${event.position}`)
    }
  }
  return findings
}
