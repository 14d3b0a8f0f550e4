// Pages of the catalogue that go out again as they were: to whom, for how long, and counted.
import { setTimeout as pause } from 'node:timers/promises'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCredit } from '../../src/api/credit.ts'
import { useFastLane } from '../../src/api/fastLane.ts'
import { noMetrics } from '../../src/metrics.ts'
import { gbp, newProduct } from '../support/goods.ts'
import { startTestShop, type TestShop } from '../support/testShop.ts'

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

/** A server with one page that says how often it was made. */
async function page(credit: () => string[] | undefined = () => []) {
  const now: { generation: string | undefined; made: number } = { generation: 'a', made: 0 }
  const app = fastify()
  apps.push(app)
  const context = { answers: { generation: () => now.generation }, metrics: noMetrics }
  // It needs no more of its context than this.
  Object.assign(context, { log: app.log })
  useFastLane(app, context as never, { take: async () => undefined, credit })
  app.get('/page', async (request, reply) => {
    now.made += 1
    request.sharedAs = 'page'
    return reply.header('etag', `"${now.made}"`).type('text/plain').send(`made ${now.made}`)
  })
  app.get('/own', async () => {
    now.made += 1
    return `made ${now.made}`
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const get = async (path = '/page', headers: Record<string, string> = {}) => {
    const answer = await fetch(url + path, { headers })
    return { answer, text: await answer.text() }
  }
  return { now, get }
}

describe('a page that is the same for everybody', () => {
  it('is made once, and goes out again with its headers', async () => {
    const { now, get } = await page()
    const first = await get()
    const again = await get()
    expect(again.text).toBe(first.text)
    expect(again.answer.headers.get('etag')).toBe('"1"')
    expect(again.answer.headers.get('content-type')).toBe(first.answer.headers.get('content-type'))
    expect(again.answer.headers.get('x-request-id')).toMatch(/\S/)
    expect(now.made).toBe(1)
  })

  it('is made anew once the catalogue has changed, or when nobody knows', async () => {
    const { now, get } = await page()
    await get()
    now.generation = 'b'
    expect((await get()).text).toBe('made 2')
    expect((await get()).text).toBe('made 2')
    now.generation = undefined
    expect((await get()).text).toBe('made 3')
    expect((await get()).text).toBe('made 4')
  })

  it.each([
    ['signs in', { authorization: 'Bearer x' }],
    ['has a version of it already', { 'if-none-match': '"1"' }],
    ['waits for a position', { 'x-min-position': '7' }],
    ['comes from a page of another origin', { origin: 'https://elsewhere.example' }],
    ['has a cart', { 'x-cart-token': 'x' }],
    ['is part of a trace', { traceparent: 'x' }],
  ])('is made for whoever %s', async (_, headers) => {
    const { now, get } = await page()
    await get()
    await get('/page', headers)
    expect(now.made).toBe(2)
    // And what was made for them is not what others get.
    expect((await get()).text).toBe('made 1')
  })

  it('goes the long way for who has to be counted first', async () => {
    const { now, get } = await page(() => undefined)
    await get()
    await get()
    expect(now.made).toBe(2)
  })
})

it('an answer of one’s own is made each time', async () => {
  const { now, get } = await page()
  await get('/own')
  await get('/own')
  expect(now.made).toBe(2)
})

describe('credit', () => {
  it('lasts until what is left by all that is known, and is told to the counter', async () => {
    const told: number[] = []
    const credit = createCredit({
      async count(_, times = 1) {
        told.push(times)
        return { allowed: true, remaining: 0, resetSeconds: 60 }
      },
      forget: async () => undefined,
    })
    expect(credit.use('somebody')).toBeUndefined()
    credit.learn('somebody', { allowed: true, remaining: 2, resetSeconds: 60 })
    expect(credit.use('somebody')).toEqual({ remaining: 1, resetSeconds: 60 })
    expect(credit.use('somebody')).toEqual({ remaining: 0, resetSeconds: 60 })
    expect(credit.use('somebody')).toBeUndefined()
    expect(credit.use('somebody else')).toBeUndefined()
    while (told.length === 0) await pause(10)
    expect(told).toEqual([2])
    expect(credit.use('somebody')).toBeUndefined()
  })
})

describe('in the shop', () => {
  let shop: TestShop
  beforeAll(async () => {
    shop = await startTestShop({ settings: { RATE_LIMITS: 'on', RATE_LIMIT_ANONYMOUS: '40' } })
  })
  afterAll(() => shop?.close())

  it('nobody is shown a price that was changed before they asked', async () => {
    const { id } = await newProduct(shop, { price: gbp(100) })
    const admin = shop.admin.client
    for (let price = 101; price <= 105; price += 1) {
      const { body } = await admin.patch(`/products/${id}`, { price: gbp(price) })
      // Once its position has been seen, nobody may get what was before.
      await admin.get(`/products/${id}`, { after: body.position })
      const shown = await Promise.all([1, 2, 3].map(() => shop.anyone.get(`/products/${id}`)))
      expect(shown.map(answer => answer.body.price)).toEqual([1, 2, 3].map(() => gbp(price)))
    }
  })

  it('requests in the fast lane are counted, and end at the limit', async () => {
    const statuses: number[] = []
    const left: number[] = []
    for (let count = 0; count < 45; count += 1) {
      const answer = await fetch(`${shop.url}/api/products`)
      await answer.text()
      statuses.push(answer.status)
      left.push(Number(/r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1]))
    }
    expect(statuses[0]).toBe(200)
    expect(statuses.at(-1)).toBe(429)
    expect(statuses.filter(status => status === 200).length).toBeLessThanOrEqual(40)
    expect(left).toEqual(left.toSorted((a, b) => b - a))
  })
})
