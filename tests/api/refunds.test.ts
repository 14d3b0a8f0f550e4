// Money that goes back: nothing is no refund, what came another way is paid back by a person, and
// an order of free goods needs no payment.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  delivery,
  expectProblem,
  gbp,
  moveOrder,
  newKey,
  newOrder,
  newProduct,
} from '../support/goods.ts'
import { callBack } from '../support/payments.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let ada: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
})
afterAll(() => app?.close())

/** An order over 8.50 that the staff has marked as paid: the money came by bank transfer. */
async function paidByHand() {
  const { id } = await newProduct(app)
  const { orderId } = (await newOrder(ada, id, 2)).body
  expect((await moveOrder(app, orderId, 'paid')).status).toBe(200)
  return orderId
}

const orderOf = async (orderId: string, after?: string) =>
  (await ada.client.get(`/orders/${orderId}`, after === undefined ? {} : { after })).body
const mailsTo = async (template: string) => {
  const { rows } = await app.back.pool.query<{ order_id: string }>(
    'select order_id from shop.mails where template = $1',
    [template],
  )
  return rows.map(row => row.order_id)
}
const openRefunds = async (after: string) =>
  (await app.admin.client.get('/admin/refunds?pageSize=100', { after })).body.data
const confirm = (orderId: string, refundId: string) =>
  app.admin.client.post(`/orders/${orderId}/refunds/${refundId}/confirm`, { reference: 'BANK 7' })

describe('a refund', () => {
  it.each([0, -1])('of %s is refused by the name of the field', async amount => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`)
    const refund = { amount: gbp(amount), reason: 'nothing' }
    const answer = await app.admin.client.post(`/orders/${orderId}/refunds`, refund)
    const { errors } = expectProblem(answer, 400, 'request/invalid')
    expect(errors[0]?.pointer).toBe('/amount/amount')
    expect((await orderOf(orderId)).refunded).toEqual(gbp(0))
  })
})

describe('a refund that the provider declines at once', () => {
  it('is refused, also when it is asked again, and can be asked for anew', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`)
    const path = `/orders/${orderId}/refunds`
    const refund = { amount: gbp(425), reason: 'scratched' }
    // Of these 4.25, the provider has paid back 4.00 that the shop knows nothing of.
    const { pool } = app.back
    const gone = newKey()
    await pool.query(
      `insert into shop.simulated_refunds (refund_id, payment_id, amount_minor, currency)
       select $1, payment_id, 400, 'GBP' from shop.simulated_payments where order_id = $2`,
      [gone, orderId],
    )
    const key = newKey()
    for (const _ of ['first', 'again']) {
      const declined = await app.admin.client.post(path, refund, { key })
      expectProblem(declined, 409, 'order/refund-declined')
    }
    expect((await orderOf(orderId)).refunded).toEqual(gbp(0))
    await pool.query('delete from shop.simulated_refunds where refund_id = $1', [gone])
    const done = await app.admin.client.post(path, refund)
    expect(done.body).toMatchObject({ refund: { state: 'paid', byHand: false } })
  })
})

describe('an order whose payment is disputed', () => {
  it('is shipped only when that is accepted, open or lost', async () => {
    const { id } = await newProduct(app)
    const ship = (orderId: string, more: object = {}) =>
      app.admin.client.patch(`/orders/${orderId}/status`, { status: 'shipped', ...more })
    const disputed = async (outcomes: readonly string[]) => {
      const { orderId } = (await newOrder(ada, id)).body
      await ada.client.post(`/orders/${orderId}/pay`)
      const about = { orderId, amount: 425, currency: 'GBP', reference: `du-${orderId}` }
      await callBack(app, { type: 'dispute.opened', ...about })
      for (const outcome of outcomes) {
        await callBack(app, { type: 'dispute.closed', outcome, ...about })
      }
      return orderId
    }
    for (const [outcomes, state] of [
      [[], 'needs_response'],
      [['lost'], 'lost'],
    ] as const) {
      const orderId = await disputed(outcomes)
      const refused = await ship(orderId)
      expectProblem(refused, 409, 'order/disputed')
      expect(refused.body).toMatchObject({ disputes: [{ state, amount: gbp(425) }] })
      expect((await ship(orderId, { acceptDispute: true })).body.status).toBe('shipped')
    }
    expect((await ship(await disputed(['won']))).body.status).toBe('shipped')
  })

  it('and any other has no field that its next status does not use', async () => {
    const orderId = await paidByHand()
    const path = `/orders/${orderId}/status`
    const sent = { status: 'delivered', tracking: 'RM 1', reason: 'late', acceptDispute: true }
    const { errors } = expectProblem(
      await app.admin.client.patch(path, sent),
      400,
      'command/invalid',
    )
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/reason', '/tracking', '/acceptDispute'])
  })
})

