// An event that cannot be handled parks its stream for that projection; everything else goes on.
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import type { AppEvent } from '../../src/domain/index.ts'
import type { NewEvent } from '../../src/ports/eventStore.ts'
import type { ReadEvent } from '../../src/projections/core/events.ts'
import type { EventProjection } from '../../src/projections/core/projection.ts'
import { ordersProjection } from '../../src/projections/order/orders.ts'
import { createProgress } from '../../src/workers/projector/progress.ts'
import { startProjector } from '../../src/workers/projector/projector.ts'
import { moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
const stops: (() => Promise<void>)[] = []
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(() => app?.close())

async function event(plain: AppEvent, change: Partial<NewEvent> = {}): Promise<NewEvent> {
  const envelope = systemEnvelope('test', new Date())
  return { ...(await app.back.codec.encode(plain, randomUUID(), envelope, person.id)), ...change }
}

const parked = async (name: string, stream: string) => {
  const { rows } = await app.back.pool.query<{ type: string; error: string }>(
    'select type, error from shop.parked_events where name = $1 and stream = $2 order by position',
    [name, stream],
  )
  return rows
}

const typesParked = async (name: string, stream: string) =>
  (await parked(name, stream)).map(({ type }) => type)

/** What every kind of poison has to leave intact: other orders move on and are seen to. */
async function expectLifeGoesOn() {
  const { orderId } = (await newOrder(person, productId)).body
  await person.client.post(`/orders/${orderId}/pay`)
  const shipped = await moveOrder(app, orderId, 'shipped')
  const { body } = await person.client.get(`/orders/${orderId}`, { after: shipped.body.position })
  expect(body.status).toBe('shipped')
}

describe('poison in the log', () => {
  it.each<[string, (orderId: string) => Promise<NewEvent>]>([
    [
      'a bad payload',
      id =>
        event({ type: 'OrderShipped', data: { orderId: id, tracking: null } }, { data: { x: 1 } }),
    ],
    [
      'no payload',
      id => event({ type: 'OrderShipped', data: { orderId: id, tracking: null } }, { data: {} }),
    ],
    [
      'no metadata',
      id =>
        event({ type: 'OrderShipped', data: { orderId: id, tracking: null } }, { metadata: {} }),
    ],
    [
      'a version that nobody knows',
      id =>
        event(
          { type: 'OrderShipped', data: { orderId: id, tracking: null } },
          { metadata: { v: -3 } },
        ),
    ],
    [
      'a seal that does not open',
      async id => {
        const plain = await event({
          type: 'DeliveryDetailsChanged',
          data: {
            orderId: id,
            customerId: person.id,
            delivery: { shippingAddress: 'here', phoneNumber: '1' },
          },
        })
        return { ...plain, metadata: { ...plain.metadata, sealed: 'broken' } }
      },
    ],
  ])('of %s parks its stream and no other', async (_, poison) => {
    const { orderId } = (await newOrder(person, productId)).body
    const stream = `order-${orderId}`
    const bad = await poison(orderId)
    const good = await event({
      type: 'OrderCancelled',
      data: { orderId, reason: 'x', refund: null },
    })
    await app.back.eventStore.append(stream, 'any', [bad])
    await app.back.eventStore.append(stream, 'any', [good])
    await waitFor('both to be parked', async () => (await parked('orders', stream)).length === 2)
    expect(await typesParked('orders', stream)).toEqual([bad.type, 'OrderCancelled'])
    const [first, second] = await parked('orders', stream)
    expect(first?.error).toMatch(/\S/)
    expect(second?.error).toBe('an earlier event is parked')
    const { rows } = await app.back.pool.query('select status from orders where order_id = $1', [
      orderId,
    ])
    expect(rows).toEqual([{ status: 'pending' }])
    await expectLifeGoesOn()
  })

  it('of a type that nobody knows is nobody’s business', async () => {
    const { orderId } = (await newOrder(person, productId)).body
    const strange = await event(
      { type: 'OrderShipped', data: { orderId, tracking: null } },
      { type: 'OrderEaten' },
    )
    await app.back.eventStore.append(`order-${orderId}`, 'any', [strange])
    await expectLifeGoesOn()
    expect(await parked('orders', `order-${orderId}`)).toEqual([])
  })

  it('is shown to those who run the shop', async () => {
    const { body } = await app.admin.client.get('/admin/projections')
    const orders = body.data.find(({ name }) => name === 'orders')
    expect(Number(orders?.parked)).toBeGreaterThanOrEqual(2)
  })
})

describe('a handler that throws', () => {
  const follow = (apply: (events: readonly ReadEvent[]) => Promise<void>, name: string) => {
    const { db, eventStore, codec } = app.back
    const plan: EventProjection['plan'] = async events => ({
      writes: [],
      work: () => apply(events),
    })
    const projector = startProjector({
      db,
      eventStore,
      codec,
      projections: [{ ...ordersProjection, name, tables: [], plan }],
      runner: 'test',
      progress: createProgress(),
      onCommitted: async () => undefined,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    })
    stops.push(projector.stop)
  }

  it('parks the stream it throws for, keeps it parked over a restart, and goes on', async () => {
    const bad = (await newOrder(person, productId)).body.orderId
    const seen: string[] = []
    const apply = async (events: readonly ReadEvent[]) => {
      for (const { stream, type } of events) {
        if (stream === `order-${bad}`) throw new TypeError('a bug')
        seen.push(`${stream} ${type}`)
      }
    }
    follow(apply, 'fragile')
    const stream = `order-${bad}`
    await waitFor('the parking', async () => (await parked('fragile', stream)).length === 3)
    for (const stop of stops.splice(0)) await stop()
    follow(apply, 'fragile')
    await person.client.post(`/orders/${bad}/pay`)
    const good = (await newOrder(person, productId)).body.orderId
    await waitFor('the good one', () => seen.includes(`order-${good} OrderPlaced`))
    const before = ['OrderSubmitted', 'OrderPlaced', 'PaymentDeadlineSet']
    const types = [...before, 'PaymentRequested', 'OrderPaid']
    // What a handler has seen is committed a moment later.
    const isParked = async () => (await parked('fragile', stream)).length === types.length
    await waitFor('what came later', isParked)
    expect(await typesParked('fragile', stream)).toEqual(types)
  })

  it('three times because of the weather, and then does not, parks nothing', async () => {
    const { orderId } = (await newOrder(person, productId)).body
    let failures = 3
    const seen: string[] = []
    follow(async events => {
      if (failures > 0) {
        failures -= 1
        throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
      }
      seen.push(...events.map(({ stream }) => stream))
    }, 'unlucky')
    await waitFor('the order', () => seen.includes(`order-${orderId}`))
    expect(await parked('unlucky', `order-${orderId}`)).toEqual([])
  })
})
