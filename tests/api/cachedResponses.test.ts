// Responses of the catalogue that are sent again: to which clients, for how long, and counted.
import { setTimeout as pause } from 'node:timers/promises'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  findCached,
  sendSerialized,
  serialize,
  serveStored,
  useStoredResponses,
} from '../../src/api/http/cachedResponses.ts'
import { createLocalQuota } from '../../src/api/http/localQuota.ts'
import { useOwnWrites } from '../../src/api/http/readYourWrites.ts'
import { parsePosition, startOfLog } from '../../src/kit/position.ts'
import { noMetrics } from '../../src/ports/metrics.ts'
import { gbp, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

const servers: FastifyInstance[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** A server with one cached page that says how often its route was run. */
async function page() {
  const now = {
    generation: 'a' as string | undefined,
    /** What the page is known to show, and what the caller has written. */
    shown: 5,
    written: 0,
    made: 0,
    text: (): string => `made ${now.made}`,
  }
  const server = fastify()
  servers.push(server)
  const asOf = () => parsePosition(String(now.shown))
  const context = {
    answers: {
      generation: () => now.generation,
      get: async (_: unknown, compute: () => unknown) => ({
        answer: await compute(),
        asOf: asOf(),
        isRepeated: true,
      }),
    },
    positions: { known: asOf },
    ownWrites: { of: async () => ({ possible: parsePosition(String(now.written)) }) },
    metrics: noMetrics,
  } as never
  server.addHook('onRequest', async request => {
    const role = request.headers['x-role']
    const isKnown = role === 'admin' || role === 'customer'
    request.actor = isKnown ? { role, id: 'a', roles: [role] } : { role: 'anonymous' }
  })
  useOwnWrites(server, context)
  useStoredResponses(server)
  server.get('/page', { onRequest: serveStored(context) }, async (request, reply) => {
    now.made += 1
    const compute = async () => serialize({ text: now.text() }, now.made)
    request.shows = startOfLog
    const found = await findCached(context, request, { kind: 'page', key: 'page', compute })
    return sendSerialized(request, reply, found ?? { etag: '', body: '' }, '</page>; rel="first"')
  })
  const get = async (headers: Record<string, string> = {}, path = '/page') => {
    const response = await server.inject({ path, headers })
    return { ...response, text: response.payload === '' ? '' : response.json().text }
  }
  return { now, get, server }
}

describe('a page that is the same for all shoppers', () => {
  it('is made once, and sent again with its headers and bytes', async () => {
    const { now, get } = await page()
    now.text = () => 'Käse – 5 €'
    const [first, again] = [await get(), await get()]
    expect(again.rawPayload).toEqual(first.rawPayload)
    expect({ ...again.headers, date: '' }).toEqual({ ...first.headers, date: '' })
    expect(again.headers).toMatchObject({ etag: '"1"', link: '</page>; rel="first"' })
    expect(now.made).toBe(1)
  })

  it.each([
    ['have a cookie', { cookie: 'theme=dark' }],
    ['are signed in', { 'x-role': 'customer', authorization: 'Bearer x' }],
    ['come through a proxy', { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }],
    ['accept compression', { 'accept-encoding': 'gzip' }],
    ['come from another origin', { origin: 'https://elsewhere.example' }],
    ['are part of a trace', { traceparent: '00-x' }],
  ])('is sent again to clients that %s', async (_, headers) => {
    const { now, get } = await page()
    await get()
    expect((await get(headers)).text).toBe('made 1')
    expect(now.made).toBe(1)
  })

  it('is not sent again to a client that has it', async () => {
    const { now, get } = await page()
    await get()
    const again = await get({ 'if-none-match': '"1"' })
    expect([again.statusCode, again.payload, now.made]).toEqual([304, '', 1])
  })

  it('is made anew once the catalogue has changed, and while nobody knows', async () => {
    const { now, get } = await page()
    await get()
    now.generation = 'b'
    expect((await get()).text).toBe('made 2')
    expect((await get()).text).toBe('made 2')
    now.generation = undefined
    expect((await get()).text).toBe('made 3')
    expect((await get()).text).toBe('made 4')
  })

  it('is made anew for a caller who has written since, and then kept for all', async () => {
    const { now, get } = await page()
    await get()
    now.written = 6
    expect((await get()).text).toBe('made 1')
    now.shown = 6
    expect((await get({ 'x-role': 'customer' })).text).toBe('made 2')
    expect((await get({ 'x-role': 'customer' })).text).toBe('made 2')
    expect((await get()).text).toBe('made 2')
  })

  it('is made anew for a client that waits for a position', async () => {
    const { get } = await page()
    await get()
    expect((await get({ 'x-min-position': '7' })).text).toBe('made 2')
  })

  it('is another one for the staff, and at another address', async () => {
    const { get } = await page()
    await get()
    expect((await get({ 'x-role': 'admin' })).text).toBe('made 2')
    expect((await get({}, '/page?more')).text).toBe('made 3')
    expect((await get()).text).toBe('made 1')
  })

  it('has no body for HEAD', async () => {
    const { get, server } = await page()
    const { headers, rawPayload } = await get()
    const head = await server.inject({ method: 'HEAD', path: '/page' })
    expect(head.payload).toBe('')
    expect(head.headers).toMatchObject({ etag: '"1"', 'content-length': `${rawPayload.length}` })
    expect(headers['content-length']).toBe(`${rawPayload.length}`)
  })
})

describe('a local quota', () => {
  it('lasts until what is known to be left is used, and is reported to the counter', async () => {
    const reported: number[] = []
    const quota = createLocalQuota({
      async count(_, times = 1) {
        reported.push(times)
        return { allowed: true, remaining: 0, resetSeconds: 60 }
      },
      reset: async () => undefined,
      refund: async () => undefined,
    })
    expect(quota.use('somebody')).toBeUndefined()
    quota.update('somebody', { allowed: true, remaining: 2, resetSeconds: 60 })
    expect(quota.use('somebody')).toEqual({ remaining: 1, resetSeconds: 60 })
    expect(quota.use('somebody')).toEqual({ remaining: 0, resetSeconds: 60 })
    expect(quota.use('somebody')).toBeUndefined()
    expect(quota.use('somebody else')).toBeUndefined()
    while (reported.length === 0) await pause(10)
    expect(reported).toEqual([2])
    expect(quota.use('somebody')).toBeUndefined()
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

  it('requests that are answered from the cache are counted, and end at the limit', async () => {
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
