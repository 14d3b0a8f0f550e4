// Two API processes on one log: what one of them has cached must be what the log says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../support/apiClient.ts'
import { delivery, expectProblem, newKey, newProduct } from '../support/goods.ts'
import { type SecondNode, startSecondNode } from '../support/secondNode.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let second: SecondNode
let ann: Person
beforeAll(async () => {
  app = await startTestApp({ workers: false })
  second = await startSecondNode(app)
  ann = await app.person()
})
afterAll(async () => {
  await second?.close()
  await app?.close()
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
  const a = { shopper: ann.client, staff: app.admin.client }
  const b = { shopper: second.as(ann), staff: second.as(app.admin) }
  return { a, b }
}

describe('stock that both processes sell', () => {
  it('is not oversold after a step that the other process has taken before', async () => {
    const { a, b } = nodes()
    const { id } = await newProduct(app, { stock: 3 })
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
    const { id } = await newProduct(app, { stock: 3 })
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

describe('order numbers that both processes give', () => {
  /** The digits before the check digit. */
  const serialOf = (number: unknown) => Number(String(number).replace('-', '').slice(0, -1))

  /** Orders of both at the same time. */
  async function rush(productId: string, howMany: number): Promise<string[]> {
    const { a, b } = nodes()
    const shoppers = Array.from({ length: howMany / 2 }, () => [a.shopper, b.shopper]).flat()
    const answers = await Promise.all(shoppers.map(shopper => order(shopper, productId, 1)))
    expect(answers.filter(({ status }) => status !== 201)).toEqual([])
    return answers.map(({ body }) => body.orderNumber)
  }

  it('are all different, and higher a second after the last answer', async () => {
    const { id } = await newProduct(app, { stock: 200 })
    const early = await rush(id, 100)
    const answeredAt = performance.now()
    await waitFor('the next second', () => performance.now() - answeredAt > 1_000)
    const late = await rush(id, 100)
    expect(new Set([...early, ...late]).size).toBe(200)
    const highest = Math.max(...early.map(serialOf))
    expect(late.filter(number => serialOf(number) <= highest)).toEqual([])
  })

  it('ascend with the log: none is higher than one that was asked for a second later', async () => {
    const { rows } = await app.back.pool.query<{ number: string; other: string }>(`
      with numbered as (
        select data ->> 'orderNumber' as number, recorded_at,
          (metadata ->> 'at')::timestamptz as asked_at,
          left(replace(data ->> 'orderNumber', '-', ''), -1)::bigint as serial
        from eventstore.events where type = 'OrderSubmitted'
      )
      select earlier.number, later.number as other
      from numbered earlier join numbered later
        on later.asked_at >= earlier.recorded_at + interval '1 second'
        and later.serial <= earlier.serial
    `)
    expect(rows).toEqual([])
  })

  it('are the same for the same key, at each of them', async () => {
    const { a, b } = nodes()
    const { id } = await newProduct(app, { stock: 1 })
    const wanted = { ...delivery, items: [{ productId: id, quantity: 1 }] }
    const key = newKey()
    const both = [a.shopper, b.shopper].map(each => each.post('/orders', wanted, { key }))
    const [first, second] = await Promise.all(both)
    const again = await b.shopper.post('/orders', wanted, { key })
    const numbers = [first, second, again].map(answer => answer?.body.orderNumber)
    expect(numbers).toEqual([numbers[0], numbers[0], numbers[0]])
    expect(numbers[0]).toMatch(/^\d{3}-\d{4}$/)
  })
})
