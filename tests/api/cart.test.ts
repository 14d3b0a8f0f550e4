// The cart over HTTP: putting in, changing, taking out, and what has changed since.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, gbp, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

const missing = '01980000-0000-7000-8000-00000000dead'

describe('a cart', () => {
  it('is empty at first', async () => {
    const { client } = await app.person()
    const { body } = await client.get('/cart')
    expect(body).toMatchObject({ items: [], itemCount: 0, total: gbp(0) })
  })

  it('adds up what is put in', async () => {
    const { client, id: customerId } = await app.person()
    const lamp = await newProduct(app, { price: gbp(250) })
    const rug = await newProduct(app, { price: gbp(1_000) })
    await client.post('/cart/items', { productId: lamp.id, quantity: 2 })
    await client.post('/cart/items', { productId: rug.id, quantity: 1 })
    const last = await client.post('/cart/items', { productId: lamp.id, quantity: 1 })
    expect(last.status).toBe(201)
    const { body } = await client.get('/cart', { after: last.body.position })
    expect(body).toMatchObject({ id: customerId, itemCount: 4, total: gbp(1_750) })
    expect(body.items).toMatchObject([
      { productId: lamp.id, quantity: 3, lineTotal: gbp(750), priceChanged: false },
      { productId: rug.id, quantity: 1, unitPrice: gbp(1_000), availability: 'in' },
    ])
    const total = await client.get('/cart/total', { after: last.body.position })
    expect(total.body).toEqual({ total: gbp(1_750), itemCount: 4 })
  })

  it.each(['put', 'patch'] as const)('changes a quantity by %s', async method => {
    const { client } = await app.person()
    const { id } = await newProduct(app)
    await client.post('/cart/items', { productId: id, quantity: 2 })
    const { body } = await client[method](`/cart/items/${id}`, { quantity: 5 })
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toMatchObject([{ productId: id, quantity: 5 }])
  })

  it('gives up an item, and all of them', async () => {
    const { client } = await app.person()
    const [first, second] = [await newProduct(app), await newProduct(app)]
    for (const { id } of [first, second]) {
      await client.post('/cart/items', { productId: id, quantity: 1 })
    }
    const removed = await client.delete(`/cart/items/${first.id}`)
    const one = await client.get('/cart', { after: removed.body.position })
    expect(one.body.items).toMatchObject([{ productId: second.id }])
    expect((await client.delete(`/cart/items/${first.id}`)).status).toBe(200)
    const cleared = await client.delete('/cart')
    const none = await client.get('/cart', { after: cleared.body.position })
    expect(none.body.items).toEqual([])
    expect((await client.delete('/cart')).status).toBe(200)
  })

  it('is its owner’s alone', async () => {
    const [ada, bob] = [await app.person(), await app.person()]
    const { id } = await newProduct(app)
    const { body } = await ada.client.post('/cart/items', { productId: id, quantity: 1 })
    const cart = await bob.client.get('/cart', { after: body.position })
    expect(cart.body.items).toEqual([])
    expectProblem(
      await bob.client.put(`/cart/items/${id}`, { quantity: 2 }),
      404,
      'cart/item-not-found',
    )
  })

  it('refuses what cannot be had', async () => {
    const { client } = await app.person()
    const { id } = await newProduct(app, { stock: 3 })
    const add = (body: object) => client.post('/cart/items', body)
    const tooMany = await add({ productId: id, quantity: 4 })
    expect(expectProblem(tooMany, 409, 'stock/insufficient').available).toBe(3)
    expectProblem(await add({ productId: id, quantity: 10_001 }), 409, 'cart/quantity-limit')
    expectProblem(await add({ productId: missing, quantity: 1 }), 404, 'product/not-found')
    const change = await client.put(`/cart/items/${id}`, { quantity: 1 })
    expectProblem(change, 404, 'cart/item-not-found')
  })

  it('refuses what is not a quantity', async () => {
    const { client } = await app.person()
    const { id } = await newProduct(app)
    for (const quantity of [0, -1, 1.5, '1', null, 1e9]) {
      const answer = await client.post('/cart/items', { productId: id, quantity })
      expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/quantity')
    }
    const strange = await client.post('/cart/items', { productId: id, quantity: 1, price: 1 })
    expect(expectProblem(strange, 400, 'request/invalid').errors[0]?.pointer).toBe('/price')
    expectProblem(await client.post('/cart/items', '{"productId":'), 400, 'request/invalid')
    expectProblem(await client.post('/cart/items', 'null'), 400, 'request/invalid')
  })
})

describe('a price that changes while a product is in the cart', () => {
  const filled = async () => {
    const person = await app.person()
    const { id } = await newProduct(app, { price: gbp(500) })
    await person.client.post('/cart/items', { productId: id, quantity: 2 })
    return { ...person, productId: id }
  }
  const setPrice = (id: string, amount: number) =>
    app.admin.client.patch(`/products/${id}`, { price: gbp(amount) })

  it('is shown in the cart', async () => {
    const { client, productId } = await filled()
    const { body } = await setPrice(productId, 600)
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toMatchObject([
      { unitPrice: gbp(500), currentPrice: gbp(600), priceChanged: true },
    ])
  })

  it('upwards has to be accepted', async () => {
    const { client, productId } = await filled()
    await setPrice(productId, 600)
    const refused = expectProblem(await client.post('/orders', delivery), 409, 'cart/price-changed')
    expect(refused.changes).toEqual([{ productId, before: gbp(500), now: gbp(600) }])
    const accepted = await client.post('/orders', { ...delivery, acceptPrices: true })
    expect(accepted.status).toBe(201)
    expect(accepted.body.total).toEqual(gbp(1_200))
  })

  it('downwards is passed on', async () => {
    const { client, productId } = await filled()
    await setPrice(productId, 400)
    const { status, body } = await client.post('/orders', delivery)
    expect(status).toBe(201)
    expect(body.total).toEqual(gbp(800))
  })

  it('to out of the shop ends its sale', async () => {
    const { client, productId } = await filled()
    const { body } = await app.admin.client.delete(`/products/${productId}`)
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toMatchObject([{ availability: 'out' }])
    expectProblem(await client.post('/orders', delivery), 404, 'product/not-found')
  })
})

describe('a product that is not sold any more', () => {
  it('stays in the cart in as many pieces, or fewer, and can be taken out', async () => {
    const { client } = await app.person()
    const { id } = await newProduct(app, { stock: 10 })
    await client.post('/cart/items', { productId: id, quantity: 2 })
    await app.admin.client.delete(`/products/${id}`, undefined, { ifMatch: '*' })
    const set = (quantity: number) => client.put(`/cart/items/${id}`, { quantity })
    expect(expectProblem(await set(3), 404, 'product/not-found').productId).toBe(id)
    expect((await set(2)).status).toBe(200)
    expect((await set(1)).status).toBe(200)
    expectProblem(await set(2), 404, 'product/not-found')
    expect((await client.delete(`/cart/items/${id}`)).status).toBe(200)
  })
})
