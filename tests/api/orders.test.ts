// Orders over HTTP: placing, paying, cancelling, shipping, and who may see what.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let ada: Person
let bob: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
  bob = await app.person()
})
afterAll(() => app?.close())

const missing = '01980000-0000-7000-8000-00000000dead'

describe('an order from the cart', () => {
  it.each(['/orders', '/orders/checkout'])('is placed by POST %s and empties it', async path => {
    const { client } = await app.person()
    const { id } = await newProduct(app)
    await client.post('/cart/items', { productId: id, quantity: 3 })
    const { status, headers, body } = await client.post(path, delivery)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/api/orders/${body.orderId}`)
    expect(body).toMatchObject({ status: 'pending', total: gbp(1_275), id: body.orderId })
    expect(body.orderNumber).toMatch(/^\d{3}-\d{4}$/)
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toEqual([])
  })

  it('is refused when there is nothing in it', async () => {
    const { client } = await app.person()
    expectProblem(await client.post('/orders', delivery), 409, 'cart/empty')
  })

  it('keeps the prices and names of its day', async () => {
    const { id } = await newProduct(app, { name: 'Teapot', price: gbp(999) })
    const { body } = await newOrder(ada, id, 2)
    const path = `/products/${id}`
    const changed = await app.admin.client.patch(path, { name: 'Pot', price: gbp(1) })
    const after = changed.body.position
    // The order is looked at once the catalogue shows the new price.
    expect((await app.anyone.get(path, { after })).body.price).toEqual(gbp(1))
    const order = await ada.client.get(`/orders/${body.orderId}`, { after })
    expect(order.body.lines).toMatchObject([
      { name: 'Teapot', unitPrice: gbp(999), quantity: 2, total: gbp(1_998) },
    ])
  })
})

describe('an order of named items', () => {
  it('leaves the cart alone', async () => {
    const { client } = await app.person()
    const [inCart, named] = [await newProduct(app), await newProduct(app)]
    await client.post('/cart/items', { productId: inCart.id, quantity: 1 })
    const items = [{ productId: named.id, quantity: 1 }]
    const { body } = await client.post('/orders', { ...delivery, items })
    const cart = await client.get('/cart', { after: body.position })
    expect(cart.body.items).toMatchObject([{ productId: inCart.id }])
  })

  it('is refused with what is short', async () => {
    const { id } = await newProduct(app, { stock: 2 })
    const items = [
      { productId: id, quantity: 2 },
      { productId: id, quantity: 1 },
    ]
    const answer = await ada.client.post('/orders', { ...delivery, items })
    const { short } = expectProblem(answer, 409, 'order/out-of-stock')
    expect(short).toEqual([{ productId: id, wanted: 3, available: 2 }])
  })

  it('is refused when a product is not sold', async () => {
    const items = [{ productId: missing, quantity: 1 }]
    const answer = await ada.client.post('/orders', { ...delivery, items })
    expect(expectProblem(answer, 404, 'product/not-found').productIds).toEqual([missing])
  })

  it('is refused with the fields that are wrong', async () => {
    const { id } = await newProduct(app)
    const item = { productId: id, quantity: 1 }
    for (const [pointer, body] of [
      ['/shippingAddress', { phoneNumber: '1', items: [item] }],
      ['/items', { ...delivery, items: [] }],
      ['/items/0/quantity', { ...delivery, items: [{ ...item, quantity: 0 }] }],
      ['/items/0/price', { ...delivery, items: [{ ...item, price: 1 }] }],
      ['/total', { ...delivery, items: [item], total: gbp(1) }],
      ['/customerId', { ...delivery, items: [item], customerId: bob.id }],
      ['/acceptPrices', { ...delivery, items: [item], acceptPrices: 'yes' }],
    ] as const) {
      const answer = await ada.client.post('/orders', body)
      const { errors } = expectProblem(answer, 400, 'request/invalid')
      expect(errors.map(each => each.pointer)).toContain(pointer)
    }
    expectProblem(await app.anyone.post('/orders', delivery), 401, 'request/unauthenticated')
  })

  it('that would cost more than can be counted is refused', async () => {
    const { id } = await newProduct(app, { price: gbp(9_007_199_254_740_991) })
    const items = [{ productId: id, quantity: 2 }]
    const answer = await ada.client.post('/orders', { ...delivery, items })
    expectProblem(answer, 409, 'cart/quantity-limit')
    const added = await ada.client.post('/cart/items', { productId: id, quantity: 2 })
    expectProblem(added, 409, 'cart/quantity-limit')
  })
})

describe('the life of an order', () => {
  it('is told in its timeline and in plain words', async () => {
    const { id } = await newProduct(app, { price: gbp(250) })
    const { orderId, orderNumber } = (await newOrder(ada, id, 2)).body
    const paid = await ada.client.post(`/orders/${orderId}/pay`, {})
    expect(paid.body).toMatchObject({ orderId, status: 'paid' })
    expect((await moveOrder(app, orderId, 'shipped')).body.status).toBe('shipped')
    const last = await moveOrder(app, orderId, 'delivered')
    const after = last.body.position
    const { body } = await ada.client.get(`/orders/${orderId}`, { after })
    expect(body).toMatchObject({
      status: 'delivered',
      captured: gbp(500),
      refunded: gbp(0),
      ...delivery,
      allowedTransitions: ['refunded'],
    })
    const statuses = Object.assign({ timeline: [{ status: '' }] }, body).timeline
    expect(statuses.map(({ status }) => status)).toEqual([
      'submitted',
      'pending',
      'pending',
      'paid',
      'shipped',
      'delivered',
    ])
    const history = await ada.client.get(`/orders/${orderId}/history`)
    const sentences = history.body.data.map(({ sentence }) => String(sentence))
    expect(sentences).toEqual([
      `Order ${orderNumber} was submitted: 2 pieces for 5.00 GBP.`,
      'The goods were reserved and the order placed.',
      expect.stringMatching(/^It waits to be paid until .+Z\.$/),
      'A payment of 5.00 GBP was asked of simulated.',
      '5.00 GBP was paid through simulated.',
      'The goods were handed to the carrier.',
      'The goods were delivered.',
    ])
  })

  it('ends with its stock and money back when it is cancelled', async () => {
    const { id } = await newProduct(app, { stock: 4 })
    const { orderId } = (await newOrder(ada, id, 3)).body
    await ada.client.post(`/orders/${orderId}/pay`, {})
    const cancelled = await ada.client.post(`/orders/${orderId}/cancel`, { reason: 'Too late' })
    expect(cancelled.body.status).toBe('cancelled')
    const after = cancelled.body.position
    const order = await ada.client.get(`/orders/${orderId}`, { after })
    expect(order.body).toMatchObject({ captured: gbp(1_275), refunded: gbp(1_275) })
    const stock = await app.admin.client.get(`/products/${id}/stock`, { after })
    expect(stock.body).toMatchObject({ onHand: 4, reserved: 0 })
    const again = await ada.client.post(`/orders/${orderId}/cancel`, {})
    expect(again.status).toBe(200)
  })

  it('goes only where the table lets it', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    for (const status of ['shipped', 'delivered']) {
      const problem = expectProblem(
        await moveOrder(app, orderId, status),
        409,
        'order/illegal-transition',
      )
      expect(problem.allowedTransitions).toEqual(expect.arrayContaining(['paid', 'cancelled']))
      expect(problem.currentStatus).toBe('pending')
    }
    await ada.client.post(`/orders/${orderId}/pay`, {})
    await moveOrder(app, orderId, 'shipped')
    const tooLate = await ada.client.post(`/orders/${orderId}/cancel`, {})
    expectProblem(tooLate, 409, 'order/illegal-transition')
    const twice = await ada.client.post(`/orders/${orderId}/pay`, {})
    expectProblem(twice, 409, 'order/illegal-transition')
    const strange = await moveOrder(app, orderId, 'lost')
    expect(expectProblem(strange, 400, 'request/invalid').errors[0]?.pointer).toBe('/status')
  })

  it('goes on after a card that was declined', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    const declined = await ada.client.post(`/orders/${orderId}/pay`, {
      paymentMethod: 'card_declined',
    })
    expectProblem(declined, 409, 'order/payment-declined')
    const paid = await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'card' })
    expect(paid.body.status).toBe('paid')
  })

  it('takes commands without a body where nothing has to be said', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    expect((await ada.client.post(`/orders/${orderId}/pay`)).status).toBe(200)
    expect((await ada.client.post(`/orders/${orderId}/cancel`)).status).toBe(200)
  })
})

describe('delivery details', () => {
  it('change until the order is shipped', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    const path = `/orders/${orderId}`
    const changed = await ada.client.patch(path, { shippingAddress: '2 Low Street' })
    const { body } = await ada.client.get(path, { after: changed.body.position })
    const { phoneNumber } = delivery
    expect(body).toMatchObject({ shippingAddress: '2 Low Street', phoneNumber })
    const strange = await ada.client.patch(path, { status: 'paid' })
    expectProblem(strange, 400, 'request/invalid')
    await ada.client.post(`${path}/pay`, {})
    const paid = await ada.client.patch(path, { shippingAddress: '3 Side Street' })
    expect(paid.status).toBe(200)
    await moveOrder(app, String(orderId), 'shipped')
    const late = await ada.client.patch(path, { shippingAddress: '4 Side Street' })
    expectProblem(late, 409, 'order/illegal-transition')
  })

  it('are not changed on a revision that is gone', async () => {
    const { id } = await newProduct(app)
    const { orderId, position } = (await newOrder(ada, id)).body
    const read = await ada.client.get(`/orders/${orderId}`, { after: position })
    const ifMatch = read.headers.get('etag') ?? ''
    expect((await ada.client.get(`/orders/${orderId}`, { ifNoneMatch: ifMatch })).status).toBe(304)
    const details = { shippingAddress: '4 Back Lane' }
    const changed = await ada.client.patch(`/orders/${orderId}`, details, { ifMatch })
    expect(changed.status).toBe(200)
    const stale = await ada.client.patch(
      `/orders/${orderId}`,
      { shippingAddress: '5 Lane' },
      { ifMatch },
    )
    expect(expectProblem(stale, 412, 'command/stale').currentRevision).toBe(3)
  })
})

describe('somebody else’s order', () => {
  it('is not found, exactly as a missing one', async () => {
    const { id } = await newProduct(app)
    const { orderId, position: after } = (await newOrder(ada, id)).body
    for (const [method, suffix, body] of [
      ['get', '', undefined],
      ['get', '/history', undefined],
      ['post', '/pay', {}],
      ['post', '/cancel', {}],
      ['patch', '', { phoneNumber: '1' }],
    ] as const) {
      const ask = (order: string) =>
        method === 'get'
          ? bob.client.get(`/orders/${order}${suffix}`, { after })
          : bob.client[method](`/orders/${order}${suffix}`, body)
      const [theirs, none] = [await ask(orderId), await ask(missing)]
      const { requestId: _, ...first } = expectProblem(theirs, 404, 'order/not-found')
      const { requestId: __, ...second } = expectProblem(none, 404, 'order/not-found')
      expect(first).toEqual(second)
    }
    const { body } = await ada.client.get(`/orders/${orderId}`, { after })
    expect(body.status).toBe('pending')
  })

  it('is not in a customer’s list, whatever they ask for', async () => {
    const { id } = await newProduct(app)
    const { orderId, position: after } = (await newOrder(ada, id)).body
    const list = await bob.client.get(`/orders?customerId=${ada.id}&pageSize=100`, { after })
    expect(list.body.data.map(order => order.id)).not.toContain(orderId)
  })
})

describe('the staff', () => {
  it('sees everybody’s orders, by status, customer and time', async () => {
    const eve = await app.person()
    const { id } = await newProduct(app)
    const first = await newOrder(eve, id)
    const second = await newOrder(eve, id)
    await eve.client.post(`/orders/${first.body.orderId}/pay`, {})
    const third = await newOrder(eve, id)
    const after = third.body.position
    const list = async (query: string) => {
      const path = `/orders?customerId=${eve.id}&${query}`
      const { body } = await app.admin.client.get(path, { after })
      return body.data.map(order => order.id)
    }
    const [one, two, three] = [first, second, third].map(order => order.body.orderId)
    expect(await list('')).toEqual([three, two, one])
    expect(await list('status=paid')).toEqual([one])
    expect(await list('status=shipped')).toEqual([])
    expect(await list('from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z')).toEqual([])
    expect(await list('pageSize=1&page=2')).toEqual([two])
    const strange = await app.admin.client.get('/orders?status=lost')
    expectProblem(strange, 400, 'request/invalid')
  })

  it('moves orders, as far as each role may', async () => {
    const [warehouse, support, auditor] = await Promise.all([
      app.person('warehouse'),
      app.person('support'),
      app.person('auditor'),
    ])
    const { id } = await newProduct(app)
    const { orderId, position: after } = (await newOrder(ada, id)).body
    const path = `/orders/${orderId}/status`
    const paid = await warehouse.client.patch(path, { status: 'paid' })
    expectProblem(paid, 403, 'command/forbidden')
    const byCustomer = await ada.client.patch(path, { status: 'cancelled' })
    expectProblem(byCustomer, 403, 'command/forbidden')
    const byAuditor = await auditor.client.patch(path, { status: 'cancelled' })
    expectProblem(byAuditor, 403, 'command/forbidden')
    expect((await auditor.client.get(`/orders/${orderId}`, { after })).status).toBe(200)
    await ada.client.post(`/orders/${orderId}/pay`, {})
    expect((await warehouse.client.patch(path, { status: 'shipped' })).status).toBe(200)
    const other = (await newOrder(ada, id)).body.orderId
    const cancelled = await support.client.post(`/orders/${other}/cancel`, {})
    expect(cancelled.status).toBe(200)
  })
})
