// Sales reports: what was paid and what came back, by every dimension, and safe in a spreadsheet.
import { text } from 'node:stream/consumers'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csvStream } from '../../src/api/http/csv.ts'
import { delivery, expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let position = ''
const ids = { lamps: '', garden: '', lantern: '', spade: '' }
const today = () => new Date().toISOString().slice(0, 10)

beforeAll(async () => {
  app = await startTestApp()
  ids.lamps = (await app.admin.client.post('/categories', { name: 'Lamps' })).body.id
  ids.garden = (await app.admin.client.post('/categories', { name: 'Iron tools' })).body.id
  const named = { name: '=HYPERLINK("http://evil.example")', sku: 'LANTERN' }
  ids.lantern = (await newProduct(app, { ...named, price: gbp(400), categoryId: ids.lamps })).id
  ids.spade = (await newProduct(app, { sku: 'SPADE', price: gbp(1_000) })).id
  await sell('GB', ids.lantern, 3)
  const scratched = await sell('DE', ids.spade, 2)
  const refund = { amount: gbp(500), reason: 'A scratch' }
  const refunded = await app.admin.client.post(`/orders/${scratched}/refunds`, refund)
  expect(refunded.status, JSON.stringify(refunded.body)).toBeLessThan(300)
  // It has changed its place since: what was sold of it has not.
  await app.admin.client.patch(`/products/${ids.lantern}`, { categoryId: ids.garden })
  await sell('GB', ids.lantern, 1)
  const calledOff = await sell('FR', ids.lantern, 5)
  const reason = 'Ann Lee of 1 High Street changed her mind'
  const cancelled = await app.admin.client.post(`/orders/${calledOff}/cancel`, { reason })
  expect(cancelled.status, JSON.stringify(cancelled.body)).toBe(200)
  position = (await newOrder(await app.person(), ids.spade, 5)).body.position
})
afterAll(() => app?.close())

/** An order that is paid, and goes there; its id. */
async function sell(country: string, productId: string, quantity: number): Promise<string> {
  const { client } = await app.person()
  const items = [{ productId, quantity }]
  const { orderId } = (await client.post('/orders', { ...delivery, country, items })).body
  await client.post(`/orders/${orderId}/pay`)
  return orderId
}

const report = (query: string, wanted = {}) =>
  app.admin.client.get(`/admin/reports/sales?${query}`, { after: position, ...wanted })

const line = (key: unknown, gross: number, returned = 0) =>
  expect.objectContaining({
    key,
    gross: gbp(gross),
    returned: gbp(returned),
    net: gbp(gross - returned),
  })

describe('sales', () => {
  it('are summed by the day on which they were paid', async () => {
    const { body } = await report('by=day')
    expect(body.data).toEqual([line(today(), 3_600, 500)])
    expect(body.data[0]).toMatchObject({ orders: 3, quantity: 6 })
  })

  it('are summed by product, the one that brought most in first', async () => {
    const { data } = (await report('by=product')).body
    expect(data).toEqual([line('LANTERN', 1_600), line('SPADE', 2_000, 500)])
    expect(data.map(({ orders, quantity }) => [orders, quantity])).toEqual([
      [2, 4],
      [1, 2],
    ])
  })

  it('are summed by the category that a product had when it was sold', async () => {
    const { data } = (await report('by=category')).body
    const garden = line(ids.garden, 400)
    expect(data).toEqual([line(null, 2_000, 500), line(ids.lamps, 1_200), garden])
    expect(data.map(({ name }) => name)).toEqual([null, 'Lamps', 'Iron tools'])
  })

  it('are summed by country', async () => {
    const { data } = (await report('by=country')).body
    expect(data).toEqual([line('GB', 1_600), line('DE', 2_000, 500)])
  })

  it('are summed by customer', async () => {
    const { data } = (await report('by=customer')).body
    expect(data.map(({ orders, quantity, net }) => [orders, quantity, Object(net).amount])).toEqual(
      [
        [1, 2, 1_500],
        [1, 3, 1_200],
        [1, 1, 400],
      ],
    )
    for (const { key, name } of data) {
      const { rows } = await app.back.pool.query(
        'select username from customers where customer_id = $1',
        [key],
      )
      expect(name).toBe(rows[0]?.username)
    }
  })

  it('leave out what was cancelled, and hold no word of what people wrote', async () => {
    for (const by of ['day', 'product', 'category', 'country', 'customer']) {
      const { body } = await report(`by=${by}`)
      expect(JSON.stringify(body)).not.toMatch(/FR|Ann Lee|scratch/)
      expect(body.timeZone).toBe('UTC')
    }
  })

  it('come to the same in every dimension', async () => {
    const sums = []
    for (const by of ['day', 'product', 'category', 'country', 'customer']) {
      const { data } = (await report(`by=${by}`)).body
      sums.push(data.reduce((sum, { net }) => sum + Object(net).amount, 0))
    }
    expect(sums).toEqual([3_100, 3_100, 3_100, 3_100, 3_100])
  })

  it('of other days are left out', async () => {
    const before = await report('from=2020-01-01&to=2020-12-31')
    expect(before.body).toMatchObject({ data: [], total: 0 })
    const inside = await report(`from=${today()}&to=${today()}`)
    expect(inside.body.data).toEqual([line(today(), 3_600, 500)])
  })

  it('of all days that there are can be asked for', async () => {
    for (const by of ['day', 'product']) {
      const { body } = await report(`by=${by}&from=0001-01-01&to=9999-12-31`)
      expect(body.data).toEqual((await report(`by=${by}`)).body.data)
    }
  })

  it('that do not fit in are counted', async () => {
    const { body } = await report('by=product&limit=1')
    expect(body).toMatchObject({ data: [line('LANTERN', 1_600)], total: 2 })
  })

  it.each(['from=2026-02-30', 'from=0000-01-01', 'from=2026-02-02&to=2026-02-01'])(
    'from %s are refused by the name of the field',
    async query => {
      const problem = expectProblem(await report(query), 400, 'request/invalid')
      expect(problem.errors[0]?.pointer).toBe('/from')
    },
  )
})

describe('a report as CSV', () => {
  it('is a table whose text no spreadsheet carries out', async () => {
    const answer = await report('by=product', { headers: { accept: 'text/csv' } })
    expect(answer.headers.get('content-disposition')).toContain('sales-by-product.csv')
    const rows = parse(String(answer.body), { columns: true })
    expect(rows[0]).toEqual({
      product: 'LANTERN',
      name: `'=HYPERLINK("http://evil.example")`,
      currency: 'GBP',
      orders: '2',
      quantity: '4',
      gross: '16.00',
      returned: '0.00',
      net: '16.00',
      timeZone: 'UTC',
    })
    expect(rows[1]).toMatchObject({ product: 'SPADE', gross: '20.00', returned: '5.00' })
  })

  it('has every line, also where a list would end', async () => {
    const totals = `insert into readmodel.sale_totals
      select 'product', 'OTHER-' || n, 'GBP', '2026-01-01Z', 1, 1, 1, 100, 0
      from generate_series(1, 1200) n`
    await app.back.pool.query(totals)
    const answer = await report('by=product', { headers: { accept: 'text/csv' } })
    await app.back.pool.query(`delete from readmodel.sale_totals where key like 'OTHER-%'`)
    expect(parse(String(answer.body), { columns: true })).toHaveLength(1_202)
  })

  it.each([
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t=1"`],
    [' =1', `"' =1"`],
    ['\tplain', `"'\tplain"`],
    ['\rplain', `"'\rplain"`],
    ['two\rlines', '"two\rlines"'],
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    [-5, '-5'],
  ])('writes %s as %s', async (cell, written) => {
    expect(await text(csvStream(['head'], [[cell]]))).toBe(`head\r\n${written}\r\n`)
  })
})
