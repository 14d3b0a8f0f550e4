// Payments over HTTP: cards that misbehave, callbacks, orders that run out, refunds, archiving.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { derivedId } from '../../src/commands/core/ids.ts'
import { runOrderProcess } from '../../src/commands/order/orderProcess.ts'
import { reconcile } from '../../src/commands/order/reconciliation.ts'
import { release } from '../../src/domain/stock/stock.ts'
import { expectProblem, gbp, moveOrder, newKey, newOrder, newProduct } from '../support/goods.ts'
import { callBack, letRunOut, orderOf } from '../support/payments.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let ada: Person
let bob: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
  bob = await app.person()
})
afterAll(() => app?.close())

async function ordered(stock = 10) {
  const product = await newProduct(app, { stock })
  const { orderId } = (await newOrder(ada, product.id)).body
  return { productId: product.id, orderId }
}

const pay = (orderId: string, paymentMethod?: string) =>
  ada.client.post(`/orders/${orderId}/pay`, paymentMethod === undefined ? {} : { paymentMethod })

const reaches = (orderId: string, status: string) =>
  waitFor(`order ${status}`, async () => (await orderOf(app, orderId)).status === status)

async function stockOf(productId: string) {
  const { state } = await app.back.app.stock.load(productId)
  return { onHand: state.onHand, reserved: state.reservedTotal }
}

async function openPaymentOf(orderId: string): Promise<string> {
  return (await orderOf(app, orderId)).openPayment?.paymentId ?? 'none'
}

describe('an order that is not paid in its time', () => {
  it('says until when it waits, expires by itself and gives its stock back', async () => {
    const { orderId, productId } = await ordered()
    const { expiresAt } = await orderOf(app, orderId)
    const after = await app.back.eventStore.head()
    const read = await ada.client.get(`/orders/${orderId}`, { after })
    expect(read.body.expiresAt).toBe(new Date(expiresAt ?? 0).toISOString())
    await letRunOut(app, orderId)
    await reaches(orderId, 'expired')
    await waitFor('stock back', async () => (await stockOf(productId)).reserved === 0)
    expectProblem(await pay(orderId), 409, 'order/expired')
  })
})

