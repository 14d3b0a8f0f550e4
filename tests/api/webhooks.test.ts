// Outgoing webhooks: signed as the standard says, at least once, under one id, to who may hear it.
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { webhookTypes } from '../../src/ports/webhooks.ts'
import type { Answer } from '../support/apiClient.ts'
import { expectProblem, moveOrder, newKey, newOrder, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'
import { verified, webhookReceiver } from '../support/webhookReceiver.ts'

type Receiver = Awaited<ReturnType<typeof webhookReceiver>>

const attemptsMax = 2
const failuresMax = 5
const orderTypes = webhookTypes.filter(type => type.startsWith('order.'))
let app: TestApp
let productId = ''
const receivers: Receiver[] = []
beforeAll(async () => {
  const settings = {
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1',
    WEBHOOK_RETRY_SECONDS: '1',
    WEBHOOK_ATTEMPTS: String(attemptsMax),
    WEBHOOK_FAILURES_MAX: String(failuresMax),
  }
  app = await startTestApp({ settings })
  productId = (await newProduct(app, { stock: 10_000 })).id
})
afterAll(async () => {
  for (const receiver of receivers) await receiver.stop()
  await app?.close()
})

async function listener(events: readonly string[] = orderTypes) {
  const receiver = await webhookReceiver()
  receivers.push(receiver)
  const { url } = receiver
  const { body } = await app.admin.client.post('/admin/webhooks', { url, events })
  return { receiver, secret: String(body.secret), path: `/admin/webhooks/${body.id}`, id: body.id }
}

const deliveriesOf = async (path: string, query = '') =>
  (await app.admin.client.get(`${path}/deliveries?limit=100${query}`)).body.data

const deliveryOf = (path: string, about: (delivery: Record<string, unknown>) => boolean) =>
  waitFor('the delivery in the log', async () => (await deliveriesOf(path)).find(about))

describe('an order that is placed, paid and shipped', () => {
  it('is told in three messages that the reference implementation verifies', async () => {
    const { receiver, secret } = await listener()
    const person = await app.person()
    const { orderId, orderNumber } = (await newOrder(person, productId)).body
    await person.client.post(`/orders/${orderId}/pay`)
    await moveOrder(app, orderId, 'shipped')
    const hooks = await receiver.until(3, 'orderId', orderId)
    const types = hooks.map(({ body }) => body.type).sort()
    expect(types).toEqual(['order.paid', 'order.placed', 'order.shipped'])
    for (const hook of hooks) {
      expect(verified(secret, hook)).toEqual(hook.body)
      expect(hook.body).toEqual({
        type: expect.any(String),
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        data: expect.objectContaining({
          orderNumber,
          customerId: person.id,
          total: { amount: 425, currency: 'GBP' },
          aggregateRevision: expect.any(Number),
          position: expect.stringMatching(/^\d+$/),
        }),
      })
      expect(Buffer.byteLength(hook.raw)).toBeLessThan(20_000)
    }
    expect(new Set(hooks.map(({ id }) => id)).size).toBe(3)
  })

  it('is told without a word about the person', async () => {
    const { receiver } = await listener([...webhookTypes])
    const person = await app.person()
    await person.client.patch('/auth/profile', { firstName: 'Zenobia', lastName: 'Quillfeather' })
    const { orderId } = (await newOrder(person, productId)).body
    await person.client.post(`/orders/${orderId}/cancel`, { reason: 'Quillfeather has moved' })
    await waitFor('the cancellation', () =>
      receiver.of('orderId', orderId).find(({ body }) => body.type === 'order.cancelled'),
    )
    const said = receiver.all.map(({ raw }) => raw).join('\n')
    expect(said).toContain(orderId)
    expect(said).not.toMatch(/Zenobia|Quillfeather|High Street|\+44|@example/)
    expect(said).not.toContain(person.username)
  })

  it('cannot be forged or changed on the way', async () => {
    const { receiver, secret } = await listener(['product.created'])
    const { id } = await newProduct(app)
    const [hook] = await receiver.until(1, 'productId', id)
    if (hook === undefined) throw new Error('no webhook')
    const changed = { ...hook, raw: hook.raw.replace('425', '1') }
    expect(() => verified(secret, changed)).toThrow()
    expect(() => verified(`whsec_${Buffer.alloc(32).toString('base64')}`, hook)).toThrow()
    expect(verified(secret, hook)).toEqual(hook.body)
  })

  it('is told only to those who asked for it, and only from then on', async () => {
    const earlier = await newProduct(app)
    const { receiver } = await listener(['product.created'])
    await app.admin.client.patch(`/products/${earlier.id}`, {
      price: { amount: 1, currency: 'GBP' },
    })
    const later = await newProduct(app)
    await receiver.until(1, 'productId', later.id)
    expect(receiver.all.map(({ body }) => body.type)).toEqual(['product.created'])
  })
})

describe('a receiver that is away', () => {
  it('gets what it missed once it is back, under the id of the first attempt', async () => {
    const { receiver, secret, path } = await listener(['product.created'])
    await receiver.stop()
    const { id } = await newProduct(app)
    const missed = await deliveryOf(path, ({ lastError }) => lastError === 'econnrefused')
    await receiver.start()
    const [hook] = await receiver.until(1, 'productId', id)
    if (hook === undefined) throw new Error('no webhook')
    expect(hook.id).toBe(missed.eventId)
    expect(verified(secret, hook)).toEqual(hook.body)
    const done = await deliveryOf(path, ({ status }) => status === 'delivered')
    expect(done).toMatchObject({ attempts: 2, lastStatus: 204, lastError: null })
  })

  it('gets what it missed when Redis has lost everything meanwhile, too', async () => {
    const { receiver, path } = await listener(['product.created'])
    await receiver.stop()
    const { id } = await newProduct(app)
    await deliveryOf(path, ({ attempts }) => attempts === 1)
    const redis = new Redis(app.config.redisUrl.reveal())
    await redis.flushdb()
    redis.disconnect()
    await receiver.start()
    expect(await receiver.until(1, 'productId', id)).toHaveLength(1)
  })

  it('is given up after so many attempts, and the log says so', async () => {
    const { receiver, path } = await listener(['product.created'])
    receiver.answer(500)
    const { id } = await newProduct(app)
    const dead = await deliveryOf(path, ({ status }) => status === 'dead')
    expect(dead).toMatchObject({ attempts: attemptsMax, lastStatus: 500, nextAttemptAt: null })
    expect(receiver.of('productId', id)).toHaveLength(attemptsMax)
    expect(await deliveriesOf(path, '&status=dead')).toEqual([dead])
    expect(await deliveriesOf(path, '&status=delivered')).toEqual([])
  })

  it('gets one again when an admin wants it, byte by byte and under the same id', async () => {
    const { receiver, path } = await listener(['product.created'])
    receiver.answer(500)
    const { id } = await newProduct(app)
    const dead = await deliveryOf(path, ({ status }) => status === 'dead')
    receiver.answer(200)
    const again = await app.admin.client.post(`${path}/deliveries/${dead.id}/redeliver`)
    expect(again.status).toBe(202)
    const hooks = await receiver.until(attemptsMax + 1, 'productId', id)
    expect(new Set(hooks.map(hook => hook.id)).size).toBe(1)
    expect(new Set(hooks.map(hook => hook.raw)).size).toBe(1)
    await deliveryOf(path, ({ status }) => status === 'delivered')
  })

  it('is left alone after so many failures in a row, until an admin enables it', async () => {
    const { receiver, path } = await listener(['product.created'])
    receiver.answer(503)
    for (let made = 0; made < failuresMax; made += 1) await newProduct(app)
    const disabled = await waitFor('the endpoint to be disabled', async () => {
      const { body } = await app.admin.client.get(path)
      return body.enabled === false ? body : undefined
    })
    expect(disabled).toMatchObject({ disabledBecause: 'failures' })
    const unheard = await newProduct(app)
    receiver.answer(200)
    const enabled = await app.admin.client.patch(path, { enabled: true })
    expect(enabled.body).toMatchObject({ enabled: true, disabledBecause: null, failures: 0 })
    const heard = await newProduct(app)
    await receiver.until(1, 'productId', heard.id)
    expect(receiver.of('productId', unheard.id)).toEqual([])
  })

  it('is left alone at once when it says 410', async () => {
    const { receiver, path } = await listener(['product.created'])
    receiver.answer(410)
    await newProduct(app)
    await waitFor('the endpoint to be disabled', async () => {
      return (await app.admin.client.get(path)).body.disabledBecause === 'gone'
    })
    expect(receiver.all).toHaveLength(1)
  })

  it('is not followed to where it redirects', async () => {
    const elsewhere = await webhookReceiver()
    receivers.push(elsewhere)
    const { receiver, path } = await listener(['product.created'])
    receiver.answer(307, { location: elsewhere.url })
    await newProduct(app)
    await deliveryOf(path, ({ lastStatus }) => lastStatus === 307)
    expect(elsewhere.all).toEqual([])
  })
})

describe('rows that somebody has written past the shop', () => {
  it('are neither sent where they say nor signed as they say', async () => {
    const { receiver, path, id } = await listener(['product.created'])
    const thief = await webhookReceiver()
    receivers.push(thief)
    const { pool } = app.back
    await pool.query('update shop.webhook_endpoints set url = $2 where endpoint_id = $1', [
      ...[id, thief.url],
    ])
    receiver.answer(500)
    const productId = (await newProduct(app)).id
    const dead = await deliveryOf(path, ({ status }) => status === 'dead')
    const [first] = receiver.of('productId', productId)
    await pool.query(
      `update shop.webhook_deliveries
       set message = jsonb_set(message, '{data,price,amount}', '1'), body = '{"type":"order.paid"}'
       where delivery_id = $1`,
      [dead.id],
    )
    await pool.query(
      `insert into shop.webhook_deliveries (endpoint_id, event_id, position, type, message, trace)
       select endpoint_id, gen_random_uuid(), position, type, message, trace
       from shop.webhook_deliveries where delivery_id = $1`,
      [dead.id],
    )
    receiver.answer(200)
    const forged = await deliveryOf(path, ({ lastError }) => lastError === 'not-in-log')
    expect(forged.lastStatus).toBeNull()
    await app.admin.client.post(`${path}/deliveries/${dead.id}/redeliver`)
    const hooks = await receiver.until(attemptsMax + 1, 'productId', productId)
    expect(new Set(hooks.map(hook => hook.raw))).toEqual(new Set([first?.raw]))
    expect(new Set(hooks.map(hook => hook.id)).size).toBe(1)
    expect(thief.of('productId', productId)).toEqual([])
    expect((await app.admin.client.get(path)).body.url).toBe(receiver.url)
  })
})

describe('a replay', () => {
  it('sends a stretch of the log again, each under its id, and nothing beside it', async () => {
    const before = await newProduct(app)
    const first = await newProduct(app)
    const last = await newProduct(app)
    const behind = await newProduct(app)
    const { receiver, path } = await listener(['product.created'])
    // The product itself comes before its stock, which is where the answer points.
    const range = { from: before.position, to: last.position }
    const started = await app.admin.client.post(`${path}/replay`, range)
    expect(started.status).toBe(202)
    await receiver.until(1, 'productId', last.id)
    await waitFor('the end', async () => (await app.admin.client.get(path)).body.replay === null)
    const [{ id } = { id: '' }] = await receiver.until(1, 'productId', first.id)
    await app.admin.client.post(`${path}/replay`, range)
    const twice = await receiver.until(2, 'productId', first.id)
    expect(twice.map(hook => hook.id)).toEqual([id, id])
    const others = [before, behind].flatMap(product => receiver.of('productId', product.id))
    expect(others).toEqual([])
  })

  it('is refused for what is no range of the log', async () => {
    const { path } = await listener()
    const pointerOf = ({ body }: Answer) => body.errors[0]?.pointer
    const replay = (from: string, to: string) =>
      app.admin.client.post(`${path}/replay`, { from, to })
    expect(pointerOf(await replay('5', '4'))).toBe('/from')
    expect(pointerOf(await replay('0', '4'))).toBe('/from')
    expect(pointerOf(await replay('1', '999999999'))).toBe('/to')
  })
})

describe('a secret', () => {
  it('is shown when it is made and never again', async () => {
    const { secret, path } = await listener()
    expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32)
    const shown = await app.admin.client.get(path)
    const listed = await app.admin.client.get('/admin/webhooks')
    expect(JSON.stringify([shown.body, listed.body])).not.toContain(secret)
    const { rows } = await app.back.pool.query('select secret from shop.webhook_endpoints')
    expect(rows.map(row => row.secret)).not.toContain(secret)
    expect(rows.filter(row => !/^v1\./.test(row.secret))).toEqual([])
  })

  it('signs beside the new one for a while when it is rotated', async () => {
    const { receiver, secret, path } = await listener(['product.created'])
    const key = newKey()
    const rotated = await app.admin.client.post(`${path}/secret`, undefined, { key })
    const newer = String(rotated.body.secret)
    const { id } = await newProduct(app)
    const [hook] = await receiver.until(1, 'productId', id)
    if (hook === undefined) throw new Error('no webhook')
    expect(newer).not.toBe(secret)
    expect(String(hook.headers['webhook-signature']).split(' ')).toHaveLength(2)
    expect(verified(newer, hook)).toEqual(verified(secret, hook))
    const again = await app.admin.client.post(`${path}/secret`, undefined, { key })
    expect(again.body.secret).toBe(newer)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
  })

  it('comes again with the answer to a request that is sent again', async () => {
    const request = { url: 'https://hooks.example.com/a', events: ['order.paid'] }
    const key = newKey()
    const first = await app.admin.client.post('/admin/webhooks', request, { key })
    const again = await app.admin.client.post('/admin/webhooks', request, { key })
    expect(again.body).toEqual(first.body)
    const other = { ...request, events: ['order.placed'] }
    const refused = await app.admin.client.post('/admin/webhooks', other, { key })
    expectProblem(refused, 422, 'command/key-reused')
  })
})

