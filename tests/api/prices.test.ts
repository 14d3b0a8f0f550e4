// What shoppers are told of a reduction, and what becomes of products that are no longer sold.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changeProduct, createProduct } from '../../src/commands/catalogue/products.ts'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { delivery, expectProblem, gbp, newKey, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let shopper: Person
beforeAll(async () => {
  app = await startTestApp()
  shopper = await app.person()
})
afterAll(() => app?.close())

/** A product with prices from so many days ago. */
async function priced(...prices: [daysAgo: number, amount: number][]) {
  const { app: inside } = app.back
  let id = ''
  let after = ''
  for (const [daysAgo, amount] of prices) {
    const envelope = systemEnvelope('test', new Date(Date.now() - daysAgo * 24 * 3_600_000))
    const price = gbp(amount)
    const outcome =
      id === ''
        ? await execute(inside, createProduct, { name: 'Lantern', price }, envelope)
        : await execute(inside, changeProduct, { productId: id, price }, envelope)
    if (isRejection(outcome)) throw new Error(outcome.detail)
    id = outcome.id
    after = String(outcome.position)
  }
  const { body } = await app.anyone.get(`/products/${id}/price-history`, { after })
  return { id, after, body }
}

describe('the price of a product', () => {
  it.each<[string, [number, number][], number | undefined]>([
    ['that was never another', [[40, 100]], undefined],
    [
      'that went up',
      [
        [40, 100],
        [1, 120],
      ],
      undefined,
    ],
    [
      'that went down',
      [
        [40, 100],
        [1, 80],
      ],
      100,
    ],
    [
      'that went up before it went down',
      [
        [40, 100],
        [20, 150],
        [1, 120],
      ],
      100,
    ],
    [
      'that was lower within the 30 days before',
      [
        [90, 100],
        [25, 60],
        [20, 100],
        [1, 80],
      ],
      60,
    ],
    [
      'that was lower, but longer ago',
      [
        [90, 60],
        [40, 100],
        [1, 80],
      ],
      100,
    ],
    [
      'that was lower until the 30 days began',
      [
        [90, 60],
        [30.5, 100],
        [1, 80],
      ],
      60,
    ],
    [
      'that goes down in steps',
      [
        [40, 100],
        [10, 80],
        [1, 60],
      ],
      80,
    ],
    [
      'that went up again after a reduction',
      [
        [40, 100],
        [10, 80],
        [1, 90],
      ],
      undefined,
    ],
  ])('%s', async (_, prices, lowest) => {
    const { body } = await priced(...prices)
    expect(body.price).toEqual(gbp(prices.at(-1)?.[1] ?? 0))
    expect(body.lowestPriceIn30DaysBefore).toEqual(lowest === undefined ? undefined : gbp(lowest))
    expect(body).not.toHaveProperty('changes')
  })

  it('has all its changes for the staff, the newest first', async () => {
    const { id, after } = await priced([3, 100], [2, 80], [1, 90])
    const path = `/products/${id}/price-history`
    const { body } = await app.admin.client.get(path, { after })
    expect(body.changes).toMatchObject(
      [90, 80, 100].map(amount => ({ price: gbp(amount), actor: 'system:test' })),
    )
    const customer = await shopper.client.get(path, { after })
    expect(customer.body).not.toHaveProperty('changes')
  })

  it('is shown as long as the product is', async () => {
    const { id } = await newProduct(app)
    const gone = await app.admin.client.delete(`/products/${id}`, undefined, { ifMatch: '*' })
    const path = `/products/${id}/price-history`
    const after = gone.body.position
    expectProblem(await app.anyone.get(path, { after }), 404, 'product/not-found')
    expect((await app.admin.client.get(path, { after })).status).toBe(200)
  })
})

describe('a deleted product', () => {
  it('cannot be put into a cart or ordered, from a cart that has it either', async () => {
    const { id } = await newProduct(app, { sku: 'ONCE' })
    const item = { productId: id, quantity: 1 }
    await shopper.client.post('/cart/items', item)
    await app.admin.client.delete(`/products/${id}`, undefined, { ifMatch: '*' })
    const client = (await app.person()).client
    expectProblem(await client.post('/cart/items', item), 404, 'product/not-found')
    const order = { ...delivery, items: [item] }
    const inline = await client.post('/orders', order, { key: newKey() })
    expectProblem(inline, 404, 'product/not-found')
    const fromCart = await shopper.client.post('/orders', delivery, { key: newKey() })
    expectProblem(fromCart, 404, 'product/not-found')
  })

  it('gives its SKU up to another one, and cannot come back beside it', async () => {
    const { id } = await newProduct(app, { sku: 'FOREVER' })
    await app.admin.client.delete(`/products/${id}`, undefined, { ifMatch: '*' })
    const body = { name: 'Another', price: gbp(1), sku: 'forever' }
    expect((await app.admin.client.post('/products', body)).status).toBe(201)
    const back = await app.admin.client.post(`/products/${id}/restore`, {})
    expectProblem(back, 409, 'product/sku-taken')
  })
})

describe('what runs low', () => {
  it('is counted from a threshold of one’s own', async () => {
    const { id, position: after } = await newProduct(app, { stock: 15 })
    const find = async (query: string) => {
      const path = `/products/low-stock?pageSize=100${query}`
      const { body } = await app.admin.client.get(path, { after })
      return body.data.find(each => each.id === id)
    }
    expect(await find('')).toBeUndefined()
    expect(await find('&threshold=15')).toBeUndefined()
    expect(await find('&threshold=16')).toMatchObject({ stock: { available: 15 } })
    const asked = await app.admin.client.get('/products/low-stock?threshold=0')
    expectProblem(asked, 400, 'request/invalid')
    const shopping = await shopper.client.get('/products/low-stock?threshold=5')
    expectProblem(shopping, 403, 'command/forbidden')
  })
})
