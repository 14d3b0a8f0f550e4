// What a request has to say beforehand: a key where a repeat costs, a version where others edit.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, gbp, newKey, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

const keyless = { key: null }

describe('without an Idempotency-Key', () => {
  const refused = async (path: string, body: unknown, person = shopper) => {
    const problem = expectProblem(
      await person.client.post(path, body, keyless),
      400,
      'request/key-required',
    )
    expect(problem).toMatchObject({
      header: 'Idempotency-Key',
      detail: expect.stringContaining('Idempotency-Key'),
    })
  }

  it('no order is placed', async () => {
    const { id } = await newProduct(app)
    const body = { ...delivery, items: [{ productId: id, quantity: 1 }] }
    await refused('/orders', body)
    await refused('/orders/checkout', body)
    expect((await shopper.client.get('/orders')).body.total).toBe(0)
  })

  it('nothing is paid, and no stock is booked', async () => {
    const person = await app.person()
    const { id } = await newProduct(app)
    const { body } = await newOrder(person, id)
    await refused(`/orders/${body.id}/pay`, {}, person)
    await refused(`/products/${id}/stock-adjustments`, { delta: 1, reason: 'received' }, app.admin)
  })

  it('everything else works', async () => {
    const { id } = await newProduct(app)
    const added = await shopper.client.post('/cart/items', { productId: id, quantity: 1 }, keyless)
    expect(added.status).toBe(201)
  })

  it('the document says so', () => {
    const { requires } = app.contract
    expect(requires('POST', '/api/orders', 'idempotency-key')).toBe(true)
    expect(requires('POST', '/api/cart/items', 'idempotency-key')).toBe(false)
  })
})

describe('an Idempotency-Key', () => {
  it('is the same with quotes and without', async () => {
    const { id } = await newProduct(app)
    const body = { ...delivery, items: [{ productId: id, quantity: 1 }] }
    const key = newKey()
    const first = await shopper.client.post('/orders', body, { key })
    const again = await shopper.client.post('/orders', body, { key: `"${key}"` })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
  })

  it('is asked for before the body is looked at, but after who asks', async () => {
    const nonsense = { nonsense: true }
    expectProblem(
      await shopper.client.post('/orders', nonsense, keyless),
      400,
      'request/key-required',
    )
    const { anyone } = app
    expectProblem(await anyone.post('/orders', nonsense, keyless), 401, 'request/unauthenticated')
  })

  it('of a request that was refused can be used again: nothing has happened', async () => {
    const person = await app.person()
    const { id } = await newProduct(app, { stock: 0 })
    const body = { ...delivery, items: [{ productId: id, quantity: 1 }] }
    const key = newKey()
    const short = await person.client.post('/orders', body, { key })
    expectProblem(short, 409, 'order/out-of-stock')
    await app.admin.client.post(`/products/${id}/stock-adjustments`, {
      delta: 1,
      reason: 'received',
    })
    expect((await person.client.post('/orders', body, { key })).status).toBe(201)
  })
})

