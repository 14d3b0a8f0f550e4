// Defects that users of other shops have reported, re-enacted: each is a test under its own name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { runOrderProcess } from '../../src/commands/order/orderProcess.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { atOnce, delivery, expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { callBack, letRunOut, orderOf } from '../support/payments.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let ada: Person
let bob: Person
beforeAll(async () => {
  // Without workers: what is shown here holds at once, not after somebody has tidied up.
  app = await startTestApp({ workers: false })
  ada = await app.person()
  bob = await app.person()
})
afterAll(() => app?.close())

async function stockOf(productId: string) {
  const { state } = await app.back.app.stock.load(productId)
  return { onHand: state.onHand, reserved: state.reservedTotal }
}

const order = (person: Person, items: { productId: string; quantity: number }[]) =>
  person.client.post('/orders', { ...delivery, items })

/** A request of Ada's when the orders of that time were not due yet. */
function anHourAgo(): Envelope {
  const envelope = systemEnvelope('test', new Date(Date.now() - 3_600_000))
  return { ...envelope, actor: { role: 'customer', id: ada.id, roles: ['customer'] } }
}

async function placedAnHourAgo(productId: string): Promise<string> {
  const input = { ...delivery, items: [{ productId, quantity: 1 }] }
  const answer = await execute(app.back.app, placeOrder, input, anHourAgo())
  if (isRejection(answer)) throw new Error(answer.detail)
  return answer.id
}

const charges = async (orderId: string) => {
  const query = 'select payment_id from shop.simulated_payments where order_id = $1'
  return (await app.back.pool.query(`${query} and status = 'captured'`, [orderId])).rows.length
}

describe('stock', () => {
  it('two orders for one unit: one gets it', async () => {
    const { id } = await newProduct(app, { stock: 1 })
    const item = [{ productId: id, quantity: 1 }]
    const answers = await atOnce(8, index => order(index % 2 === 0 ? ada : bob, item))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
    expect(await stockOf(id)).toEqual({ onHand: 1, reserved: 1 })
  })

  it('the same product in several lines: their sum is what has to be there', async () => {
    const { id } = await newProduct(app, { stock: 3 })
    const line = { productId: id, quantity: 2 }
    const answer = await order(ada, [line, line])
    const { short } = expectProblem(answer, 409, 'order/out-of-stock')
    expect(short).toEqual([{ productId: id, wanted: 4, available: 3 }])
  })

  it('reserved stock that goes negative: cancelling twice gives back once', async () => {
    const { id } = await newProduct(app, { stock: 5 })
    const { orderId } = (await newOrder(ada, id, 2)).body
    await atOnce(4, () => ada.client.post(`/orders/${orderId}/cancel`, {}))
    expect(await stockOf(id)).toEqual({ onHand: 5, reserved: 0 })
  })

  it('an unpaid order that holds stock for ever: others get it once its time is over', async () => {
    const { id } = await newProduct(app, { stock: 1 })
    const orderId = await placedAnHourAgo(id)
    const { orderId: next } = (await newOrder(bob, id)).body
    expect((await orderOf(app, orderId)).status).toBe('expired')
    expect((await orderOf(app, next)).status).toBe('pending')
    expectProblem(await ada.client.post(`/orders/${orderId}/pay`, {}), 409, 'order/expired')
    expect(await charges(orderId)).toBe(0)
    expect(await stockOf(id)).toEqual({ onHand: 1, reserved: 1 })
  })
})

describe('payment', () => {
  it('a double capture: paying at once from two windows charges once', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    const answers = await atOnce(5, () => ada.client.post(`/orders/${orderId}/pay`, {}))
    expect(answers.filter(({ status }) => status === 200)).not.toHaveLength(0)
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', captured: 425 })
    expect(await charges(orderId)).toBe(1)
  })

  it('paid but no order: what comes for an expired order pays it or goes back', async () => {
    const { id } = await newProduct(app, { stock: 1 })
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'card_late' })
    const paymentId = (await orderOf(app, orderId)).openPayment?.paymentId ?? 'none'
    await letRunOut(app, orderId)
    // As the sweep of a worker does: the reservation itself says that it has time left.
    await runOrderProcess(app.back.app, orderId, systemEnvelope('sweep', new Date()))
    await newOrder(bob, id)
    await callBack(app, { type: 'payment.captured', orderId, paymentId })
    const { status, late } = await orderOf(app, orderId)
    expect(status).toBe('expired')
    expect(late.get(paymentId)).toMatchObject({ amount: gbp(425), returned: true })
  })

  it('a refund above the capture by two concurrent calls: one of them is refused', async () => {
    const { id } = await newProduct(app, { price: gbp(1_000) })
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`, {})
    const answers = await atOnce(4, () =>
      app.admin.client.post(`/orders/${orderId}/refunds`, { amount: gbp(600), reason: 'Broken' }),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
    expect((await orderOf(app, orderId)).refunded).toBe(600)
  })

  it('a refund beside the one of a cancellation: the capture goes back once', async () => {
    const { id } = await newProduct(app, { price: gbp(1_000) })
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`, {})
    await Promise.all([
      app.admin.client.post(`/orders/${orderId}/refunds`, { amount: gbp(600), reason: 'Broken' }),
      ada.client.post(`/orders/${orderId}/cancel`, {}),
    ])
    expect(await orderOf(app, orderId)).toMatchObject({ captured: 1_000, refunded: 1_000 })
    const { rows } = await app.back.pool.query(
      `select sum(r.amount_minor)::int as sum from shop.simulated_refunds r
       join shop.simulated_payments p using (payment_id) where p.order_id = $1`,
      [orderId],
    )
    expect(rows).toEqual([{ sum: 1_000 }])
  })
})

describe('prices', () => {
  it('totals with fractions of a cent: there are none to begin with', async () => {
    const fraction = await app.admin.client.post('/products', {
      name: 'Third of a penny',
      price: { amount: 0.1, currency: 'GBP' },
    })
    expectProblem(fraction, 400, 'request/invalid')
    const [first, second] = [
      await newProduct(app, { price: gbp(121) }),
      await newProduct(app, { price: gbp(122) }),
    ]
    const { body } = await order(ada, [
      { productId: first.id, quantity: 1 },
      { productId: second.id, quantity: 1 },
    ])
    expect(body.total).toEqual(gbp(243))
  })

  it('a stale price in a dormant cart: a rise is asked about, a drop is passed on', async () => {
    const { id } = await newProduct(app, { price: gbp(500) })
    await bob.client.post('/cart/items', { productId: id, quantity: 2 })
    await app.admin.client.patch(`/products/${id}`, { price: gbp(600) })
    const refused = await bob.client.post('/orders', delivery)
    expect(expectProblem(refused, 409, 'cart/price-changed').changes).toEqual([
      { productId: id, before: gbp(500), now: gbp(600) },
    ])
    await app.admin.client.patch(`/products/${id}`, { price: gbp(400) })
    expect((await bob.client.post('/orders', delivery)).body.total).toEqual(gbp(800))
  })

  it('an order total that changes when the catalogue does: it stays, and is charged', async () => {
    const { id } = await newProduct(app, { price: gbp(425) })
    const { orderId } = (await newOrder(ada, id, 2)).body
    await app.admin.client.patch(`/products/${id}`, { name: 'Other', price: gbp(9_999) })
    await ada.client.post(`/orders/${orderId}/pay`, {})
    expect(await orderOf(app, orderId)).toMatchObject({ total: gbp(850), captured: 850 })
  })
})