describe('a card', () => {
  it('that needs an action waits for it, and its callback pays once, however often', async () => {
    const { orderId } = await ordered()
    const answer = await pay(orderId, 'card_needs_action')
    expect(answer.body).toMatchObject({
      status: 'pending',
      payment: { status: 'requires_action', nextAction: { type: 'confirm' } },
    })
    const content = { type: 'payment.captured', orderId, paymentId: await openPaymentOf(orderId) }
    expect((await callBack(app, content, { id: `twice-${orderId}` })).body.outcome).toBe('recorded')
    expect((await callBack(app, content, { id: `twice-${orderId}` })).body.outcome).toBe('recorded')
    expect((await callBack(app, content)).body.outcome).toBe('recorded')
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', captured: 425 })
    const { body } = await ada.client.get(`/orders/${orderId}/history`)
    expect(body.data.filter(({ event }) => event === 'OrderPaid')).toHaveLength(1)
  })

  it('that was left waiting makes room for another, and can never be charged again', async () => {
    const { orderId } = await ordered()
    await pay(orderId, 'card_needs_action')
    const abandoned = await openPaymentOf(orderId)
    const answer = await pay(orderId, 'card')
    expect(answer.body.status).toBe('paid')
    const late = { type: 'payment.captured', orderId, paymentId: abandoned }
    expect((await callBack(app, late)).body.outcome).toBe('unknown')
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', captured: 425 })
    const { rows } = await app.back.pool.query(
      'select payment_id, status from shop.simulated_payments where order_id = $1 order by status',
      [orderId],
    )
    expect(rows).toEqual([
      { payment_id: abandoned, status: 'cancelled' },
      { payment_id: expect.any(String), status: 'captured' },
    ])
  })

  it('that was left waiting is charged once when it is confirmed as another is tried', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { orderId } = await ordered()
      await pay(orderId, 'card_needs_action')
      const content = { type: 'payment.captured', orderId, paymentId: await openPaymentOf(orderId) }
      await Promise.all([
        callBack(app, content),
        ...['card', 'card', 'card_needs_action'].map(method => pay(orderId, method)),
      ])
      const { rows } = await app.back.pool.query(
        `select payment_id from shop.simulated_payments
         where order_id = $1 and status = 'captured'`,
        [orderId],
      )
      expect(rows.length).toBeLessThanOrEqual(1)
      expect((await orderOf(app, orderId)).captured).toBe(425 * rows.length)
    }
  })

  it('that is under way keeps others out, and a repeated request changes nothing', async () => {
    const { orderId } = await ordered()
    const key = { headers: { 'idempotency-key': newKey() } }
    const path = `/orders/${orderId}/pay`
    await ada.client.post(path, { paymentMethod: 'card_needs_action' }, key)
    await pay(orderId, 'card_late')
    const open = await openPaymentOf(orderId)
    await ada.client.post(path, { paymentMethod: 'card_needs_action' }, key)
    expect(await openPaymentOf(orderId)).toBe(open)
    expectProblem(await pay(orderId, 'card'), 409, 'order/payment-in-progress')
  })

  it('is asked about only at the provider that has the payment', async () => {
    const { orderId } = await ordered()
    const paymentId = '01980000-0000-7000-8000-0000000000bb'
    const data = { orderId, paymentId, provider: 'stripe', method: 'card', amount: gbp(425) }
    const envelope = systemEnvelope('test', new Date())
    await app.back.app.orders.decide(orderId, envelope, () => [{ type: 'PaymentRequested', data }])
    await runOrderProcess(app.back.app, orderId, envelope)
    expectProblem(await pay(orderId, 'card'), 409, 'order/payment-in-progress')
    await letRunOut(app, orderId)
    await reaches(orderId, 'expired')
    await runOrderProcess(app.back.app, orderId, envelope)
    const { rows } = await app.back.pool.query(
      'select payment_id from shop.simulated_payments where order_id = $1',
      [orderId],
    )
    expect(rows).toEqual([])
    expect(await openPaymentOf(orderId)).toBe(paymentId)
  })

  it('that does not answer leaves the payment open, and the worker finishes it', async () => {
    const { orderId } = await ordered()
    const answer = await pay(orderId, 'card_timeout')
    expect(answer.body).toMatchObject({ status: 'pending', payment: { status: 'processing' } })
    await reaches(orderId, 'paid')
  })

  it('that answers after expiry pays when the goods can be had again', async () => {
    const { orderId, productId } = await ordered(1)
    await pay(orderId, 'card_late')
    await letRunOut(app, orderId)
    await reaches(orderId, 'expired')
    await app.back.pool.query(
      'update shop.simulated_payments set answers_at = now() where order_id = $1',
      [orderId],
    )
    await reaches(orderId, 'paid')
    expect(await stockOf(productId)).toEqual({ onHand: 1, reserved: 1 })
  })

  it('that answers after expiry keeps its goods from who gives them back too late', async () => {
    const { orderId, productId } = await ordered(1)
    await pay(orderId, 'card_needs_action')
    const paymentId = await openPaymentOf(orderId)
    const { orders, stock } = app.back.app
    const cause = systemEnvelope('test', new Date())
    // It stands still where the order has expired, and its pieces are not given back yet.
    const expired = { type: 'OrderExpired' as const, data: { orderId } }
    await orders.decide(orderId, cause, () => [expired])
    const late = await callBack(app, { type: 'payment.captured', orderId, paymentId })
    expect(late.body.outcome).toBe('recorded')
    const commandId = derivedId(orderId, `release/${productId}`)
    await stock.decide(productId, { ...cause, commandId }, state =>
      release(state, productId, orderId),
    )
    expect((await orderOf(app, orderId)).status).toBe('paid')
    expect(await stockOf(productId)).toEqual({ onHand: 1, reserved: 1 })
  })

  it('that answers after expiry is paid back when they are gone', async () => {
    const { orderId, productId } = await ordered(1)
    await pay(orderId, 'card_needs_action')
    const paymentId = await openPaymentOf(orderId)
    await letRunOut(app, orderId)
    await reaches(orderId, 'expired')
    await newOrder(bob, productId)
    await app.back.pool.query(
      `update shop.simulated_payments set status = 'processing' where payment_id = $1`,
      [paymentId],
    )
    await callBack(app, { type: 'payment.captured', orderId, paymentId })
    await waitFor('money back', async () => {
      return (await orderOf(app, orderId)).late.get(paymentId)?.returned
    })
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'expired', captured: 0 })
    expect(await stockOf(productId)).toEqual({ onHand: 1, reserved: 1 })
    const { rows } = await app.back.pool.query(
      'select amount_minor from shop.simulated_refunds where payment_id = $1',
      [paymentId],
    )
    expect(rows).toEqual([{ amount_minor: 425n }])
  })
})

