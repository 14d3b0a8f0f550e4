// Bounds of what one customer can order and hold without paying, on two nodes at the same time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../support/apiClient.ts'
import { atOnce, delivery, expectProblem, newKey, newProduct } from '../support/goods.ts'
import { letRunOut } from '../support/payments.ts'
import { type SecondNode, startSecondNode } from '../support/secondNode.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let second: SecondNode
let productId: string
beforeAll(async () => {
  app = await startTestApp({
    workers: false,
    settings: {
      RATE_LIMITS: 'on',
      ORDER_PIECES_MAX: '6',
      UNPAID_ORDERS_MAX: '3',
      UNPAID_PIECES_MAX: '10',
    },
  })
  second = await startSecondNode(app)
  productId = (await newProduct(app, { stock: 1_000 })).id
}, 120_000)
afterAll(async () => {
  await second?.close()
  await app?.close()
})

const order = (client: Client, quantity = 1, key = newKey()) =>
  client.post('/orders', { ...delivery, items: [{ productId, quantity }] }, { key })
const held = async () => (await app.back.app.stock.load(productId)).state.reservedTotal

describe('pieces of one product', () => {
  it('are bounded in the cart, added at once or one after the other', async () => {
    const { client } = await app.person()
    expectProblem(
      await client.post('/cart/items', { productId, quantity: 7 }),
      409,
      'cart/quantity-limit',
    )
    await client.post('/cart/items', { productId, quantity: 6 })
    const more = await client.post('/cart/items', { productId, quantity: 1 })
    expect(expectProblem(more, 409, 'cart/quantity-limit')).toMatchObject({ limit: 6 })
    const changed = await client.put(`/cart/items/${productId}`, { quantity: 7 })
    expectProblem(changed, 409, 'cart/quantity-limit')
    expect((await client.put(`/cart/items/${productId}`, { quantity: 2 })).status).toBe(200)
  })

  it('are bounded in an order, over all of its lines', async () => {
    const { client } = await app.person()
    const before = await held()
    const line = { productId, quantity: 4 }
    const answer = await client.post('/orders', { ...delivery, items: [line, line] })
    const problem = expectProblem(answer, 409, 'cart/quantity-limit')
    expect(problem).toMatchObject({ limit: 6, productIds: [productId] })
    expect(await held()).toBe(before)
  })
})

describe('unpaid orders', () => {
  it('are never more than the bound, whichever nodes are asked at the same time', async () => {
    const ann = await app.person()
    const before = await held()
    const clients = [ann.client, second.as(ann)]
    const answers = await atOnce(12, index => order(clients[index % 2] ?? ann.client))
    const placed = answers.filter(({ status }) => status === 201)
    expect(placed).toHaveLength(3)
    for (const each of answers.filter(({ status }) => status !== 201)) {
      expectProblem(each, 409, 'order/too-many-unpaid')
    }
    expect(await held()).toBe(before + 3)
    const refused = expectProblem(await order(ann.client), 409, 'order/too-many-unpaid')
    expect(refused).toMatchObject({ limits: { orders: 3, pieces: 10 } })
    expect(String(refused.detail)).toContain('3 is the most')
  })

  it('hold no more pieces than the bound together', async () => {
    const { client } = await app.person()
    expect((await order(client, 6)).status).toBe(201)
    expectProblem(await order(client, 5), 409, 'order/too-many-unpaid')
    expect((await order(client, 4)).status).toBe(201)
  })

  it.each(['paid', 'cancelled', 'expired'])('make room once one is %s', async end => {
    const { client } = await app.person()
    const key = newKey()
    const first = await order(client, 1, key)
    for (const _ of [2, 3]) expect((await order(client)).status).toBe(201)
    expectProblem(await order(client), 409, 'order/too-many-unpaid')
    // A retry of one that was placed is no new one.
    expect((await order(client, 1, key)).body.id).toBe(first.body.id)
    if (end === 'paid') await client.post(`/orders/${first.body.id}/pay`, {})
    else if (end === 'cancelled') await client.post(`/orders/${first.body.id}/cancel`, {})
    else await letRunOut(app, first.body.id)
    expect((await order(client)).status).toBe(201)
    expectProblem(await order(client), 409, 'order/too-many-unpaid')
  })

  it('of one customer are no matter of another, and the staff has no bounds', async () => {
    const staff: Person = await app.person('support')
    for (const _ of [1, 2, 3, 4, 5]) expect((await order(staff.client, 7)).status).toBe(201)
    const other = await app.person()
    expect((await order(other.client)).status).toBe(201)
  })
})
