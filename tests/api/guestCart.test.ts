// Carts of people who have not signed in: theirs by a token, and the customer's once they sign in.

import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cartLimits } from '../../src/domain/cart/cart.ts'
import type { Position } from '../../src/kit/position.ts'
import type { Answer } from '../support/apiClient.ts'
import { atOnce, delivery, expectProblem, gbp, newKey, newProduct } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { CORS_ORIGINS: 'https://shop.example' } })
})
afterAll(() => app?.close())

const by = (token: string) => ({ headers: { 'x-cart-token': token } })
const strange = () => randomBytes(32).toString('base64url')

/** Puts something in without a token; the answer has one. */
async function newGuest(productId: string, quantity = 1) {
  const answer = await app.anyone.post('/cart/items', { productId, quantity })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  const token = String(answer.headers.get('x-cart-token'))
  return { token, answer, position: answer.body.position }
}

const add = (token: string, productId: string, quantity = 1) =>
  app.anyone.post('/cart/items', { productId, quantity }, by(token))

const see = (token: string, after: string) => app.anyone.get('/cart', { ...by(token), after })

const logIn = ({ username }: Person, token: string): Promise<Answer> =>
  app.anyone.post('/auth/login', { username, password }, by(token))

async function itemsOf({ client }: Person, after: string | Position) {
  return (await client.get('/cart', { after })).body.items
}

