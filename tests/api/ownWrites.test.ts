// Whoever has written sees it: by default, without a header, and on any process.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { withDeadline } from '../../src/kit/deadline.ts'
import { type Running, startApp } from '../../src/main/start.ts'
import { type Client, createClient } from '../support/apiClient.ts'
import { type CuttableProxy, cuttableProxy } from '../support/cuttableProxy.ts'
import {
  type OwnWrite,
  patiently,
  type Scene,
  sceneOf,
  type Turn,
  type Unread,
} from '../support/ownWriteScene.ts'
import { ownWritesOfShop } from '../support/ownWritesOfApp.ts'
import { costly, ownWritesOfPeople } from '../support/ownWritesOfPeople.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
/** Two more APIs of the shop, without projections of their own; the first can lose Redis. */
const others: Running[] = []
let toRedis: CuttableProxy
beforeAll(async () => {
  app = await startTestApp()
  const redis = new URL(app.config.redisUrl.reveal())
  toRedis = await cuttableProxy(redis.hostname, Number(redis.port))
  redis.port = String(toRedis.port)
  const proxied = loadConfig({ ...app.env, REDIS_URL: redis.href })
  for (const config of [proxied, app.config]) {
    others.push(await startApp({ ...config, port: 0 }, { api: true, workers: false }))
  }
})
afterAll(async () => {
  for (const other of others) await other.close()
  await toRedis?.close()
  await app?.close()
})

const address = (node: number) => [app.url, ...others.map(({ url }) => url)][node % 3] ?? ''
/** Somebody at one of the three processes. */
const at = (node: number, token?: string): Client =>
  createClient(address(node), app.contract, token)

/** Every pair of a process to write to and another one to read from. */
const pairs = [0, 1, 2].flatMap(one => [1, 2].map(step => [one, (one + step) % 3] as const))
const rounds = Array.from({ length: 42 }, (_, round) => pairs[round % pairs.length] ?? [0, 1])

async function listed(stock = 500): Promise<{ productId: string; position: string }> {
  const sku = `OWN-${randomUUID()}`
  const price = { amount: 500, currency: 'GBP' }
  const { body } = await app.admin.client.post('/products', { name: 'Pen', sku, price, stock })
  return { productId: body.id, position: body.position }
}

/** So long read models stay behind: a read that does not wait for them has answered by then. */
const heldMs = 200
/** Rows for which they stay behind together: for all of them it would be too long. */
const atOnce = 8
/** Rows that are made at a time. */
const making = pLimit(6)
/** Far more than any row takes. */
const rowMs = 60_000

const delivery = { shippingAddress: '1 High Street, London', phoneNumber: '020 7946 0000' }

async function placed(client: Client, productId: string) {
  const items = [{ productId, quantity: 1 }]
  const { body, status } = await client.post('/orders', { ...delivery, items })
  expect(status).toBe(201)
  return body.id
}

describe('whoever has written on one process sees it on another', () => {
  let ann: Person
  let productId: string
  beforeAll(async () => {
    ann = await app.person()
    productId = (await listed()).productId
  })

  it('in the cart, 42 times out of 42', async () => {
    let expected = 0
    for (const [writes, reads] of rounds) {
      await at(writes, ann.access).post('/cart/items', { productId, quantity: 1 })
      expected += 1
      const { body } = await at(reads, ann.access).get('/cart')
      expect(body.itemCount).toBe(expected)
    }
  })

  it('in the cart of a guest, from the first item on', async () => {
    for (const [writes, reads] of pairs) {
      const { headers } = await at(writes).post('/cart/items', { productId, quantity: 2 })
      const token = { headers: { 'x-cart-token': headers.get('x-cart-token') ?? '' } }
      expect((await at(reads).get('/cart/total', token)).body.itemCount).toBe(2)
      await at(reads).put(`/cart/items/${productId}`, { quantity: 3 }, token)
      expect((await at(writes).get('/cart', token)).body.itemCount).toBe(3)
    }
  })

  it('in orders, and what has become of them', async () => {
    for (const [writes, reads] of pairs) {
      const id = await placed(at(writes, ann.access), productId)
      expect((await at(reads, ann.access).get(`/orders/${id}`)).body.status).toBe('pending')
      await at(reads, ann.access).post(`/orders/${id}/cancel`, {})
      const { body } = await at(writes, ann.access).get('/orders?status=cancelled&pageSize=1')
      expect(body.data[0]?.id).toBe(id)
    }
  })

  it('in the profile, and in the cart that came along at registration', async () => {
    for (const [writes, reads] of pairs) {
      const made = await at(writes).post('/cart/items', { productId, quantity: 4 })
      const username = `own-${randomUUID().slice(0, 8)}`
      const { body } = await at(reads).post(
        '/auth/register',
        { username, email: `${username}@example.com`, password },
        { headers: { 'x-cart-token': made.headers.get('x-cart-token') ?? '' } },
      )
      const { tokens } = Object.assign({ tokens: { access: '' } }, body)
      const own = at(writes, tokens.access)
      expect((await own.get('/cart')).body.itemCount).toBe(4)
      await own.patch('/auth/profile', { city: 'Leeds' })
      expect((await at(reads, tokens.access).get('/auth/profile')).body.city).toBe('Leeds')
    }
  })
})

