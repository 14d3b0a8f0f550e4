// What several processes of one shop promise together, whichever of them is asked.
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Running, startApp } from '../../src/main/start.ts'
import { BrokenStream } from '../../src/ports/eventStore.ts'
import type { Log } from '../../src/ports/log.ts'
import { positionOf } from '../../src/projections/core/checkpoints.ts'
import { startOrderProcesses } from '../../src/workers/jobs/orderProcesses.ts'
import { type Client, createClient } from '../support/apiClient.ts'
import { type Follower, followEvents, followSocket } from '../support/liveFeed.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
/** Another API, which knows neither the first one nor a public address that they share. */
let other: Running
let redis: Redis
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMITS: 'on', RATE_LIMIT_RESETS: '4' } })
  const config = { ...app.config, port: 0, publicUrl: 'http://127.0.0.1:1' }
  other = await startApp(config, { api: true, workers: false })
  redis = new Redis(app.config.redisUrl.reveal())
})
afterAll(async () => {
  redis?.disconnect()
  await other?.close()
  await app?.close()
})

const there = (token?: string): Client => createClient(other.url, app.contract, token)

const price = (amount: number) => ({ amount, currency: 'GBP' })

async function listed(stock = 1_000): Promise<{ id: string; position: string }> {
  const sku = `P-${randomUUID()}`
  const made = { name: 'Lamp', sku, price: price(500), stock }
  return (await app.admin.client.post('/products', made)).body
}

const orderOf = (productId: string) => ({
  shippingAddress: '1 High Street, London',
  phoneNumber: '020 7946 0000',
  items: [{ productId, quantity: 1 }],
})

async function placed({ client }: Person, productId: string): Promise<string> {
  const { body, status } = await client.post('/orders', orderOf(productId))
  expect(status).toBe(201)
  return body.id
}

describe('a key that reaches two processes at once', () => {
  it('places one order, and both know it', async () => {
    const ann = await app.person()
    const product = await listed()
    for (let round = 0; round < 8; round += 1) {
      const send = (client: Client) =>
        client.post('/orders', orderOf(product.id), { key: `at-once-${round}` })
      const first = await Promise.all([send(ann.client), send(there(ann.access))])
      for (const { status } of first) expect([201, 409]).toContain(status)
      const again = [await send(ann.client), await send(there(ann.access))]
      expect(again.map(({ status }) => status)).toEqual([201, 201])
      const ids = [...first.filter(({ status }) => status === 201), ...again]
      expect(new Set(ids.map(({ body }) => body.id)).size).toBe(1)
    }
    const { body } = await app.admin.client.get(`/products/${product.id}/stock`)
    expect([body.onHand, body.reserved]).toEqual([1_000, 8])
  })
})

describe('an order that cannot be driven on', () => {
  it('rests for longer each time, also when its deadline is over', async () => {
    const { db, app: own, pool } = app.back
    const orderId = randomUUID()
    const attempts: number[] = []
    const orders: typeof own.orders = {
      ...own.orders,
      async load(id) {
        if (id !== orderId) return own.orders.load(id)
        attempts.push(seconds)
        throw new BrokenStream(`order-${id}`, 'event 0 is missing')
      },
    }
    let seconds = 0
    let answers = 0
    const counted = db.withPlugin({
      transformQuery: ({ node }) => node,
      async transformResult({ result }) {
        answers += 1
        return result
      },
    })
    const log: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    await pool.query(
      `insert into readmodel.order_processes (
         order_id, since, submitted, paying, refund_due, cart_open, stock, settling, expires_at
       ) values (
         $1, now() - interval '1 hour', true, false, false, false, '{}', false,
         now() - interval '1 minute'
       )`,
      [orderId],
    )
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const processes = startOrderProcesses({ db: counted, app: { ...own, orders }, log })
    try {
      for (; seconds < 20; seconds += 1) {
        vi.advanceTimersByTime(1_000)
        // Each look asks twice.
        await waitFor('the look', () => answers >= 2 * (seconds + 1))
        await nextTurn()
      }
    } finally {
      await processes.stop()
      vi.useRealTimers()
      await pool.query('delete from readmodel.order_processes where order_id = $1', [orderId])
    }
    expect(attempts).toEqual([0, 2, 6, 14])
  })
})