describe('a guest', () => {
  it('is given a token once, with the first item, and has a cart by it', async () => {
    const lamp = await newProduct(app, { price: gbp(250) })
    const { token, answer } = await newGuest(lamp.id, 2)
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(answer.body.cartToken).toBe(token)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    const again = await add(token, lamp.id)
    expect(again.body.id).toBe(answer.body.id)
    expect(again.headers.get('x-cart-token')).toBeNull()
    expect(again.body).not.toHaveProperty('cartToken')
    const { body } = await see(token, again.body.position)
    expect(body).toMatchObject({ itemCount: 3, items: [{ productId: lamp.id, quantity: 3 }] })
    const total = await app.anyone.get('/cart/total', by(token))
    expect(total.body).toEqual({ total: gbp(750), itemCount: 3 })
  })

  it.each(['put', 'patch'] as const)('changes, takes out and empties, with %s', async method => {
    const [lamp, rug] = [await newProduct(app), await newProduct(app)]
    const { token } = await newGuest(lamp.id)
    await add(token, rug.id)
    const changed = await app.anyone[method](`/cart/items/${lamp.id}`, { quantity: 4 }, by(token))
    expect((await see(token, changed.body.position)).body.itemCount).toBe(5)
    const removed = await app.anyone.delete(`/cart/items/${lamp.id}`, undefined, by(token))
    expect((await see(token, removed.body.position)).body.itemCount).toBe(1)
    const cleared = await app.anyone.delete('/cart', undefined, by(token))
    expect((await see(token, cleared.body.position)).body.items).toEqual([])
  })

  it('without a token has an empty cart', async () => {
    const { id } = await newProduct(app)
    const { body, headers } = await app.anyone.get('/cart')
    expect(body).toMatchObject({ items: [], itemCount: 0, total: gbp(0) })
    expect(headers.get('x-cart-token')).toBeNull()
    expect((await app.anyone.get('/cart/total')).body.itemCount).toBe(0)
    const change = await app.anyone.put(`/cart/items/${id}`, { quantity: 1 })
    expectProblem(change, 404, 'cart/item-not-found')
    const emptied = await app.anyone.delete('/cart')
    expect(emptied.status).toBe(200)
    expect(emptied.headers.get('x-cart-token')).toBeNull()
  })

  it('has nothing by a token that nobody gave', async () => {
    const { id } = await newProduct(app)
    const everything = (token: string) => [
      app.anyone.get('/cart', by(token)),
      app.anyone.get('/cart/total', by(token)),
      add(token, id),
      app.anyone.put(`/cart/items/${id}`, { quantity: 1 }, by(token)),
      app.anyone.patch(`/cart/items/${id}`, { quantity: 1 }, by(token)),
      app.anyone.delete(`/cart/items/${id}`, undefined, by(token)),
      app.anyone.delete('/cart', undefined, by(token)),
    ]
    for (const asked of everything(strange())) expectProblem(await asked, 404, 'cart/not-found')
    for (const token of ['x', `${strange()}x`, '../../etc', strange().replace(/.$/, '!')]) {
      for (const asked of everything(token)) expectProblem(await asked, 400, 'request/invalid')
    }
  })

  it('cannot reach anybody else’s cart', async () => {
    const { id } = await newProduct(app)
    const [one, other] = [await newGuest(id, 1), await newGuest(id, 2)]
    const owner = await app.person()
    const { body } = await owner.client.post('/cart/items', { productId: id, quantity: 3 })
    expect((await see(one.token, body.position)).body.itemCount).toBe(1)
    expect((await see(other.token, body.position)).body.itemCount).toBe(2)
    expectProblem(await app.anyone.get('/cart', by(owner.id)), 400, 'request/invalid')
    expect(await itemsOf(owner, body.position)).toMatchObject([{ quantity: 3 }])
  })

  it('is held to the limits and the stock of the shop', async () => {
    const { id } = await newProduct(app, { stock: 3 })
    const refused = await app.anyone.post('/cart/items', { productId: id, quantity: 4 })
    expectProblem(refused, 409, 'stock/insufficient')
    expect(refused.headers.get('x-cart-token')).toBeNull()
    const { token } = await newGuest(id, 3)
    expectProblem(await add(token, id), 409, 'stock/insufficient')
    expectProblem(await add(token, id, 10_001), 409, 'cart/quantity-limit')
    const order = await app.anyone.post('/orders', delivery, { ...by(token), key: newKey() })
    expectProblem(order, 401, 'request/unauthenticated')
  })

  it('gets the first answer again with the same key, and another guest an own one', async () => {
    const { id } = await newProduct(app)
    const [one, other] = [await newGuest(id), await newGuest(id)]
    const key = newKey()
    const ask = (token: string, quantity: number) =>
      app.anyone.post('/cart/items', { productId: id, quantity }, { ...by(token), key })
    const first = await ask(one.token, 2)
    const again = await ask(one.token, 2)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    expectProblem(await ask(one.token, 3), 422, 'command/key-reused')
    const elsewhere = await ask(other.token, 3)
    expect(elsewhere.headers.get('idempotent-replayed')).toBeNull()
    const { body } = await see(other.token, elsewhere.body.position)
    expect(body.itemCount).toBe(4)
    expect((await see(one.token, elsewhere.body.position)).body.itemCount).toBe(3)
    const streams = [one, other].map(({ answer }) => `cart-${answer.body.id}`)
    const { rows } = await app.back.pool.query(
      `select count(distinct metadata->>'commandId')::integer as commands
      from eventstore.events where stream = any($1)`,
      [streams],
    )
    expect(rows).toEqual([{ commands: 4 }])
  })

  it('leaves no token in the log', async () => {
    const { id } = await newProduct(app)
    const { token, answer } = await newGuest(id)
    await logIn(await app.person(), token)
    const eventsWith = async (text: string) => {
      const query = 'select count(*)::integer as n from eventstore.events e where e::text like $1'
      return (await app.back.pool.query(query, [`%${text}%`])).rows[0]?.n
    }
    expect(await eventsWith(token)).toBe(0)
    expect(await eventsWith(answer.body.id)).toBeGreaterThan(2)
  })
})

