// One Idempotency-Key, one effect: the same answer again, whoever asks how often and when.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStream } from '../../src/ports/eventStore.ts'
import { atOnce, delivery, expectProblem, gbp, newKey, newProduct } from '../support/goods.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

const orderOf = (productId: string, quantity = 1) => ({
  ...delivery,
  items: [{ productId, quantity }],
})

const ordersOf = async (customerId: string, after: string) => {
  const path = `/orders?customerId=${customerId}`
  return (await app.admin.client.get(path, { after })).body.total
}

describe('the same request again', () => {
  it('gets the first answer and says so', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const key = newKey()
    const first = await person.client.post('/orders', orderOf(id), { key })
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    const again = await person.client.post('/orders', orderOf(id), { key })
    expect(again.status).toBe(201)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    expect(await ordersOf(person.id, first.body.position)).toBe(1)
  })

  it('gets it even when the order has gone on meanwhile', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const [placing, paying] = [newKey(), newKey()]
    const placed = await person.client.post('/orders', orderOf(id), { key: placing })
    const { orderId } = placed.body
    const paid = await person.client.post(`/orders/${orderId}/pay`, {}, { key: paying })
    const shipped = await app.admin.client.patch(`/orders/${orderId}/status`, {
      status: 'shipped',
    })
    expect(shipped.status).toBe(200)
    const placedAgain = await person.client.post('/orders', orderOf(id), { key: placing })
    expect(placedAgain.body).toMatchObject({ orderId, status: 'pending', revision: 2 })
    const paidAgain = await person.client.post(`/orders/${orderId}/pay`, {}, { key: paying })
    expect(paidAgain.headers.get('idempotent-replayed')).toBe('true')
    expect(paidAgain.status).toBe(paid.status)
  })

  it('gets it when the cart has been filled anew, and leaves that cart alone', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const key = newKey()
    const fill = () => person.client.post('/cart/items', { productId: id, quantity: 2 })
    await fill()
    const first = await person.client.post('/orders', delivery, { key })
    const { position } = (await fill()).body
    const again = await person.client.post('/orders', delivery, { key })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    expect(await ordersOf(person.id, position)).toBe(1)
    const { items } = (await person.client.get('/cart', { after: position })).body
    expect(items).toMatchObject([{ productId: id, quantity: 2 }])
  })

  it('with another body is refused', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const key = newKey()
    await person.client.post('/orders', orderOf(id), { key })
    const other = await person.client.post('/orders', orderOf(id, 2), { key })
    expectProblem(other, 422, 'command/key-reused')
    const item = { productId: id, quantity: 1 }
    await person.client.post('/cart/items', item, { key })
    const more = await person.client.post('/cart/items', { ...item, quantity: 2 }, { key })
    expectProblem(more, 422, 'command/key-reused')
  })

  it('from somebody else is another request', async () => {
    const [ada, bob] = [await app.person(), await app.person()]
    const { id } = await newProduct(app)
    const key = newKey()
    const first = await ada.client.post('/orders', orderOf(id), { key })
    const other = await bob.client.post('/orders', orderOf(id, 2), { key })
    expect(other.status).toBe(201)
    expect(other.headers.get('idempotent-replayed')).toBeNull()
    expect(other.body.orderId).not.toBe(first.body.orderId)
    expect(JSON.stringify(other.body)).not.toContain(first.body.orderNumber)
  })

  it('of every other kind has one effect, too', async () => {
    const person = await app.person()
    const { id, answer } = await newProduct(app, { stock: 10 })
    expect(answer.status).toBe(201)
    const twice = async (ask: (key: string) => Promise<typeof answer>) => {
      const key = newKey()
      const first = await ask(key)
      const again = await ask(key)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(again.body).toEqual(first.body)
      return again.body
    }
    await twice(key => app.admin.client.post('/products', { name: 'L', price: gbp(1) }, { key }))
    await twice(key => app.admin.client.post('/categories', { name: 'C' }, { key }))
    await twice(key => app.admin.client.patch(`/products/${id}`, { name: 'Other' }, { key }))
    const body = { delta: 5, reason: 'received' }
    const path = `/products/${id}/stock-adjustments`
    const adjusted = await twice(key => app.admin.client.post(path, body, { key }))
    const after = adjusted.position
    const stock = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(stock.body.onHand).toBe(15)
    const item = { productId: id, quantity: 2 }
    const added = await twice(key => person.client.post('/cart/items', item, { key }))
    const cart = await person.client.get('/cart/total', { after: added.position })
    expect(cart.body.itemCount).toBe(2)
  })

  it('is refused when the key is not one', async () => {
    const person = await app.person()
    const answer = await person.client.post('/orders', delivery, { key: 'k'.repeat(256) })
    expectProblem(answer, 400, 'request/invalid')
  })
})