describe('an edit by the staff', () => {
  const edits = ['put', 'patch'] as const

  it.each(edits)('of a product by %s needs the version that was seen', async method => {
    const { id, answer } = await newProduct(app)
    const path = `/products/${id}`
    const { client } = app.admin
    const blind = await client[method](path, { name: 'Blind' }, { ifMatch: null })
    expect(expectProblem(blind, 428, 'request/precondition-required')).toMatchObject({
      header: 'If-Match',
    })
    const seen = await client.get(path, { after: answer.body.position })
    const ifMatch = seen.headers.get('etag')
    expect((await client[method](path, { name: 'Seen' }, { ifMatch })).status).toBe(200)
    const stale = await client[method](path, { name: 'Stale' }, { ifMatch })
    expect(expectProblem(stale, 412, 'command/stale')).toMatchObject({
      currentRevision: answer.body.revision + 1,
    })
  })

  it.each(edits)('of a category by %s does, too', async method => {
    const { client } = app.admin
    const made = await client.post('/categories', { name: `Lamps ${newKey()}` })
    const path = `/categories/${made.body.id}`
    const blind = await client[method](path, { name: 'Blind' }, { ifMatch: null })
    expectProblem(blind, 428, 'request/precondition-required')
    const ifMatch = made.headers.get('etag')
    expect((await client[method](path, { name: newKey() }, { ifMatch })).status).toBe(200)
    const stale = await client[method](path, { name: newKey() }, { ifMatch })
    expectProblem(stale, 412, 'command/stale')
  })

  it('that takes a product away does, too', async () => {
    const { id, answer } = await newProduct(app)
    const { client } = app.admin
    const path = `/products/${id}`
    const blind = await client.delete(path, undefined, { ifMatch: null })
    expectProblem(blind, 428, 'request/precondition-required')
    await client.patch(path, { price: gbp(1) })
    const ifMatch = answer.headers.get('etag')
    expectProblem(await client.delete(path, undefined, { ifMatch }), 412, 'command/stale')
    expect((await client.delete(path, undefined, { ifMatch: '*' })).status).toBe(200)
  })

  it('may say that any version will do', async () => {
    const { id } = await newProduct(app)
    const { client } = app.admin
    const any = await client.patch(`/products/${id}`, { name: 'Any' }, { ifMatch: '*' })
    expect(any.status).toBe(200)
    const nonsense = { ifMatch: 'the newest' }
    const refused = await client.patch(`/products/${id}`, { name: 'None' }, nonsense)
    expectProblem(refused, 400, 'request/invalid')
  })
})

describe('an edit by a shopper', () => {
  it('needs no version, and is held to one that is sent', async () => {
    const { id } = await newProduct(app)
    const placed = await newOrder(shopper, id)
    const path = `/orders/${placed.body.id}`
    const ifMatch = placed.headers.get('etag')
    const there = { shippingAddress: '2 Low Street' }
    expect((await shopper.client.patch(path, there)).status).toBe(200)
    const stale = await shopper.client.patch(path, { shippingAddress: '3' }, { ifMatch })
    expectProblem(stale, 412, 'command/stale')
  })
})

describe('a precondition on what somebody else has', () => {
  it('tells no more than a missing object does, neither revision nor existence', async () => {
    const { id } = await newProduct(app)
    const placed = await newOrder(await app.person(), id)
    const stranger = (await app.person()).client
    const missing = '01980000-0000-7000-8000-000000000000'
    const right = placed.headers.get('etag') ?? ''
    for (const ifMatch of ['"999999"', '"0"', right, '*']) {
      const key = newKey()
      const ask = async (orderId: string) => [
        await stranger.patch(`/orders/${orderId}`, { phoneNumber: '1' }, { ifMatch, key }),
        await stranger.post(`/orders/${orderId}/cancel`, {}, { ifMatch, key }),
        await stranger.post(`/orders/${orderId}/pay`, {}, { ifMatch, key }),
        await stranger.delete(`/orders/${orderId}`, undefined, { ifMatch, key }),
        await stranger.get(`/orders/${orderId}`, { ifNoneMatch: ifMatch }),
        await stranger.get(`/orders/${orderId}/history`, { ifNoneMatch: ifMatch }),
      ]
      const hidden = await ask(placed.body.id)
      const absent = await ask(missing)
      for (const [index, answer] of hidden.entries()) {
        const { requestId: _, ...told } = expectProblem(answer, 404, 'order/not-found')
        const { requestId: __, ...wanted } = absent[index]?.body ?? { requestId: '' }
        expect(told).toEqual(wanted)
        expect(answer.headers.get('etag')).toBeNull()
      }
    }
  })

  it('is looked at for the owner, before what the business says', async () => {
    const owner = await app.person()
    const { id } = await newProduct(app)
    const { body } = await newOrder(owner, id)
    await owner.client.post(`/orders/${body.id}/cancel`, {})
    const again = await owner.client.post(`/orders/${body.id}/pay`, {}, { ifMatch: '"999999"' })
    expectProblem(again, 412, 'command/stale')
  })
})
