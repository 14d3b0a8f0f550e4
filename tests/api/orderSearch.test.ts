// Orders as the staff works with them: found by what customers say, with names and tracking.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, moveOrder, newKey, newProduct } from '../support/goods.ts'
import { followSocket } from '../support/liveFeed.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let customer: Person
let support: Person
let warehouse: Person
let id: string
let number: string
beforeAll(async () => {
  app = await startTestApp()
  customer = await app.person()
  support = await app.person('support')
  warehouse = await app.person('warehouse')
  const profile = { firstName: 'Zoë', lastName: 'Ångström-Öz' }
  const { status } = await customer.client.patch('/auth/profile', profile)
  expect(status).toBe(200)
  const sku = 'XK-100-B/2'
  const product = await newProduct(app, { sku, stock: 100 })
  const placed = await order(customer, product.id, 'Renée Dupont\n7 Rue Haute, Lyon')
  id = placed.id
  number = placed.number
  await order(await app.person(), (await newProduct(app)).id, '1 Other Street', '5550199')
})
afterAll(() => app?.close())

async function order(
  person: Person,
  productId: string,
  shippingAddress: string,
  phoneNumber = '+44 (20) 7946-0018',
) {
  const items = [{ productId, quantity: 1 }]
  const body = { ...delivery, shippingAddress, phoneNumber, country: 'FR', items }
  const { body: placed } = await person.client.post('/orders', body)
  await person.client.get(`/orders/${placed.id}`, { after: placed.position })
  return { id: String(placed.id), number: String(placed.orderNumber) }
}

async function pay(orderId = id) {
  const { body } = await customer.client.post(`/orders/${orderId}/pay`, {}, { key: newKey() })
  return body.position
}

async function find(search: string, by = support): Promise<string[]> {
  const { body, status } = await by.client.get(`/orders?search=${encodeURIComponent(search)}`)
  expect([search, status]).toEqual([search, 200])
  return body.data.map(each => String(each.id))
}

describe('orders are found by', () => {
  it.each([
    ['their number', () => number],
    ['a part of it', () => number.slice(0, 7)],
    ['their number without its dash', () => number.replaceAll('-', '').toLowerCase()],
    ['the name of the customer', () => 'Zoë Ångström'],
    ['it without accents', () => 'angstrom oz'],
    ['their e-mail', () => `${customer.username}@example.com`],
    ['a recipient', () => 'renee DUPONT'],
    ['an address', () => 'rue haute'],
    ['a phone number as it is written', () => '+44 (20) 7946-0018'],
    ['its digits', () => '442079460018'],
    ['an SKU', () => 'XK-100-B/2'],
    ['an SKU without separators', () => 'xk100b2'],
    ['two letters that a word begins with', () => 'du'],
  ])('%s', async (_, words) => {
    expect(await find(words())).toContain(id)
  })

  it.each(['%', '_', "' or 1=1", 'nobody at all', '\\', '(((', '😀'])(
    'nothing for %s',
    async words => {
      expect(await find(words)).not.toContain(id)
    },
  )

  it('pages, totals and filters together', async () => {
    const path = '/orders?search=dupont&status=pending&pageSize=1'
    const { body } = await support.client.get(path)
    expect(body).toMatchObject({ total: 1, data: [{ id, customerName: 'Zoë Ångström-Öz' }] })
    const { body: none } = await support.client.get('/orders?search=dupont&status=shipped')
    expect(none).toMatchObject({ total: 0, data: [] })
  })

  it('customers among their own alone', async () => {
    const other = await app.person()
    expect(await find('dupont', other)).toEqual([])
    expect(await find('dupont', customer)).toEqual([id])
    expect(await find(`${customer.username}@example.com`, other)).toEqual([])
  })
})

describe('people', () => {
  it('are shown to the staff by name, in lists and in details, and to customers not', async () => {
    const people = { customerName: 'Zoë Ångström-Öz', recipient: 'Renée Dupont' }
    for (const staff of [support, warehouse, app.admin]) {
      const { body } = await staff.client.get(`/orders?customerId=${customer.id}`)
      expect(body.data).toEqual([expect.objectContaining(people)])
      expect((await staff.client.get(`/orders/${id}`)).body).toMatchObject(people)
    }
    const { body } = await customer.client.get(`/orders/${id}`)
    expect(body).not.toHaveProperty('customerName')
  })
})