describe('32 at the same time', () => {
  it.each(['items', 'the cart'])(
    'place one order of %s, and every answer is that order',
    async from => {
      const person = await app.person()
      const { id } = await newProduct(app, { stock: 1 })
      if (from === 'the cart') {
        await person.client.post('/cart/items', { productId: id, quantity: 1 })
      }
      const body = from === 'items' ? orderOf(id) : delivery
      const key = newKey()
      const answers = await atOnce(32, () => person.client.post('/orders', body, { key }))
      expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([201]))
      expect(new Set(answers.map(answer => answer.body.orderId)).size).toBe(1)
      const fresh = answers.filter(answer => answer.headers.get('idempotent-replayed') === null)
      expect(fresh).toHaveLength(1)
      expect(await ordersOf(person.id, answers[0]?.body.position ?? '')).toBe(1)
    },
  )

  it('pay once', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const placed = await person.client.post('/orders', orderOf(id))
    const path = `/orders/${placed.body.orderId}`
    const key = newKey()
    const answers = await atOnce(32, () => person.client.post(`${path}/pay`, {}, { key }))
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([200]))
    const history = await person.client.get(`${path}/history`)
    const events = history.body.data.map(({ event }) => event)
    expect(events.filter(event => event === 'OrderPaid')).toHaveLength(1)
  })

  it('with keys of their own pay once, too', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const placed = await person.client.post('/orders', orderOf(id))
    const path = `/orders/${placed.body.orderId}`
    const answers = await atOnce(32, () => person.client.post(`${path}/pay`, {}, { key: newKey() }))
    const paid = answers.filter(answer => answer.status === 200)
    const refused = answers.filter(answer => answer.status === 409)
    expect([paid.length, refused.length]).toEqual([1, 31])
    const order = await person.client.get(path, { after: paid[0]?.body.position ?? '' })
    expect(order.body.captured).toEqual(gbp(425))
  })

  it('book pieces in once', async () => {
    const { id } = await newProduct(app, { stock: 0 })
    const path = `/products/${id}/stock-adjustments`
    const key = newKey()
    const body = { delta: 3, reason: 'received' }
    const answers = await atOnce(32, () => app.admin.client.post(path, body, { key }))
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([201]))
    const after = answers[0]?.body.position ?? ''
    const stock = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(stock.body.onHand).toBe(3)
  })
})

