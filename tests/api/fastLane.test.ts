// Pages of the catalogue that go out again as they were: to whom, for how long, and counted.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createLocalQuota } from '../../src/api/http/localQuota.ts'
import { useResponseCache } from '../../src/api/http/responseCache.ts'
import { noMetrics } from '../../src/ports/metrics.ts'
import { gbp, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const server of apps.splice(0)) await server.close()
})

interface Now {
  /** As far as the server knows, and as it is told when it asks. */
  generation: string | undefined
  asked: string | undefined | Promise<string>
  made: number
  text(): string
}

/** A server with one page that says how often it was made. */
async function page(credit: () => string[] | undefined = () => []) {
  const now: Now = { generation: 'a', asked: 'a', made: 0, text: () => `made ${now.made}` }
  const server = fastify()
  apps.push(server)
  const answers = { generation: () => now.generation, current: async () => now.asked }
  const context = { answers, metrics: noMetrics }
  // It needs no more of its context than this.
  Object.assign(context, { log: server.log })
  useResponseCache(server, context as never, { take: async () => undefined, quota: credit })
  server.get('/page', async (request, reply) => {
    now.made += 1
    request.sharedAs = 'page'
    return reply.header('etag', `"${now.made}"`).type('text/plain').send(now.text())
  })
  server.get('/own', async () => {
    now.made += 1
    return `made ${now.made}`
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const get = async (path = '/page', headers: Record<string, string> = {}) => {
    const answer = await fetch(url + path, { headers })
    return { answer, text: await answer.text() }
  }
  const open = (text: string) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(text)
    return socket
  }
  /** What comes back until the connection ends. */
  const raw = async (text: string) => {
    const received: Buffer[] = []
    const socket = open(text).on('data', data => received.push(data))
    await once(socket, 'close')
    return Buffer.concat(received).toString()
  }
  return { now, get, open, raw }
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
    now.asked = undefined
    expect((await get()).text).toBe('made 3')
    expect((await get()).text).toBe('made 4')
  })

  it('waits to hear whether the catalogue has changed, where that is not known', async () => {
    const { now, get } = await page()
    await get()
    now.generation = undefined
    expect((await get()).text).toBe('made 1')
    now.asked = 'b'
    expect((await get()).text).toBe('made 2')
  })

  it('is not sent to who has left meanwhile', async () => {
    const { now, get, open } = await page()
    await get()
    const { promise, resolve } = Promise.withResolvers<string>()
    now.generation = undefined
    now.asked = promise
    const socket = open('GET /page HTTP/1.1\r\nhost: x\r\n\r\n')
    await pause(50)
    socket.destroy()
    await pause(50)
    resolve('a')
    expect((await get()).text).toMatch(/made \d/)
  })

  it('goes out byte by byte as it was made, with an id and a date of its own', async () => {
    const { now, get } = await page()
    now.text = () => 'Käse – 5 €\n'
    const [first, again, last] = [await get(), await get(), await get()]
    expect([now.made, again.text, last.text]).toEqual([1, now.text(), now.text()])
    const dated = (of: typeof again) => Date.parse(of.answer.headers.get('date') ?? '')
    expect(Math.abs(dated(again) - Date.now())).toBeLessThan(5_000)
    const names = (of: typeof again) => [...of.answer.headers.keys()]
    expect(names(again)).toEqual([...names(first), 'x-request-id'].sort())
    const id = (of: typeof again) => of.answer.headers.get('x-request-id')
    expect(id(last)).not.toBe(id(again))
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

  it('goes out in the order of the requests, and the connection ends when it is to', async () => {
    const { now, get, raw } = await page()
    await get()
    const ask = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`
    const kept = ['/page', '/page', '/own', '/page', '/own'].map(path => ask(path))
    const received = await raw([...kept, ask('/page', 'connection: close\r\n')].join(''))
    // Those that come before their turn are made anew.
    expect(received.match(/made \d+/g)).toEqual([1, 2, 3, 4, 5, 6].map(made => `made ${made}`))
    expect(received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(6)
    expect(received).toMatch(/connection: close/i)
    const before = now.made
    expect(await raw('GET /page HTTP/1.0\r\n\r\n')).toMatch(/made \d+$/)
    expect(now.made).toBe(before + 1)
  })

  it('answers as many as are asked for at once', async () => {
    const { raw } = await page()
    const ask = 'GET /page HTTP/1.1\r\nhost: x\r\n\r\n'
    const last = ask.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')
    const received = await raw(ask.repeat(500) + last)
    expect(received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(501)
  })

  it('says where one stands, where requests are counted', async () => {
    const { get } = await page(() => ['ratelimit-policy', '"x";q=9', 'ratelimit', '"x";r=8'])
    await get()
    const { headers } = (await get()).answer
    expect(headers.get('ratelimit-policy')).toBe('"x";q=9')
    expect(headers.get('ratelimit')).toBe('"x";r=8')
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
    const credit = createLocalQuota({
      async count(_, times = 1) {
        told.push(times)
        return { allowed: true, remaining: 0, resetSeconds: 60 }
      },
      forget: async () => undefined,
      giveBack: async () => undefined,
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
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ settings: { RATE_LIMITS: 'on', RATE_LIMIT_ANONYMOUS: '40' } })
  })
  afterAll(() => app?.close())

  it('nobody is shown a price that was changed before they asked', async () => {
    const { id } = await newProduct(app, { price: gbp(100) })
    const admin = app.admin.client
    for (let price = 101; price <= 105; price += 1) {
      const { body } = await admin.patch(`/products/${id}`, { price: gbp(price) })
      // Once its position has been seen, nobody may get what was before.
      await admin.get(`/products/${id}`, { after: body.position })
      const shown = await Promise.all([1, 2, 3].map(() => app.anyone.get(`/products/${id}`)))
      expect(shown.map(answer => answer.body.price)).toEqual([1, 2, 3].map(() => gbp(price)))
    }
  })

  it('requests in the fast lane are counted, and end at the limit', async () => {
    const statuses: number[] = []
    const left: number[] = []
    for (let count = 0; count < 45; count += 1) {
      const answer = await fetch(`${app.url}/api/products`)
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
