// The auditor finds nothing in good books, and each kind of fault that is planted in them.

import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import type { AppEvent } from '../../src/domain/index.ts'
import { startOfLog } from '../../src/kit/position.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { auditLog } from '../../src/workers/audit/audit.ts'
import type { CheckResult } from '../../src/workers/audit/logCheck.ts'
import { writePartitions } from '../../src/workers/audit/partitionedLog.ts'
import { atRest, findings, found, wholeLog } from '../support/auditing.ts'
import { delivery, gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { moved } from '../support/positions.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let log: RecordedEvent[]
let productId = ''
let person: Person
const ids = { pending: '', paid: '', shipped: '', cancelled: '' }

beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 100 })).id
  for (const name of ['pending', 'paid', 'shipped', 'cancelled'] as const) {
    ids[name] = (await newOrder(person, productId, 2)).body.orderId
    if (name !== 'pending') await person.client.post(`/orders/${ids[name]}/pay`)
  }
  await moveOrder(app, ids.shipped, 'shipped')
  await person.client.post(`/orders/${ids.cancelled}/cancel`)
  await person.client.post('/cart/items', { productId, quantity: 1 })
  await person.client.post('/orders', delivery)
  await atRest(app.back)
  log = await wholeLog(app.back)
})
afterAll(() => app?.close())

const inAnHour = new Date(Date.now() + 3_600_000)

async function auditOf(events: readonly RecordedEvent[], parts = 1) {
  const readAll = async function* () {
    yield* events
  }
  const { codec } = app.back
  return auditLog({ eventStore: { readAll }, codec }, inAnHour, parts)
}

/** Of many findings the first are kept, and in parts these are others. */
const comparable = ({ check, count, examined, findings: first }: CheckResult) => ({
  check,
  count,
  examined,
  findings: count > 20 ? first.length : first.toSorted(),
})

/** The log with one more event, as if somebody had appended it. */
async function withEvent(stream: string, event: AppEvent): Promise<RecordedEvent[]> {
  const envelope = systemEnvelope('x', new Date())
  const encoded = await app.back.codec.encode(event, randomUUID(), envelope, randomUUID())
  const revision = log.filter(each => each.stream === stream).length
  const position = moved(log.at(-1)?.position ?? startOfLog, 1)
  return [...log, { ...encoded, stream, revision, position, recordedAt: new Date() }]
}

const without = (orderId: string, type: string) =>
  renumbered(
    log.filter(event => event.type !== type || !JSON.stringify(event.data).includes(orderId)),
  )

/** As if what is missing had never been: revisions count on without a gap. */
function renumbered(events: readonly RecordedEvent[]): RecordedEvent[] {
  const next = new Map<string, number>()
  return events.map(event => {
    const revision = next.get(event.stream) ?? 0
    next.set(event.stream, revision + 1)
    return { ...event, revision }
  })
}

const changed = (type: string, change: (event: RecordedEvent) => Partial<RecordedEvent>) => {
  const index = log.findLastIndex(event => event.type === type)
  return log.map((event, at) => (at === index ? { ...event, ...change(event) } : event))
}

const orderStream = (name: keyof typeof ids) => `order-${ids[name]}`
const payment = () => ({ paymentId: randomUUID(), provider: 'manual', reference: 'x' })

describe('good books', () => {
  it('have no findings', async () => {
    expect(await findings(app.back)).toEqual([])
    expect(found(await auditOf(log))).toEqual([])
    expect(log.length).toBeGreaterThan(100)
  })
})

describe('a log that is checked in parts', () => {
  it('is read once, decoded once, and leaves no file behind', async () => {
    const before = await temporaryFiles()
    const reads = { all: 0, decoded: 0 }
    const { codec } = app.back
    const readAll = async function* () {
      reads.all += 1
      yield* log
    }
    const counting = {
      decode: (recorded: RecordedEvent) => {
        reads.decoded += 1
        return codec.decode(recorded)
      },
    }
    const results = await auditLog({ eventStore: { readAll }, codec: counting }, inAnHour, 50)
    expect(found(results)).toEqual([])
    expect(reads).toEqual({ all: 1, decoded: log.length })
    expect(await temporaryFiles()).toEqual(before)
  })

  it('is written to temporary files without personal text', async () => {
    const lines: string[] = []
    const add = async (_: number, line: string) => void lines.push(line)
    const spill = { add, flush: async () => undefined, read: async function* () {} }
    for (const recorded of log) {
      await writePartitions(spill, 3, { recorded, event: await app.back.codec.decode(recorded) })
    }
    const text = lines.join('\n')
    expect(text).toContain(ids.paid)
    expect(text).not.toContain(person.email)
    expect(text).not.toContain(delivery.shippingAddress)
  })
})

const temporaryFiles = async () =>
  (await readdir(tmpdir())).filter(name => name.startsWith('orderstream-audit-'))