describe('registering again with the same key', () => {
  const person = (username: string) => ({
    username,
    email: `${username}@example.com`,
    password,
    firstName: 'Ann',
  })
  const register = (body: object, key: string) => app.anyone.post('/auth/register', body, { key })

  it('signs in to the account of the first time, with a session of its own', async () => {
    const key = newKey()
    const first = await register(person('again'), key)
    const second = await register(person('again'), key)
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.body.user).toEqual(first.body.user)
    expect(second.body.tokens).not.toEqual(first.body.tokens)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(second.headers.get('idempotent-replayed')).toBe('true')
  })

  it('and other credentials is refused, and tells nothing', async () => {
    const key = newKey()
    await register(person('owner'), key)
    for (const change of [
      { password: 'another long password' },
      { username: 'other' },
      { email: 'other@example.com' },
      { firstName: 'Eve' },
    ]) {
      const refused = await register({ ...person('owner'), ...change }, key)
      expectProblem(refused, 422, 'command/key-reused')
    }
    expectProblem(await register(person('owner'), newKey()), 409, 'account/username-taken')
  })

  it('at the same time makes one account', async () => {
    const key = newKey()
    // On a busy machine six passwords take their time: whoever is told to asks again.
    const untilDone = async (): Promise<Awaited<ReturnType<typeof register>>> => {
      const once = { key, expects: 503 }
      const answer = await app.anyone.post('/auth/register', person('hasty'), once)
      return answer.status === 503 ? untilDone() : answer
    }
    const answers = await atOnce(6, untilDone)
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(201))
    const users = answers.map(({ body }) => JSON.stringify(body.user))
    expect(new Set(users).size).toBe(1)
  }, 120_000)
})

describe('a guest who tries to fill a cart again', () => {
  const add = (body: object, key: string | null, headers = {}) =>
    app.anyone.post('/cart/items', body, { key, headers })

  it('with the same key has one cart, and is told its token each time', async () => {
    const { id: productId } = await newProduct(app)
    const key = newKey()
    const answers = await atOnce(4, () => add({ productId, quantity: 2 }, key))
    const tokens = new Set(answers.map(({ body }) => body.cartToken))
    expect(tokens.size).toBe(1)
    const [token] = tokens
    const after = answers[0]?.body.position ?? ''
    const headers = { 'x-cart-token': String(token) }
    const { body } = await app.anyone.get('/cart', { after, headers })
    expect(body.itemCount).toBe(2)
    expectProblem(await add({ productId, quantity: 3 }, key), 422, 'command/key-reused')
  })

  it('shares it with nobody who happens to send that key, or a short one', async () => {
    const { id: productId } = await newProduct(app)
    const item = { productId, quantity: 1 }
    const key = newKey()
    const one = await add(item, key)
    const other = await add(item, key, { 'user-agent': 'another' })
    const [short, shorter] = [await add(item, 'mine'), await add(item, 'mine')]
    const all = [one, other, short, shorter]
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect(new Set(all.map(({ body }) => body.cartToken)).size).toBe(4)
  })
})

describe('a request without a key', () => {
  it('is a command of its own each time, with the id that logs and answers name', async () => {
    const { client, id } = await app.person()
    const { id: productId } = await newProduct(app)
    const item = { productId, quantity: 1 }
    const answers = [
      await client.post('/cart/items', item, { key: null }),
      await client.post('/cart/items', item, { key: null }),
    ]
    const named = answers.map(({ headers }) => headers.get('x-request-id'))
    expect(new Set(named).size).toBe(2)
    expect(await commandsOn(`cart-${id}`, 'ItemAddedToCart')).toEqual(named)
  })

  it('is not named by who sends it', async () => {
    const { client, id } = await app.person()
    const { id: productId } = await newProduct(app)
    const headers = { 'x-request-id': 'of-the-client' }
    const item = { productId, quantity: 1 }
    for (const _ of ['one', 'another']) {
      const { status } = await client.post('/cart/items', item, { key: null, headers })
      expect(status).toBe(201)
    }
    const commands = await commandsOn(`cart-${id}`, 'ItemAddedToCart')
    expect(new Set(commands).size).toBe(2)
    expect(commands).not.toContain('of-the-client')
  })
})

/** The ids of the commands that have written events of a type. */
async function commandsOn(stream: string, wanted: string): Promise<unknown[]> {
  const commands: unknown[] = []
  for await (const { type, metadata } of readStream(app.back.eventStore, stream)) {
    if (type === wanted) commands.push(metadata.commandId)
  }
  return commands
}