describe('a listing that another process has cached', () => {
  it('is served from the cache, and not computed again', async () => {
    const product = await listed()
    // What earlier tests have left under way does not concern the catalogue.
    await waitFor('the catalogue', async () => {
      const at = await positionOf(app.back.db, 'catalogue')
      return at === (await app.back.eventStore.head())
    })
    const path = '/products?ordering=-createdAt&pageSize=1'
    const newest = async (client: Client) => (await client.get(path)).body.data[0]
    expect((await newest(app.admin.client))?.id).toBe(product.id)
    await newest(app.anyone)
    await waitFor('Redis to have it', async () => (await redis.keys('answers:*')).length > 1)
    // Behind the back of the events: whoever computes it shows it.
    await app.back.pool.query(`update products set name = 'Other' where product_id = $1`, [
      product.id,
    ])
    for (const client of [app.anyone, there(), app.anyone, there(), there()]) {
      expect((await newest(client))?.name).toBe('Lamp')
    }
    await app.admin.client.patch(`/products/${product.id}`, { name: 'Lantern' })
    await waitFor('the name', async () => (await newest(there()))?.name === 'Lantern')
  }, 60_000)

  it('shows a new price soon, also after Redis has lost its memory', async () => {
    const product = await listed()
    const path = `/products/${product.id}`
    const shown = async () => (await there().get(path)).body
    await waitFor('the product', async () => (await there().get(path)).status === 200)
    for (let amount = 501; amount < 506; amount += 1) {
      for (let time = 0; time < 3; time += 1) await shown()
      if (amount % 2 === 0) await redis.flushdb()
      await app.admin.client.patch(path, { price: price(amount) })
      await waitFor('the price', async () => {
        const { price: current } = await shown()
        return JSON.stringify(current) === JSON.stringify(price(amount))
      })
    }
  })

  it('shows it although the signal was lost: what changed is in the database', async () => {
    const product = await listed()
    const path = `/products/${product.id}`
    await waitFor('the product', async () => (await there().get(path)).status === 200)
    for (let time = 0; time < 3; time += 1) await there().get(path)
    const { version, answers } = await waitFor('Redis to have it', async () => {
      await there().get(path)
      const version = (await redis.get('answers:version')) ?? ''
      const answers = await redis.hgetall(`answers:${version}`)
      return Object.keys(answers).length > 0 ? { version, answers } : undefined
    })
    await app.admin.client.patch(path, { price: price(777) })
    await waitFor('the signal', async () => (await redis.get('answers:version')) !== version)
    // As if the process that projected it had died between its commit and the signal.
    await redis.multi().hset(`answers:${version}`, answers).set('answers:version', version).exec()
    await waitFor('the price', async () => {
      const { price: current } = (await there().get(path)).body
      return JSON.stringify(current) === JSON.stringify(price(777))
    })
  })
})

describe('whoever follows orders at another process', () => {
  it('is told by Redis, and hears what is told there', async () => {
    const ann = await app.person()
    const { id: productId } = await listed()
    const channel = `orderstream:notified@${redis.options.db}`
    const listening = redis.duplicate()
    const told: string[] = []
    listening.on('message', (_, text: string) => told.push(text))
    await listening.subscribe(channel)
    const follower = await followSocket(other.url, { authorization: `Bearer ${ann.access}` })
    await waitFor('the greeting', () => follower.messages.length > 0)
    const orderId = await placed(ann, productId)
    await ann.client.post(`/orders/${orderId}/pay`, {})
    await follower.hears('paid', each => each.orderId === orderId && each.status === 'paid')
    await waitFor('the call', () => told.some(text => text.includes(orderId)))

    // Not in the database: only a call can bring it.
    const { position } = (await ann.client.patch('/auth/profile', { city: 'Leeds' })).body
    const made = { customerId: ann.id, orderId: randomUUID(), orderNumber: 'TOLD' }
    const news = { ...made, position, status: 'shipped', previousStatus: 'paid', tracking: null }
    const notifications = [{ ...news, at: new Date().toISOString() }]
    await redis.publish(channel, JSON.stringify({ after: '0', notifications }))
    await follower.hears('what was told', each => each.orderNumber === 'TOLD')
    follower.cut()
    listening.disconnect()
  })
})