describe('in the log the auditor finds', () => {
  it.each<[string, () => Promise<RecordedEvent[]> | RecordedEvent[], RegExp]>([
    [
      'a gap in a stream',
      () => log.filter(each => each.type !== 'PaymentRequested'),
      /no gap: OrderPaid \(order-.*\) comes where 3 is due/,
    ],
    [
      'an event that is there twice',
      () => changed('OrderShipped', () => ({ id: log[0]?.id ?? '' })),
      /in the log once: OrderShipped .* has the id of/,
    ],
    ['positions out of order', () => log.toReversed(), /positions rise: /],
    [
      'an event of an unknown type',
      () => changed('OrderShipped', () => ({ type: 'OrderLost' })),
      /can be read/,
    ],
    [
      'an event with another payload',
      () => changed('OrderShipped', () => ({ data: {} })),
      /can be read/,
    ],
    [
      'what was sealed and then changed',
      () =>
        changed('CustomerRegistered', each => ({ metadata: { ...each.metadata, sealed: 'x' } })),
      /can be read/,
    ],
    [
      'an illegal step',
      () =>
        withEvent(orderStream('pending'), {
          type: 'OrderDelivered',
          data: { orderId: ids.pending },
        }),
      /legal steps: OrderDelivered .* from pending to delivered/,
    ],
    [
      'a step taken twice',
      () =>
        withEvent(orderStream('shipped'), {
          type: 'OrderShipped',
          data: { orderId: ids.shipped, tracking: null },
        }),
      /legal steps: OrderShipped .* from shipped to shipped/,
    ],
    [
      'an order that was never submitted',
      () => withEvent(`order-${productId}`, { type: 'OrderPlaced', data: { orderId: productId } }),
      /begin with their submission: OrderPlaced .* has none before it/,
    ],
    [
      'an order that stays submitted',
      () => without(ids.pending, 'OrderPlaced'),
      /neither placed nor rejected/,
    ],
    [
      'a second payment',
      () =>
        withEvent(orderStream('paid'), {
          type: 'OrderPaid',
          data: { orderId: ids.paid, ...payment(), amount: gbp(850) },
        }),
      /each step once: OrderPaid .* comes after OrderPaid/,
    ],
    [
      'a payment of another amount',
      () => changed('OrderPaid', each => ({ data: { ...each.data, amount: gbp(1) } })),
      /captures 1 of/,
    ],
    [
      'a refund beyond the capture',
      () =>
        withEvent(orderStream('paid'), {
          type: 'OrderRefunded',
          data: { orderId: ids.paid, refundId: randomUUID(), amount: gbp(851), reason: 'x' },
        }),
      /money is conserved: OrderRefunded .* makes it 851 paid back of 850/,
    ],
    [
      'a cart that was not emptied',
      () => renumbered(log.filter(each => each.type !== 'CartCheckedOut')),
      /Order .* is pending, and its cart .* still has what it bought/,
    ],
    [
      'a cart emptied twice',
      () => {
        const event = log.find(each => each.type === 'CartCheckedOut')
        return event ? [...log, event] : log
      },
      /emptied once an order: CartCheckedOut .* comes after CartCheckedOut/,
    ],
    [
      'stock below zero',
      () =>
        withEvent(`stock-${productId}`, {
          type: 'StockAdjusted',
          data: { productId, delta: -1_000, reason: 'lost' },
        }),
      /leaves -/,
    ],
    [
      'more promised than there is',
      () =>
        withEvent(`stock-${productId}`, {
          type: 'StockReserved',
          data: { productId, orderId: randomUUID(), quantity: 1_000 },
        }),
      /promised twice: StockReserved .* leaves/,
    ],
    [
      'pieces reserved twice',
      () =>
        withEvent(`stock-${productId}`, {
          type: 'StockReserved',
          data: { productId, orderId: ids.paid, quantity: 2 },
        }),
      /StockReserved .* keeps pieces again for order/,
    ],
    [
      'a reservation settled twice',
      () =>
        withEvent(`stock-${productId}`, {
          type: 'ReservationCommitted',
          data: { productId, orderId: ids.shipped, quantity: 2 },
        }),
      /ReservationCommitted .* ends a reservation of 2 where order \S+ has 0/,
    ],
    [
      'an orphaned reservation',
      () => without(ids.cancelled, 'ReservationReleased'),
      /open orders only: Product .* keeps 2 for order .*, which is cancelled/,
    ],
    [
      'an order without its reservation',
      () => without(ids.paid, 'StockReserved'),
      /what is ordered is kept: Nothing of product .*, which is paid/,
    ],
  ])('%s', async (_, plant, finding) => {
    const events = await plant()
    const whole = await auditOf(events)
    expect(found(whole).join('\n')).toMatch(finding)
    // And where the log is checked in parts, one after another: of each check as much.
    const parts = await auditOf(events, 7)
    expect(parts.map(comparable)).toEqual(whole.map(comparable))
  })
})
