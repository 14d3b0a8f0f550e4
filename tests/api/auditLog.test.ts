// What auditors see of the log: by filter, by stream, by trace, and as it was.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kinds } from '../../src/audit/timeTravel.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { newId } from '../../src/commands/core/ids.ts'
import { returnItems } from '../../src/domain/order/orderDecisions.ts'
import type { Answer } from '../support/apiClient.ts'
import { atRest } from '../support/auditing.ts'
import { expectProblem, gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let auditor: Person
let shopper: Person
let productId: string
let placed: Answer
let orderId: string
let after: string
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const correlationId = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'

beforeAll(async () => {
  app = await startTestApp()
  auditor = await app.person('auditor')
  shopper = await app.person()
  productId = (await newProduct(app, { name: 'Lantern', sku: 'AUDITED', stock: 20 })).id
  placed = await shopper.client.post(
    '/orders',
    {
      items: [{ productId, quantity: 2 }],
      shippingAddress: '1 High Street, Leeds',
      phoneNumber: '+44 113 000000',
    },
    { headers: { traceparent } },
  )
  orderId = placed.body.id
  await shopper.client.post(`/orders/${orderId}/pay`, {})
  after = (await moveOrder(app, orderId, 'shipped')).body.position
  await atRest(app.back)
}, 60_000)
afterAll(() => app?.close())

const events = (query = '') => auditor.client.get(`/audit/events${query}`, { after })

/** All parts of a list, one after the other. */
async function everyPart(query: string) {
  const data: Record<string, unknown>[] = []
  let path = `/audit/events?${query}`
  for (;;) {
    const { body, headers } = await auditor.client.get(path)
    data.push(...body.data)
    const next = /<\/api([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]
    if (next === undefined) return data
    path = next
  }
}

describe('the log', () => {
  it('is told in order, in parts that neither skip nor repeat', async () => {
    const data = await everyPart('limit=7')
    const head = Number(String(await app.back.eventStore.head()))
    expect(data.map(({ position }) => Number(position))).toEqual(
      Array.from({ length: head }, (_, index) => index + 1),
    )
    expect(data.every(({ readable }) => readable === true)).toBe(true)
  })

  it('says of each event what, when, who and why', async () => {
    const { body } = await events(`?stream=order-${orderId}&limit=1`)
    expect(body.data[0]).toMatchObject({
      stream: `order-${orderId}`,
      revision: 0,
      type: 'OrderSubmitted',
      data: { delivery: { shippingAddress: '1 High Street, Leeds' } },
      actor: { role: 'customer', id: shopper.id },
      correlationId,
      source: null,
    })
    expect(body.nextCursor).toMatch(/^\d+$/)
    // What the shop keeps to recognise a request again, and what is sealed, is nobody's business.
    expect(JSON.stringify(body)).not.toMatch(/digest|sealed|password/)
  })

  it.each([
    ['a type', () => 'type=OrderShipped', { type: 'OrderShipped' }],
    ['a stream', () => `stream=order-${orderId}`, {}],
    ['a person', () => `actor=${shopper.id}`, {}],
    ['a trace', () => `correlationId=${correlationId}`, { correlationId }],
  ])('is found by %s', async (_, query, like) => {
    const data = await everyPart(`${query()}&limit=3`)
    const all = await everyPart('limit=100')
    const [name = '', value] = query().split('=')
    const wanted = all.filter(event => {
      const { actor } = event
      const field = name === 'actor' && actor && typeof actor === 'object' ? actor : event
      return Object.entries(field).some(
        ([key, found]) => (key === name || (name === 'actor' && key === 'id')) && found === value,
      )
    })
    expect(wanted.length).toBeGreaterThan(0)
    expect(data).toEqual(wanted)
    expect(data[0]).toMatchObject(like)
  })

  it('is found by time and by several things at once', async () => {
    const all = await everyPart('limit=100')
    const middle = String(all[Math.floor(all.length / 2)]?.at)
    const early = await everyPart(`to=${middle}&limit=100`)
    const late = await everyPart(`from=${middle}&limit=100`)
    expect(early.length).toBeGreaterThan(0)
    expect(late.length).toBeGreaterThan(0)
    expect(early.length + late.length).toBe(all.length)
    const both = await everyPart(`type=OrderPaid&actor=${shopper.id}&stream=order-${orderId}`)
    expect(both).toMatchObject([{ type: 'OrderPaid', stream: `order-${orderId}` }])
    expect(await everyPart(`type=OrderPaid&actor=${auditor.id}`)).toEqual([])
  })

  it.each([
    ['after', 'after=-1'],
    ['limit', 'limit=101'],
    ['from', 'from=yesterday'],
    ['correlationId', 'correlationId=7'],
    ['stream', 'stream=$all'],
    ['colour', 'colour=red'],
  ])('is not read by a wrong %s', async (field, query) => {
    const { errors } = expectProblem(await events(`?${query}`), 400, 'request/invalid')
    expect(errors[0]?.pointer).toBe(`/${field}`)
  })

  it('is for auditors and admins alone', async () => {
    expect((await app.admin.client.get('/audit/events')).status).toBe(200)
    const support = await app.person('support')
    for (const path of ['/audit/events', `/audit/orders/${orderId}`, '/audit/verify']) {
      expectProblem(await app.anyone.get(path), 401, 'request/unauthenticated')
      expectProblem(await shopper.client.get(path), 403, 'command/forbidden')
      expectProblem(await support.client.get(path), 403, 'command/forbidden')
    }
  })
})

describe('one stream', () => {
  it('is told by revision, in parts', async () => {
    const path = `/audit/streams/order-${orderId}`
    const whole = await auditor.client.get(path)
    const revisions = whole.body.data.map(({ revision }) => revision)
    expect(revisions).toEqual(revisions.map((_, index) => index))
    const part = await auditor.client.get(`${path}?limit=2`)
    expect(part.body.data).toEqual(whole.body.data.slice(0, 2))
    const rest = await auditor.client.get(`${path}?after=${part.body.nextCursor}`)
    expect(rest.body.data).toEqual(whole.body.data.slice(2))
  })

  it('has to be one', async () => {
    const missing = await auditor.client.get('/audit/streams/order-nothing')
    expectProblem(missing, 404, 'request/not-found')
  })
})

describe('a trace', () => {
  it('leads from one request to every event and mail that it has caused', async () => {
    const { body } = await auditor.client.get(`/audit/trace/${correlationId}`)
    const traced = JSON.parse(JSON.stringify(body))
    const types = traced.events.map(({ type }: { type: string }) => type)
    expect(types).toEqual(
      expect.arrayContaining(['OrderSubmitted', 'StockReserved', 'OrderPlaced']),
    )
    const [mail] = traced.mails
    expect(mail).toMatchObject({ template: 'order-placed', sentAt: expect.any(String) })
    const placing = traced.events.find(({ type }: { type: string }) => type === 'OrderPlaced')
    expect(mail.eventId).toBe(placing.id)
    expect(traced).toMatchObject({ complete: true, webhooks: [] })
  })

  it('leads to the webhooks that were told of its events', async () => {
    const { events } = (await auditor.client.get(`/audit/trace/${correlationId}`)).body
    const [first] = JSON.parse(JSON.stringify(events))
    const endpointId = randomUUID()
    await app.back.pool.query(
      `with endpoint as (
         insert into shop.webhook_endpoints
           (endpoint_id, url, description, events, secret, secret_by, starts_after)
         values ($1, 'https://example.com', '', '{}', 'sealed', $1, 0)
         returning endpoint_id
       )
       insert into shop.webhook_deliveries
         (endpoint_id, event_id, position, type, message, trace, status)
       select endpoint_id, $2, $3, 'order.placed', '{}', '', 'delivered' from endpoint`,
      [endpointId, first.id, first.position],
    )
    const { webhooks } = (await auditor.client.get(`/audit/trace/${correlationId}`)).body
    expect(webhooks).toMatchObject([
      { endpointId, eventId: first.id, type: 'order.placed', status: 'delivered' },
    ])
    expect(JSON.stringify(webhooks)).not.toContain('sealed')
  })

  it('has to be in the log', async () => {
    const path = '/audit/trace/4bf92f35-77b3-4da6-a3ce-929d0e0e0000'
    expectProblem(await auditor.client.get(path), 404, 'request/not-found')
  })
})

describe('what something was like', () => {
  /** One piece comes back, and a pound of the rest. */
  async function giveBack() {
    const returnId = newId()
    const { orders } = app.back.app
    const { state } = await orders.load(orderId)
    const line = { ...Object(state).lines[0], quantity: 1, total: gbp(425) }
    const back = { returnId, reference: 'R-1', lines: [line], charges: [] }
    await orders.decide(orderId, systemEnvelope('test', new Date()), each =>
      returnItems(each, back),
    )
    const wanted = { amount: gbp(100), reason: 'A scratch' }
    const { status, body } = await app.admin.client.post(`/orders/${orderId}/refunds`, wanted)
    expect(status, JSON.stringify(body)).toBe(201)
    return { returnId, position: body.position }
  }

  /** The order as nothing but its submission makes it. */
  function asSubmitted() {
    return {
      orderId,
      orderNumber: placed.body.orderNumber,
      customerId: shopper.id,
      cartId: null,
      lines: [
        {
          productId,
          sku: 'AUDITED',
          name: 'Lantern',
          quantity: 2,
          unitPrice: { amount: 425, currency: 'GBP' },
          total: { amount: 850, currency: 'GBP' },
        },
      ],
      charges: [],
      total: { amount: 850, currency: 'GBP' },
      country: null,
      delivery: { shippingAddress: '1 High Street, Leeds', phoneNumber: '+44 113 000000' },
      paymentMethod: 'card',
      status: 'submitted',
      openPayment: null,
      paidBy: null,
      captured: 0,
      refunded: 0,
      refunds: [],
      failedRefunds: [],
      disputes: {},
      openRefunds: {},
      late: {},
      expiresAt: null,
      round: 0,
      archived: false,
      returned: {},
      returns: [],
      refundDue: 0,
      handedOver: false,
      tracking: null,
    }
  }

  it('at each revision is what its events had made of it', async () => {
    const { returnId, position } = await giveBack()
    const payment = { paymentId: expect.any(String), provider: 'simulated', method: 'card' }
    const stream = `/audit/streams/order-${orderId}`
    const told = (await auditor.client.get(stream, { after: position })).body.data
    const refundId = Object(told.at(-1)?.data).refundId
    const reason = 'A scratch'
    const steps: [string, Partial<Record<keyof ReturnType<typeof asSubmitted>, unknown>>][] = [
      ['OrderSubmitted', {}],
      ['OrderPlaced', { status: 'pending' }],
      ['PaymentDeadlineSet', { expiresAt: expect.any(Number) }],
      ['PaymentRequested', { openPayment: payment }],
      ['OrderPaid', { status: 'paid', openPayment: null, paidBy: payment, captured: 850 }],
      ['OrderShipped', { status: 'shipped', handedOver: true }],
      [
        'ItemsReturned',
        {
          ...{ refunded: 425, refunds: [returnId] },
          ...{ returned: { [productId]: 1 }, returns: [returnId] },
        },
      ],
      ['RefundRequested', { openRefunds: { [refundId]: { amount: gbp(100), reason } } }],
      ['OrderRefunded', { refunded: 525, refunds: [returnId, refundId], openRefunds: {} }],
    ]
    const path = `/audit/orders/${orderId}`
    expect(told.map(({ type }) => type)).toEqual(steps.map(([type]) => type))
    const state = asSubmitted()
    for (const [revision, [, change]] of steps.entries()) {
      Object.assign(state, change)
      const then = await auditor.client.get(`${path}?asOf=${revision}`)
      expect(then.body).toMatchObject({ revision, unreadable: null })
      expect(then.body.state).toEqual(state)
      const atThatTime = await auditor.client.get(`${path}?asOf=${told[revision]?.at}`)
      expect(Number(atThatTime.body.revision)).toBeGreaterThanOrEqual(revision)
    }
    expect((await auditor.client.get(path)).body.state).toEqual(state)
  })

  it('is told of orders, carts, products, stock and customers', async () => {
    await shopper.client.post('/cart/items', { productId, quantity: 1 })
    const ids = {
      orders: orderId,
      carts: shopper.id,
      products: productId,
      stock: productId,
      customers: shopper.id,
    }
    for (const [kind, id] of Object.entries(ids)) {
      const { status, body } = await auditor.client.get(`/audit/${kind}/${id}`)
      expect(status, kind).toBe(200)
      expect(body.stream).toMatch(new RegExp(`^[a-z]+-${id}$`))
    }
    expect(Object.keys(ids)).toEqual(Object.keys(kinds))
  })

  it('was nothing before it began', async () => {
    const path = `/audit/orders/${orderId}?asOf=2011-08-09T10:11:12Z`
    expectProblem(await auditor.client.get(path), 404, 'order/not-found')
    const nothing = '01980000-0000-7000-8000-00000000dead'
    for (const [kind, { notFound }] of Object.entries(kinds)) {
      expectProblem(await auditor.client.get(`/audit/${kind}/${nothing}`), 404, notFound)
    }
    const wrong = await auditor.client.get(`/audit/orders/${orderId}?asOf=2011-99-99T10:11:12Z`)
    const { errors } = expectProblem(wrong, 400, 'request/invalid')
    expect(errors[0]?.pointer).toBe('/asOf')
  })

  it('differs between two moments by these fields, because of these events', async () => {
    const { id } = await newProduct(app, { name: 'Lamp', price: gbp(425), stock: 1 })
    await app.admin.client.patch(`/products/${id}`, { price: gbp(500), featured: true })
    const path = `/audit/products/${id}/diff`
    const { body } = await auditor.client.get(`${path}?from=0`)
    expect(body).toMatchObject({
      from: { revision: 0 },
      differences: [
        { pointer: '/price/amount', from: 425, to: 500 },
        { pointer: '/featured', from: false, to: true },
      ],
      events: [{ type: 'PriceChanged' }, { type: 'ProductFeatured' }],
    })
    const whole = JSON.parse(JSON.stringify((await auditor.client.get(path)).body))
    expect(whole.from).toBe(null)
    expect(whole.differences).toContainEqual({ pointer: '/name', to: 'Lamp' })
  })
})

describe('somebody who has been erased', () => {
  it('shows as erased in the log and in what was', async () => {
    const person = await app.person()
    await person.client.patch('/auth/profile', { firstName: 'Ottilie' })
    const own = await newOrder(person, productId)
    const before = await auditor.client.get(`/audit/customers/${person.id}`)
    expect(before.body).toMatchObject({ state: { profile: { firstName: 'Ottilie' } } })
    const erased = await person.client.delete('/auth/profile', { password })
    expect(erased.status, JSON.stringify(erased.body)).toBe(200)
    // A process that has the key in its memory drops it within about a second.
    await waitFor('the key to be dropped', async () => {
      const then = await auditor.client.get(`/audit/customers/${person.id}?asOf=1`)
      expect(then.body).toMatchObject({ revision: 1, state: { status: 'registered' } })
      return JSON.stringify(then.body).includes('"username":"[erased]"')
    })
    const now = await auditor.client.get(`/audit/customers/${person.id}`)
    expect(now.body).toMatchObject({ state: { status: 'erased' } })
    const told = await auditor.client.get(`/audit/streams/order-${own.body.id}`)
    expect(told.body.data[0]).toMatchObject({
      readable: true,
      data: { delivery: { shippingAddress: '[erased]', phoneNumber: '[erased]' } },
    })
  })
})