describe('a right that is taken away at one process', () => {
  /** What somebody hears at the other process while they lose the right to, and what they may. */
  async function loses(follower: Follower, lose: () => Promise<string>, orders: string[]) {
    const cancel = (id: string) => app.admin.client.post(`/orders/${id}/cancel`, {})
    const [before = '', during = '', ...after] = orders
    await cancel(before)
    await follower.hears('the first', each => each.orderId === before)
    const [position] = await Promise.all([lose(), cancel(during)])
    for (const id of after) await cancel(id)
    await follower.closed
    for (const update of follower.updates()) {
      expect(BigInt(update.position)).toBeLessThan(BigInt(position))
    }
  }

  async function ordersOf(buyer: Person): Promise<string[]> {
    const { id: productId } = await listed()
    const ids: string[] = []
    for (let each = 0; each < 4; each += 1) ids.push(await placed(buyer, productId))
    return ids
  }

  const socket = ({ access }: Person) =>
    followSocket(other.url, { authorization: `Bearer ${access}` })

  it('lets nobody hear of what comes after it in the log: a role', async () => {
    const buyer = await app.person()
    for (let round = 0; round < 3; round += 1) {
      const support = await app.person('support')
      const follower = await socket(support)
      follower.say({ subscribe: 'orders:all' })
      await waitFor('all', () => follower.messages.some(({ type }) => type === 'subscribed'))
      const revoke = { roles: ['customer'] }
      const path = `/admin/users/${support.id}`
      const lose = async () => (await app.admin.client.patch(path, revoke)).body.position
      await loses(follower, lose, await ordersOf(buyer))
    }
  })

  it('lets nobody hear of what comes after it in the log: an account', async () => {
    for (const isSocket of [true, false]) {
      const buyer = await app.person()
      const orders = await ordersOf(buyer)
      const follower = await (isSocket ? socket(buyer) : followEvents(other.url, buyer.access))
      const path = `/admin/users/${buyer.id}`
      const lock = { disabled: true }
      const lose = async () => (await app.admin.client.patch(path, lock)).body.position
      await loses(follower, lose, orders)
    }
  })

  it('is gone there at once, and elsewhere within a second or so', async () => {
    const ends: [string, (person: Person) => Promise<{ status: number }>][] = [
      ['erased', ({ client }) => client.delete('/auth/profile', { password })],
      ['locked out', ({ id }) => app.admin.client.patch(`/admin/users/${id}`, { disabled: true })],
    ]
    const { id: productId } = await listed()
    for (const [what, end] of ends) {
      const person = await app.person()
      const elsewhere = there(person.access)
      await elsewhere.get('/cart')
      await person.client.get('/cart')
      expect((await end(person)).status).toBe(200)
      expect((await person.client.post('/orders', orderOf(productId))).status).toBe(401)
      const isOut = async () => (await elsewhere.get('/auth/profile')).status === 401
      await waitFor(`${what} elsewhere`, isOut, 2_000)
      expect((await elsewhere.post('/cart/items', { productId, quantity: 1 })).status).toBe(401)
    }
  })

  it('is gone within a second or so: a session', async () => {
    const person = await app.person()
    await there(person.access).get('/cart')
    await person.client.post('/auth/logout')
    for (const client of [person.client, there(person.access)]) {
      await waitFor('the end', async () => (await client.get('/cart')).status === 401, 2_000)
    }
  })

  it('is not gone with the address: either takes the tokens of the other', async () => {
    const person = await app.person()
    expect((await there(person.access).get('/auth/profile')).status).toBe(200)
    const { username } = person
    const { body } = await there().post('/auth/login', { username, password })
    const { tokens } = Object.assign({ tokens: { access: '' } }, body)
    expect((await app.as(tokens.access).get('/auth/profile')).body.username).toBe(username)
  })
})

describe('limits', () => {
  it('count what is asked of all processes', async () => {
    const ask = (client: Client) => client.post('/auth/password/reset', { email: 'x@example.com' })
    const statuses: number[] = []
    for (let time = 0; time < 3; time += 1) {
      for (const client of [app.anyone, there()]) statuses.push((await ask(client)).status)
    }
    expect(statuses).toEqual([202, 202, 202, 202, 429, 429])
  })
})