/** Keeps every read model where it is, so that a read that does not wait for it is found out. */
async function holdReadModels(): Promise<() => Promise<void>> {
  const session = await app.back.pool.connect()
  await session.query('begin')
  await session.query('lock table shop.checkpoints in exclusive mode')
  // The server ends a transaction that nothing is heard of for a while.
  const holding = setInterval(() => session.query('select 1').catch(() => undefined), 1_000)
  return async () => {
    clearInterval(holding)
    await session.query('rollback')
    session.release()
  }
}

describe('whoever has written sees it, by any route', () => {
  const rows: Record<string, OwnWrite | Unread> = { ...ownWritesOfShop, ...ownWritesOfPeople }
  const isLong = process.env.OWN_WRITES_ROUNDS !== undefined
  const times = Number(process.env.OWN_WRITES_ROUNDS ?? 3)

  interface Outcome {
    name: string
    seen: unknown
    expected: unknown
  }

  async function written({ write, seen }: Turn) {
    const answer = await write()
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(400)
    return () => seen(answer)
  }

  async function heldRows(some: readonly { name: string; turn: Turn }[]): Promise<Outcome[]> {
    const letGo = await holdReadModels()
    const writes = await Promise.allSettled(
      some.map(({ name, turn }) => withDeadline(rowMs, `writing: ${name}`, written(turn))),
    )
    const reads = writes.map((each, index) => {
      if (each.status === 'rejected') return String(each.reason)
      return withDeadline(rowMs, `reading: ${some[index]?.name}`, patiently(each.value)).catch(
        String,
      )
    })
    await pause(heldMs)
    await letGo()
    const seen = await Promise.all(reads)
    return some.map(({ name, turn }, index) => {
      return { name, seen: seen[index], expected: turn.expected }
    })
  }

  async function roundOf(scene: Scene, isWhole: boolean): Promise<Outcome[]> {
    const made = Object.entries(rows).flatMap(([name, row]) =>
      'unread' in row || (costly.has(name) && !isWhole)
        ? []
        : [
            making(() => withDeadline(rowMs, `making: ${name}`, row(scene))).then(turn => ({
              name,
              turn,
            })),
          ],
    )
    await Promise.allSettled(made)
    const turns = await Promise.all(made)
    const outcomes: Outcome[] = []
    for (const { name, turn } of turns.filter(each => each.turn.waits)) {
      const seen = await written(turn).then(patiently).catch(String)
      outcomes.push({ name, seen, expected: turn.expected })
    }
    const held = turns.filter(each => each.turn.waits !== true)
    for (let from = 0; from < held.length; from += atOnce) {
      outcomes.push(...(await heldRows(held.slice(from, from + atOnce))))
    }
    return outcomes
  }

  it('has a row for each route that writes, and each row a route', () => {
    const { paths } = app.contract.document
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
    const writing = routes.filter(route => !/^(GET|HEAD) /.test(route))
    expect(Object.keys(rows).sort()).toEqual(writing.sort())
  })

  it.each(Array.from({ length: times }, (_, round) => round))(
    'however far the read models are: round %i',
    async round => {
      const pair = pairs[(round * 2 + Math.floor(round / 3)) % pairs.length] ?? [0, 1]
      const outcomes = await roundOf(sceneOf(app, at, pair), isLong || round === 0)
      expect(outcomes.length).toBeGreaterThan(40)
      expect(outcomes.map(({ name, seen }) => ({ name, seen }))).toEqual(
        outcomes.map(({ name, expected }) => ({ name, seen: expected })),
      )
    },
    240_000,
  )
})

it('a buyer of the last piece sees a listing without it, and so does everybody soon', async () => {
  const ann = await app.person()
  for (const [writes, reads] of pairs) {
    const { productId, position } = await listed(1)
    for (const node of [0, 1, 2]) {
      const path = `/products/${productId}`
      for (const client of [at(node), at(node, ann.access)]) {
        expect((await client.get(path, { after: position })).status).toBe(200)
      }
    }
    await placed(at(writes, ann.access), productId)
    const { body } = await at(reads, ann.access).get(`/products/${productId}`)
    expect(body.availability).toBe('out')
  }
})

it('without Redis an answer waits until every process shows what was written', async () => {
  const ann = await app.person()
  const { productId } = await listed()
  await at(2, ann.access).get('/cart')
  await toRedis.refuse(true)
  const letGo = await holdReadModels()
  let isAnswered = false
  const adding = at(1, ann.access)
    .post('/cart/items', { productId, quantity: 1 })
    .finally(() => {
      isAnswered = true
    })
  const isHeld = `select 1 from pg_locks
    where relation = 'shop.checkpoints'::regclass and not granted`
  await waitFor('the read models to wait', async () => {
    return (await app.back.pool.query(isHeld)).rows.length > 0
  })
  // By now it would have been answered.
  for (let time = 0; time < 5; time += 1) await at(1).get('/products?pageSize=1')
  expect(isAnswered).toBe(false)
  await letGo()
  expect((await adding).status).toBeLessThan(300)
  expect((await at(2, ann.access).get('/cart')).body.itemCount).toBe(1)
  await toRedis.refuse(false)
}, 30_000)
