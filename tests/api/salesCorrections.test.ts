// What takes sales back is booked against what was sold: values written by hand.
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { newId } from '../../src/commands/core/ids.ts'
import { returnItems, submit } from '../../src/domain/order/orderDecisions.ts'
import { delivery, gbp, moveOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let ann: Person
let position = '0'
beforeAll(async () => {
  app = await startTestApp({ settings: { TIME_ZONE: 'Asia/Tokyo' } })
  ann = await app.person()
})
afterAll(() => app?.close())

/** A paid order of these products. */
async function sold(...items: { productId: string; quantity: number }[]): Promise<string> {
  const { body } = await ann.client.post('/orders', { ...delivery, items })
  const paid = await ann.client.post(`/orders/${body.orderId}/pay`, {})
  expect(paid.status, JSON.stringify(paid.body)).toBe(200)
  position = paid.body.position
  return body.orderId
}

async function refund(orderId: string, amount: number) {
  const wanted = { amount: gbp(amount), reason: 'Mrs Smith is not happy' }
  const answer = await app.admin.client.post(`/orders/${orderId}/refunds`, wanted)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  position = answer.body.position
}

async function linesOf(...skus: string[]) {
  const path = '/admin/reports/sales?by=product&limit=10000'
  const { body } = await app.admin.client.get(path, { after: position })
  return skus.map(sku => {
    const line = body.data.find(({ key }) => key === sku)
    const amount = (name: string) => Object(Object(line)[name]).amount
    return [Object(line).orders, Object(line).quantity, amount('gross'), amount('returned')]
  })
}

const product = async (sku: string, price: number) =>
  (await newProduct(app, { sku, price: gbp(price), stock: 50 })).id

describe('an order of two products', () => {
  it('shares a refund out over them by what each of them cost, to the penny', async () => {
    const [a, b] = [await product('SHARE-A', 1_000), await product('SHARE-B', 500)]
    const order = await sold({ productId: a, quantity: 2 }, { productId: b, quantity: 1 })
    await refund(order, 999)
    expect(await linesOf('SHARE-A', 'SHARE-B')).toEqual([
      [1, 2, 2_000, 799],
      [1, 1, 500, 200],
    ])
    await refund(order, 1)
    await refund(order, 1_500)
    expect(await linesOf('SHARE-A', 'SHARE-B')).toEqual([
      [1, 2, 2_000, 2_000],
      [1, 1, 500, 500],
    ])
  })

  it('was not sold where it is cancelled, also after a part has gone back', async () => {
    const [a, b] = [await product('OFF-A', 1_000), await product('OFF-B', 500)]
    const order = await sold({ productId: a, quantity: 2 }, { productId: b, quantity: 3 })
    await sold({ productId: a, quantity: 1 })
    await refund(order, 700)
    const { body } = await ann.client.post(`/orders/${order}/cancel`, {})
    position = body.position
    expect(await linesOf('OFF-A', 'OFF-B')).toEqual([
      [1, 1, 1_000, 0],
      [undefined, undefined, undefined, undefined],
    ])
  })

  it('takes goods that come back off their product, and the rest off what is left', async () => {
    const [a, b] = [await product('BACK-A', 1_000), await product('BACK-B', 500)]
    const order = await sold({ productId: a, quantity: 2 }, { productId: b, quantity: 2 })
    await moveOrder(app, order, 'shipped')
    const { state } = await app.back.app.orders.load(order)
    const line = Object(state).lines[0]
    const outcome = await app.back.app.orders.decide(
      order,
      systemEnvelope('test', new Date()),
      current =>
        returnItems(current, {
          returnId: newId(),
          reference: 'R-1',
          lines: [{ ...line, quantity: 1, total: gbp(1_000) }],
          charges: [],
        }),
    )
    position = String(Object(outcome).position)
    await refund(order, 1_000)
    expect(await linesOf('BACK-A', 'BACK-B')).toEqual([
      [1, 1, 2_000, 1_500],
      [1, 2, 1_000, 500],
    ])
  })
})

describe('a day of sales', () => {
  it('begins and ends in the time zone of the shop, which every report names', async () => {
    const productId = await product('TOKYO', 100)
    const orderId = newId()
    const lines = [
      {
        productId,
        sku: 'TOKYO',
        name: 'Tokyo',
        quantity: 1,
        unitPrice: gbp(100),
        total: gbp(100),
      },
    ]
    // 23:30 on New Year's Eve in London is half past eight on New Year's Day in Tokyo.
    const envelope = systemEnvelope('test', new Date('2019-12-31T23:30:00Z'))
    const { orders } = app.back.app
    await orders.decide(orderId, envelope, state =>
      submit(state, {
        orderId,
        orderNumber: 'OLD-1',
        customerId: ann.id,
        cartId: null,
        lines,
        charges: [],
        total: gbp(100),
        country: 'JP',
        delivery: null,
        paymentMethod: 'card',
      }),
    )
    await pay(orderId)
    const inTokyo = await report('from=2020-01-01&to=2020-01-01')
    expect(inTokyo.body).toMatchObject({
      timeZone: 'Asia/Tokyo',
      data: [{ key: '2020-01-01', orders: 1, gross: gbp(100) }],
    })
    expect((await report('from=2019-12-31&to=2019-12-31')).body.data).toEqual([])
    const csv = await report('by=country&from=2020-01-01&to=2020-01-01', 'text/csv')
    expect(parse(String(csv.body), { columns: true })).toMatchObject([
      { country: 'JP', gross: '1.00', timeZone: 'Asia/Tokyo' },
    ])
  })

  async function pay(orderId: string) {
    const at = systemEnvelope('test', new Date('2019-12-31T23:31:00Z'))
    const done = await app.back.app.orders.decide(orderId, at, () => [
      { type: 'OrderPlaced', data: { orderId } },
      {
        type: 'OrderPaid',
        data: { orderId, paymentId: newId(), provider: 'none', reference: 'x', amount: gbp(100) },
      },
    ])
    position = String(Object(done).position)
  }

  const report = (query: string, accept = 'application/json') =>
    app.admin.client.get(`/admin/reports/sales?${query}`, { after: position, headers: { accept } })
})