describe('a callback', () => {
  it('is refused without the right signature, or when it is old', async () => {
    const { orderId } = await ordered()
    await pay(orderId, 'card_needs_action')
    const content = { type: 'payment.captured', orderId, paymentId: await openPaymentOf(orderId) }
    const old = new Date(Date.now() - 301_000)
    for (const options of [
      { signature: '' },
      { signature: `t=1,v1=${'0'.repeat(64)}` },
      { signature: `t=${Math.floor(Date.now() / 1_000)},v1=${'0'.repeat(64)}` },
      { signedAt: old },
    ]) {
      expectProblem(await callBack(app, content, options), 400, 'request/invalid')
    }
    expect((await orderOf(app, orderId)).status).toBe('pending')
    const other = await app.anyone.post('/webhooks/payments/other', '{}')
    expectProblem(other, 404, 'request/not-found')
  })

  it('about nothing of ours is recorded, not dropped', async () => {
    const orderId = '01980000-0000-7000-8000-00000000dead'
    const content = { type: 'payment.captured', orderId, paymentId: orderId }
    const answer = await callBack(app, content, { id: 'stray' })
    expect(answer.body.outcome).toBe('unknown')
    const { rows } = await app.back.pool.query(
      `select outcome from shop.payment_callbacks where callback_id = 'stray'`,
    )
    expect(rows).toEqual([{ outcome: 'unknown' }])
  })
})

describe('a refund', () => {
  const refund = (orderId: string, body: object) =>
    app.admin.client.post(`/orders/${orderId}/refunds`, body)

  it('of a part leaves the order as it is, of the rest ends it with its stock back', async () => {
    const { orderId, productId } = await ordered()
    await pay(orderId)
    const part = await refund(orderId, { amount: gbp(100), reason: 'A scratch' })
    expect(part.status).toBe(201)
    expect(part.body).toMatchObject({ status: 'paid', orderId })
    const rest = await refund(orderId, { reason: 'Never mind' })
    expect(rest.body.status).toBe('refunded')
    expect(await orderOf(app, orderId)).toMatchObject({ refunded: 425, captured: 425 })
    expect(await stockOf(productId)).toEqual({ onHand: 10, reserved: 0 })
    const more = await refund(orderId, { reason: 'More' })
    expect(expectProblem(more, 409, 'order/refund-exceeds-capture').refundable).toEqual(gbp(0))
  })

  it('is for admins, and for money that came in', async () => {
    const { orderId } = await ordered()
    const path = `/orders/${orderId}/refunds`
    const mine = await ada.client.post(path, { reason: 'Mine' })
    expectProblem(mine, 403, 'command/forbidden')
    const unpaid = await refund(orderId, { reason: 'Unpaid' })
    expectProblem(unpaid, 409, 'order/illegal-transition')
  })

  it('that was announced when a process died is finished by a worker', async () => {
    const { orderId } = await ordered()
    await pay(orderId)
    const refundId = '01980000-0000-7000-8000-0000000000aa'
    const data = { orderId, refundId, amount: gbp(25), reason: 'Late' }
    const { orders } = app.back.app
    const envelope = systemEnvelope('test', new Date())
    await orders.decide(orderId, envelope, () => [{ type: 'RefundRequested', data }])
    await waitFor('refund', async () => (await orderOf(app, orderId)).refunded === 25)
  })

  it('of all money whose process then died leaves no pieces promised', async () => {
    const { productId, orderId } = await ordered()
    await pay(orderId)
    const refund = { orderId, refundId: newKey(), amount: gbp(425), reason: 'All of it' }
    await app.back.app.orders.decide(orderId, systemEnvelope('test', new Date()), () => [
      { type: 'RefundRequested', data: refund },
      { type: 'OrderRefunded', data: refund },
    ])
    await reaches(orderId, 'refunded')
    await waitFor('stock back', async () => (await stockOf(productId)).reserved === 0)
  })
})

