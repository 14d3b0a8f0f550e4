// Stock over HTTP: booking pieces in and out, and the movements that explain what is there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

const adjust = (id: string, delta: unknown, more: object = {}) =>
  app.admin.client.post(`/products/${id}/stock-adjustments`, { delta, reason: 'counted', ...more })

describe('a count', () => {
  const count = (id: string, counted: unknown, more: object = {}) =>
    app.admin.client.post(`/products/${id}/stock-counts`, { counted, ...more })

  it('sets what is on hand and says by how much that differs', async () => {
    const { id } = await newProduct(app, { stock: 30 })
    await newOrder(shopper, id, 2)
    const done = await count(id, 7, { note: 'Shelf 4' })
    expect(done.status).toBe(201)
    const after = done.body.position
    const { body } = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(body).toMatchObject({ onHand: 7, reserved: 2, available: 5 })
    const movement = { onHandDelta: -23, reservedDelta: 0, reason: 'counted', note: 'Shelf 4' }
    expect(body.movements).toContainEqual(expect.objectContaining(movement))
    const refused = expectProblem(await count(id, 1), 409, 'stock/below-reserved')
    expect(refused).toMatchObject({ onHand: 7, reserved: 2 })
  })

  it('holds whatever is sold at the same time', async () => {
    const { id } = await newProduct(app, { stock: 50 })
    const orders = Array.from({ length: 5 }, () => newOrder(shopper, id, 1))
    const [done] = await Promise.all([count(id, 20), ...orders])
    expect(done.status).toBe(201)
    const last = await count(id, 20)
    const { body } = await app.admin.client.get(`/products/${id}/stock`, {
      after: last.body.position,
    })
    expect(body).toMatchObject({ onHand: 20, reserved: 5, available: 15 })
  })

  it('is a number of pieces, of a product that there is', async () => {
    const { id } = await newProduct(app)
    for (const counted of [-1, 1.5, '7', null]) {
      expectProblem(await count(id, counted), 400, 'request/invalid')
    }
    const nothing = '01980000-0000-7000-8000-00000000dead'
    expectProblem(await count(nothing, 1), 404, 'product/not-found')
  })
})

describe('an adjustment', () => {
  it('books pieces in and out and says why', async () => {
    const { id } = await newProduct(app, { stock: 3 })
    await adjust(id, 4, { reason: 'received', note: 'pallet 7' })
    const last = await adjust(id, -2, { reason: 'damaged' })
    expect(last.status).toBe(201)
    const after = last.body.position
    const { body } = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(body).toMatchObject({ onHand: 5, reserved: 0, available: 5 })
    expect(body.movements).toMatchObject([
      { onHandDelta: -2, reason: 'damaged' },
      { onHandDelta: 4, reason: 'received', note: 'pallet 7', actor: `admin:${app.admin.id}` },
      { onHandDelta: 3, reason: 'opening' },
    ])
  })

  it('never goes below what is promised to open orders', async () => {
    const { id } = await newProduct(app, { stock: 5 })
    await newOrder(shopper, id, 3)
    const answer = await adjust(id, -3)
    const problem = expectProblem(answer, 409, 'stock/below-reserved')
    expect(problem).toMatchObject({ onHand: 5, reserved: 3, available: 2 })
    expect((await adjust(id, -2)).status).toBe(201)
  })

  it('is refused with what is wrong about it', async () => {
    const { id } = await newProduct(app)
    for (const [pointer, body] of [
      ['/delta', { delta: 1.5, reason: 'counted' }],
      ['/delta', { delta: '1', reason: 'counted' }],
      ['/delta', { delta: 0, reason: 'counted' }],
      ['/delta', { delta: -0, reason: 'counted' }],
      ['/reason', { delta: 1, reason: 'magic' }],
      ['/onHand', { delta: 1, reason: 'counted', onHand: 9 }],
      ['/delta', { reason: 'counted' }],
    ] as const) {
      const answer = await app.admin.client.post(`/products/${id}/stock-adjustments`, body)
      const { errors } = expectProblem(answer, 400, 'request/invalid')
      expect(errors.map(each => each.pointer)).toContain(pointer)
    }
    const nothing = '01980000-0000-7000-8000-00000000dead'
    expectProblem(await adjust(nothing, 1), 404, 'product/not-found')
  })

  it('is for the warehouse and admins alone', async () => {
    const { id } = await newProduct(app)
    const body = { delta: 1, reason: 'found' }
    const path = `/products/${id}/stock-adjustments`
    const [warehouse, support] = [await app.person('warehouse'), await app.person('support')]
    expect((await warehouse.client.post(path, body)).status).toBe(201)
    expectProblem(await support.client.post(path, body), 403, 'command/forbidden')
    expectProblem(await shopper.client.post(path, body), 403, 'command/forbidden')
  })
})

describe('the ledger', () => {
  it('follows an order through its life', async () => {
    const { id } = await newProduct(app, { stock: 5 })
    const order = await newOrder(shopper, id, 2)
    const { orderId } = order.body
    await shopper.client.post(`/orders/${orderId}/pay`, {})
    const shipped = await moveOrder(app, orderId, 'shipped')
    const after = shipped.body.position
    const { body } = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(body).toMatchObject({ onHand: 3, reserved: 0, available: 3 })
    expect(body.movements).toMatchObject([
      { kind: 'ReservationCommitted', onHandDelta: -2, reservedDelta: -2, orderId },
      { kind: 'StockReserved', onHandDelta: 0, reservedDelta: 2, orderId },
      { kind: 'StockAdjusted' },
    ])
  })

  it('is for the staff and auditors', async () => {
    const { id, position: after } = await newProduct(app)
    const auditor = await app.person('auditor')
    expect((await auditor.client.get(`/products/${id}/stock`, { after })).status).toBe(200)
    expectProblem(await shopper.client.get(`/products/${id}/stock`), 403, 'command/forbidden')
    expectProblem(await app.anyone.get(`/products/${id}/stock`), 401, 'request/unauthenticated')
    const nothing = '01980000-0000-7000-8000-00000000dead'
    const missing = await app.admin.client.get(`/products/${nothing}/stock`)
    expectProblem(missing, 404, 'product/not-found')
  })
})

describe('what runs low', () => {
  it('is listed for those who order more, the scarcest first', async () => {
    const two = await newProduct(app, { stock: 2 })
    const one = await newProduct(app, { stock: 1 })
    const many = await newProduct(app, { stock: 100 })
    const { body } = await app.admin.client.get('/products/low-stock?pageSize=100', {
      after: many.position,
    })
    const ids = body.data.map(({ id }) => id)
    expect(ids.indexOf(one.id)).toBeLessThan(ids.indexOf(two.id))
    expect(ids.indexOf(one.id)).toBeGreaterThanOrEqual(0)
    expect(ids).not.toContain(many.id)
    expectProblem(await shopper.client.get('/products/low-stock'), 403, 'command/forbidden')
  })
})