describe('signing in', () => {
  it('adds what the guest has to what the customer has, and ends the guest’s cart', async () => {
    const [lamp, rug] = [await newProduct(app), await newProduct(app)]
    const person = await app.person()
    await person.client.post('/cart/items', { productId: lamp.id, quantity: 1 })
    const { token } = await newGuest(lamp.id, 2)
    await add(token, rug.id, 3)
    const { status, body, headers } = await logIn(person, token)
    expect(status).toBe(200)
    expect(headers.get('x-position')).toBe(body.position)
    expect(await itemsOf(person, body.position)).toMatchObject([
      { productId: lamp.id, quantity: 3 },
      { productId: rug.id, quantity: 3 },
    ])
    expectProblem(await app.anyone.get('/cart', by(token)), 410, 'cart/closed')
    expectProblem(await add(token, rug.id), 410, 'cart/closed')
    const order = await person.client.post('/orders', delivery)
    expect(order.body).toMatchObject({ total: gbp(6 * 425) })
  })

  it('up brings the cart along, too', async () => {
    const { id } = await newProduct(app)
    const { token } = await newGuest(id, 2)
    const username = `g-${randomBytes(5).toString('hex')}`
    const account = { username, email: `${username}@example.com`, password }
    const { status, body } = await app.anyone.post('/auth/register', account, by(token))
    expect(status).toBe(201)
    const person = await app.anyone.post('/auth/login', { username, password }, by(token))
    const tokens = person.body.tokens
    const access = typeof tokens === 'object' && tokens !== null && 'access' in tokens
    const client = app.as(access ? String(tokens.access) : '')
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toMatchObject([{ productId: id, quantity: 2 }])
  })

  it('again, or many times at once, adds nothing more', async () => {
    const { id } = await newProduct(app)
    const person = await app.person()
    const { token } = await newGuest(id, 2)
    const answers = await atOnce(6, () => logIn(person, token))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
    const again = await logIn(person, token)
    expect(again.body).not.toHaveProperty('position')
    const after = await app.back.eventStore.head()
    expect(await itemsOf(person, after)).toMatchObject([{ productId: id, quantity: 2 }])
  })

  it('loses nothing that is put in at the same time', async () => {
    const products = await atOnce(6, () => newProduct(app))
    const person = await app.person()
    const [first, ...others] = products.map(({ id }) => id)
    const { token } = await newGuest(first ?? '')
    const [answers] = await Promise.all([
      Promise.all(others.map(id => add(token, id))),
      logIn(person, token),
    ])
    const taken = answers.filter(({ status }) => status === 201).length
    expect(answers.every(({ status }) => [201, 410].includes(status))).toBe(true)
    await logIn(person, token)
    expect(await itemsOf(person, await app.back.eventStore.head())).toHaveLength(1 + taken)
  })

  it('stops at what a cart may hold', async () => {
    const { id } = await newProduct(app, { stock: 30_000 })
    const person = await app.person()
    const most = cartLimits.quantity
    await person.client.post('/cart/items', { productId: id, quantity: most - 1 })
    const { token } = await newGuest(id, 5)
    const { body } = await logIn(person, token)
    expect(await itemsOf(person, String(body.position))).toMatchObject([{ quantity: most }])
  })

  it('keeps the price that the guest saw, so that a rise is asked about', async () => {
    const { id } = await newProduct(app, { price: gbp(500) })
    const { token } = await newGuest(id)
    await app.admin.client.patch(`/products/${id}`, { price: gbp(600) })
    const person = await app.person()
    await logIn(person, token)
    expectProblem(await person.client.post('/orders', delivery), 409, 'cart/price-changed')
  })

  it('does not fail for a token that is none, and a customer’s own cart counts', async () => {
    const { id } = await newProduct(app)
    const person = await app.person()
    for (const token of ['x', strange()]) expect((await logIn(person, token)).status).toBe(200)
    const { token, position } = await newGuest(id)
    const own = await person.client.get('/cart', { ...by(token), after: position })
    expect(own.body).toMatchObject({ id: person.id, items: [] })
    expect((await person.client.get('/cart', by('x'))).body.id).toBe(person.id)
    const wrong = { username: person.username, password: 'not the password at all' }
    expect((await app.anyone.post('/auth/login', wrong, by(token))).status).toBe(401)
    expect((await see(token, position)).body.itemCount).toBe(1)
  })

  it('does not fail for a cart that cannot be read', async () => {
    const { id } = await newProduct(app)
    const person = await app.person()
    const { token, answer } = await newGuest(id)
    const { eventStore } = app.back
    const unheard = { id: randomUUID(), type: 'CartBurnt', data: {}, metadata: { v: 1 } }
    await eventStore.append(`cart-${answer.body.id}`, answer.body.revision, [unheard])
    expect((await logIn(person, token)).status).toBe(200)
  })
})

describe('a page of another origin', () => {
  it('may send the token and read it', async () => {
    const origin = 'https://shop.example'
    const asked = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-cart-token',
    }
    const preflight = await fetch(`${app.url}/api/cart/items`, {
      method: 'OPTIONS',
      headers: asked,
    })
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-cart-token')
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH')
    const { headers } = await app.anyone.get('/cart', { headers: { origin } })
    expect(headers.get('access-control-expose-headers')).toContain('x-cart-token')
  })
})