describe('money that the simulated provider moves without the shop', () => {
  const moved = { amount: 425, currency: 'GBP' }

  it('is paid back by npm run payments -- simulate, as in a dashboard', async () => {
    const { orderId } = await ordered()
    await pay(orderId)
    const wanted = ['simulate', 'refund', '--order', orderId, '--amount', '1.50']
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['tools/payments.ts', ...wanted, '--reference', 'by-hand-1'],
      { env: { ...process.env, ...app.env } },
    )
    expect(stdout).toBe('refund of 1.50 GBP, by-hand-1: recorded\n')
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', refunded: 150 })
  })

  it('is in its books and in those of the shop, refunds and disputes', async () => {
    const { orderId } = await ordered()
    await pay(orderId)
    const refund = { orderId, ...moved, amount: 25, reference: `re-${orderId}` }
    const dispute = { orderId, ...moved, amount: 400, reference: `du-${orderId}` }
    for (const content of [
      { type: 'refund.made', ...refund },
      { type: 'refund.made', ...refund, reference: `other-${orderId}` },
      { type: 'refund.failed', ...refund },
      { type: 'dispute.opened', ...dispute },
      { type: 'dispute.closed', ...dispute, outcome: 'lost' },
    ]) {
      const { outcome } = (await callBack(app, content)).body
      expect(outcome).toBe(content.type === 'refund.failed' ? 'review' : 'recorded')
    }
    const state = await orderOf(app, orderId)
    expect(state).toMatchObject({ refunded: 25 })
    expect([...state.disputes.values()]).toMatchObject([{ outcome: 'lost', amount: gbp(400) }])
    const { eventStore, codec, app: commands } = app.back
    const to = new Date(Date.now() + 60_000)
    const books = { eventStore, codec, payments: commands.payments }
    const { differences } = await reconcile(books, { from: new Date(0), to, now: to })
    expect(differences.filter(each => each.orderId === orderId)).toEqual([])
  })

  it('is a finding when it is more than what is left, and when it cannot be read', async () => {
    const { orderId } = await ordered()
    await pay(orderId)
    for (const content of [
      { type: 'refund.made', orderId, ...moved, amount: 426 },
      { type: 'refund.made', orderId, ...moved, currency: 'pounds' },
    ]) {
      expect((await callBack(app, content)).body.outcome).toBe('review')
    }
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', refunded: 0 })
  })
})

describe('archiving an order', () => {
  it('takes it out of its customer’s sight, and leaves it to the staff', async () => {
    const { orderId } = await ordered()
    const early = await ada.client.delete(`/orders/${orderId}`)
    expectProblem(early, 409, 'order/not-finished')
    await moveOrder(app, orderId, 'cancelled')
    expectProblem(await bob.client.delete(`/orders/${orderId}`), 404, 'order/not-found')
    const done = await ada.client.delete(`/orders/${orderId}`)
    const after = done.body.position
    const list = await ada.client.get('/orders?pageSize=100', { after })
    expect(list.body.data.map(({ id }) => id)).not.toContain(orderId)
    expectProblem(await ada.client.get(`/orders/${orderId}`, { after }), 404, 'order/not-found')
    const forStaff = await app.admin.client.get(`/orders/${orderId}`, { after })
    expect(forStaff.body.status).toBe('cancelled')
  })
})