describe('a delivery', () => {
  it('of a paid order is corrected by the staff, who say why, and by the customer', async () => {
    const { body: first } = await customer.client.post('/orders', {
      ...delivery,
      items: [{ productId: (await newProduct(app)).id, quantity: 1 }],
    })
    await pay(first.id)
    const address = { shippingAddress: 'Renée Dupont\n9 Rue Basse, Lyon', country: 'FR' }
    const refused = await support.client.patch(`/orders/${first.id}`, address)
    const problem = expectProblem(refused, 400, 'order/reason-required')
    expect(problem.errors).toMatchObject([{ pointer: '/reason' }])
    for (const staff of [support, warehouse, app.admin]) {
      const change = { ...address, phoneNumber: `+33 ${staff.id}`, reason: 'A typo, by phone' }
      const { status, body } = await staff.client.patch(`/orders/${first.id}`, change)
      expect([status, body.detail]).toEqual([200, undefined])
    }
    const own = { country: 'BE' }
    const { body: done } = await customer.client.patch(`/orders/${first.id}`, own)
    const seen = await support.client.get(`/orders/${first.id}`, { after: done.position })
    expect(seen.body).toMatchObject({ shippingAddress: address.shippingAddress, country: 'BE' })
    const { body: history } = await support.client.get(`/orders/${first.id}/history`)
    const sentences = history.data.map(each => each.sentence)
    expect(sentences).toContain('The delivery details were changed, to FR: A typo, by phone')
    expect(sentences).toContain('The delivery details were changed, to BE.')
    const log = await app.back.pool.query(
      `select data::text as text from eventstore.events where type = 'DeliveryDetailsChanged'`,
    )
    for (const { text } of log.rows) expect(text).not.toContain('typo')
    await moveOrder(app, first.id, 'shipped')
    const late = await support.client.patch(`/orders/${first.id}`, { ...address, reason: 'Late' })
    expectProblem(late, 409, 'order/illegal-transition')
  })

  it('of somebody else is nobody else’s to change', async () => {
    for (const role of ['customer', 'auditor'] as const) {
      const stranger = await app.person(role)
      const change = { shippingAddress: 'Mine', reason: 'Mine' }
      const { status } = await stranger.client.patch(`/orders/${id}`, change)
      expect([role, status]).toEqual([role, 404])
    }
  })
})

describe('a tracking number', () => {
  it('is told with the shipping, shown, corrected, found and told again', async () => {
    const socket = await followSocket(app.url, { authorization: `Bearer ${customer.access}` })
    await pay()
    const ship = (tracking: string) =>
      app.admin.client.patch(`/orders/${id}/status`, { status: 'shipped', tracking })
    await ship('RM 1 GB')
    const told = await socket.hears('the shipping', update => update.status === 'shipped')
    expect(told).toMatchObject({ trackingNumber: 'RM 1 GB' })
    const { body: changed } = await ship('RM 2 GB')
    const after = changed.position
    const { body } = await customer.client.get(`/orders/${id}`, { after })
    expect(body).toMatchObject({ status: 'shipped', trackingNumber: 'RM 2 GB' })
    const again = await socket.hears(
      'the correction',
      update => update.previousStatus === 'shipped',
    )
    expect(again).toMatchObject({
      trackingNumber: 'RM 2 GB',
      message: `The tracking number of your order ${number} is now RM 2 GB`,
    })
    socket.cut()
    expect(await find('rm2gb')).toEqual([id])
    const { body: history } = await customer.client.get(`/orders/${id}/history`)
    expect(history.data.map(each => each.sentence)).toEqual(
      expect.arrayContaining([
        'The goods were handed to the carrier; tracking number RM 1 GB.',
        'The tracking number is now RM 2 GB.',
      ]),
    )
  })
})

describe('somebody who was erased', () => {
  it('is found no more, by nothing that they were called', async () => {
    const { body } = await customer.client.delete('/auth/profile', { password })
    await support.client.get('/orders', { after: body.position })
    for (const words of [
      'Zoë',
      'angstrom',
      `${customer.username}@example.com`,
      'dupont',
      'haute',
      '442079460018',
    ]) {
      expect([words, await find(words)]).toEqual([words, []])
    }
    const kept = await app.back.pool.query(
      `select o.words || c.words as words from readmodel.orders o
       join readmodel.customers c using (customer_id) where order_id = $1`,
      [id],
    )
    expect(kept.rows[0].words).not.toMatch(/zo|angstrom|dupont|7946/i)
    expect(await find(number)).toEqual([id])
  })
})