describe('an endpoint', () => {
  it('is changed and removed only by who has seen its last version', async () => {
    const { path, receiver } = await listener(['product.created'])
    const changed = await app.admin.client.patch(path, { enabled: false }, { ifMatch: '"0"' })
    expect(changed.body).toMatchObject({ enabled: false, disabledBecause: 'admin', revision: 1 })
    const stale = await app.admin.client.patch(path, { enabled: true }, { ifMatch: '"0"' })
    expectProblem(stale, 412, 'command/stale')
    expectProblem(
      await app.admin.client.delete(path, undefined, { ifMatch: null }),
      428,
      'request/precondition-required',
    )
    expect((await app.admin.client.delete(path, undefined, { ifMatch: '"1"' })).status).toBe(204)
    expectProblem(await app.admin.client.get(path), 404, 'webhook/not-found')
    expect(receiver.all).toEqual([])
  })

  it.each([
    'http://8.8.8.8/',
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://user:secret@example.com/',
  ])('at %s is refused', async url => {
    const answer = await app.admin.client.post('/admin/webhooks', { url, events: ['order.paid'] })
    expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/url')
  })
})

describe('endpoints that accept what is sent and never answer', () => {
  it('hold their own deliveries, and those of nobody else', async () => {
    const held: Socket[] = []
    const silent = createServer(socket => held.push(socket.on('error', () => undefined)))
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${Object(silent.address()).port}/`
    const paths: string[] = []
    for (let each = 0; each < 2; each += 1) {
      const asked = { url, events: ['product.created'] }
      const { body } = await app.admin.client.post('/admin/webhooks', asked)
      paths.push(`/admin/webhooks/${body.id}`)
    }
    for (let each = 0; each < 15; each += 1) await newProduct(app)
    await waitFor('both to hold all that they may', () => held.length >= 20)
    const { receiver } = await listener(['product.created'])
    const { id } = await newProduct(app)
    // An attempt is given up after ten seconds: until then both hold what they have.
    await waitFor('the other one', () => receiver.of('productId', id).length > 0, 8_000)
    expect(held).toHaveLength(20)
    for (const path of paths) await app.admin.client.delete(path)
    for (const socket of held) socket.destroy()
    silent.close()
  })
})