describe('a refund of money that came another way', () => {
  it('is open, listed and not mailed until somebody has paid it back', async () => {
    const orderId = await paidByHand()
    const refund = { amount: gbp(350), reason: 'scratched' }
    const asked = await app.admin.client.post(`/orders/${orderId}/refunds`, refund)
    const { refundId, position } = asked.body
    expect(asked.body).toMatchObject({ refund: { state: 'open', byHand: true } })
    expect((await orderOf(orderId, position)).refunded).toEqual(gbp(0))
    const listed = (await openRefunds(position)).find(Object)
    expect(listed).toMatchObject({
      orderId,
      refunds: [{ refundId, amount: gbp(350), provider: 'manual', byHand: true }],
    })

    const done = await confirm(orderId, String(refundId))
    expect(done.status, JSON.stringify(done.body)).toBe(200)
    const after = done.body.position
    expect(await orderOf(orderId, after)).toMatchObject({ refunded: gbp(350), status: 'paid' })
    expect(await openRefunds(after)).toEqual([])
    await waitFor('the mail', async () => (await mailsTo('order-refunded')).includes(orderId))
    expect((await confirm(orderId, String(refundId))).status).toBe(200)
    expect((await orderOf(orderId, after)).refunded).toEqual(gbp(350))
  })

  it('is owed by a cancelled order, and ends when somebody has paid it back', async () => {
    const orderId = await paidByHand()
    const { body } = await ada.client.post(`/orders/${orderId}/cancel`, {})
    expect(await orderOf(orderId, body.position)).toMatchObject({
      status: 'cancelled',
      refunded: gbp(0),
    })
    const [owed] = await openRefunds(body.position)
    expect(owed).toMatchObject({ orderId, refunds: [{ amount: gbp(850), byHand: true }] })
    const { refundId } = Object(owed).refunds[0]
    const done = await confirm(orderId, refundId)
    expect((await orderOf(orderId, done.body.position)).refunded).toEqual(gbp(850))
  })

  it('cannot be confirmed where there is none, or by those who are not admins', async () => {
    const orderId = await paidByHand()
    expectProblem(await confirm(orderId, newKey()), 404, 'order/refund-not-found')
    const support = await app.person('support')
    const path = `/orders/${orderId}/refunds/${newKey()}/confirm`
    expectProblem(await support.client.post(path, {}), 403, 'command/forbidden')
  })

  it('is not for a person where the provider pays back by itself', async () => {
    const { id } = await newProduct(app)
    const { orderId } = (await newOrder(ada, id)).body
    await ada.client.post(`/orders/${orderId}/pay`)
    const refund = { amount: gbp(100), reason: 'scratched' }
    const { body } = await app.admin.client.post(`/orders/${orderId}/refunds`, refund)
    expect((await confirm(orderId, String(body.refundId))).status).toBe(200)
    expect((await orderOf(orderId, body.position)).refunded).toEqual(gbp(100))
  })
})

describe('an order of free goods', () => {
  it('is paid as soon as it is placed, and paying it again is no fault', async () => {
    const { id } = await newProduct(app, { price: gbp(0) })
    const key = newKey()
    const wanted = { ...delivery, items: [{ productId: id, quantity: 1 }] }
    const placed = await ada.client.post('/orders', wanted, { key })
    expect(placed.body).toMatchObject({ status: 'paid', total: gbp(0) })
    const again = await ada.client.post('/orders', wanted, { key })
    expect(again.body).toEqual(placed.body)
    const { orderId } = placed.body
    const paid = await ada.client.post(`/orders/${orderId}/pay`, {})
    expect(paid.status, JSON.stringify(paid.body)).toBe(200)
    expect((await moveOrder(app, orderId, 'shipped')).status).toBe(200)
  })
})
