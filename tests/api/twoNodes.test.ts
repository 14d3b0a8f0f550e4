// Two API processes on one log: what one of them has cached must be what the log says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../support/apiClient.ts'
import { delivery, expectProblem, newProduct } from '../support/goods.ts'
import { type SecondNode, startSecondNode } from '../support/secondNode.ts'
import { type Person, startTestShop, type TestShop } from '../support/testShop.ts'

let shop: TestShop
let second: SecondNode
let ann: Person
beforeAll(async () => {
  shop = await startTestShop({ workers: false })
  second = await startSecondNode(shop)
  ann = await shop.person()
})
afterAll(async () => {
  await second?.close()
  await shop?.close()
})

async function order(client: Client, productId: string, quantity: number) {
  return client.post('/orders', { ...delivery, items: [{ productId, quantity }] })
}

async function pay(client: Client, orderId: string) {
  expect((await client.post(`/orders/${orderId}/pay`, {})).status).toBe(200)
}

async function move(client: Client, orderId: string, status: string) {
  const answer = await client.patch(`/orders/${orderId}/status`, { status })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
}

/** The client of each node, and of whoever moves orders there. */
function nodes() {
  const a = { shopper: ann.client, staff: shop.admin.client }
  const b = { shopper: second.as(ann), staff: second.as(shop.admin) }
  return { a, b }
}

describe('stock that both processes sell', () => {
  it('is not oversold after a step that the other process has taken before', async () => {
    const { a, b } = nodes()
    const { id } = await newProduct(shop, { stock: 3 })
    const first = await order(a.shopper, id, 1)
    expect(first.status).toBe(201)
    expect((await order(b.shopper, id, 2)).status).toBe(201)
    await pay(b.shopper, first.body.id)
    await move(b.staff, first.body.id, 'shipped')
    await move(a.staff, first.body.id, 'delivered')
    expectProblem(await order(a.shopper, id, 2), 409, 'order/out-of-stock')
  })

  it.each(['cancelled', 'refunded'])('is right again after an order is %s', async end => {
    const { a, b } = nodes()
    const { id } = await newProduct(shop, { stock: 3 })
    const first = await order(a.shopper, id, 2)
    await pay(b.shopper, first.body.id)
    if (end === 'cancelled') {
      await b.shopper.post(`/orders/${first.body.id}/cancel`, { reason: 'changed my mind' })
      await a.shopper.post(`/orders/${first.body.id}/cancel`, { reason: 'changed my mind' })
    } else {
      const refund = { amount: first.body.total, reason: 'broken', restock: true }
      await b.staff.post(`/orders/${first.body.id}/refunds`, refund)
      await a.staff.post(`/orders/${first.body.id}/refunds`, refund)
    }
    let sold = end === 'cancelled' ? 0 : 2
    for (const shopper of [a.shopper, b.shopper, a.shopper, b.shopper, a.shopper]) {
      if ((await order(shopper, id, 1)).status === 201) sold += 1
    }
    expect(sold).toBe(3)
  })
})
