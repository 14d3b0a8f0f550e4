// Money that Stripe moves without the shop: refunds made in its dashboard, and disputes. Webhooks
// come several times, out of order, and to two API processes at once.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reconcile } from '../../src/commands/order/reconciliation.ts'
import { expectProblem, gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { orderOf } from '../support/payments.ts'
import { type SecondNode, startSecondNode } from '../support/secondNode.ts'
import {
  type StripeDispute,
  type StripeDouble,
  type StripeRefund,
  startStripeDouble,
  stripeWebhook,
} from '../support/stripeDouble.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const secret = 'whsec_0123456789'
const keys = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: secret }
let double: StripeDouble
let app: TestApp
let second: SecondNode
let ada: Person
beforeAll(async () => {
  double = await startStripeDouble()
  const settings = { PAYMENT_PROVIDER: 'stripe', ...keys, STRIPE_API_BASE: double.url }
  app = await startTestApp({ settings })
  second = await startSecondNode(app)
  ada = await app.person()
})
afterAll(async () => {
  await second?.close()
  await app?.close()
  await double?.close()
})

/** An order of two lanterns, 8.50, that is paid through Stripe. */
async function bought() {
  const product = await newProduct(app)
  const { orderId } = (await newOrder(ada, product.id, 2)).body
  const paid = await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'pm_card_visa' })
  expect(paid.body.status, JSON.stringify(paid.body)).toBe('paid')
  const intent = [...double.intents.values()].find(each => each.metadata.orderId === orderId)
  const sku = (await orderOf(app, orderId)).lines[0]?.sku ?? ''
  return { orderId, intentId: intent?.id ?? '', productId: product.id, sku }
}

interface Telling {
  id?: string
  at?: Date
  created?: number
  secret?: string
  node?: Pick<SecondNode, 'anyone'>
}

function tell(type: string, object: object, { node = app, ...options }: Telling = {}) {
  const { body, signature } = stripeWebhook(type, object, { secret, ...options })
  const headers = { 'stripe-signature': signature }
  return node.anyone.post('/webhooks/payments/stripe', body, { headers })
}

async function told(type: string, object: object, options: Telling = {}): Promise<unknown> {
  const answer = await tell(type, object, options)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body.outcome
}

const head = async () => String(await app.back.eventStore.head())
const shown = async (orderId: string) =>
  (await app.admin.client.get(`/orders/${orderId}`, { after: await head() })).body
const eventsOf = async (orderId: string) => {
  const { body } = await app.admin.client.get(`/orders/${orderId}/history`)
  return body.data.map(({ event }) => String(event))
}
const count = (events: readonly string[], type: string) =>
  events.filter(event => event === type).length

/** Gross, returned and net of what a product brought in, and those of all products and the day. */
async function salesOf(sku: string) {
  const after = await head()
  const report = async (by: string) => {
    const path = `/admin/reports/sales?by=${by}&limit=1000`
    return (await app.admin.client.get(path, { after })).body.data
  }
  const [products, days] = await Promise.all([report('product'), report('day')])
  const amountOf = (line: unknown, name: string) => Number(Object(Object(line)[name]).amount)
  const total = (lines: unknown[]) =>
    lines.reduce<number>((sum, line) => sum + amountOf(line, 'net'), 0)
  expect(total(days)).toBe(total(products))
  const line = products.find(({ key }) => key === sku)
  return ['gross', 'returned', 'net'].map(name => amountOf(line, name))
}

const findings = async (query = 'state=open') =>
  (await app.admin.client.get(`/admin/payment-findings?pageSize=100&${query}`)).body.data
const findingAbout = async (reference: string) =>
  (await findings('')).filter(each => each.reference === reference)

function booksDiffer() {
  const { eventStore, codec, app: commands } = app.back
  const to = new Date(Date.now() + 60_000)
  const parts = { eventStore, codec, payments: commands.payments }
  return reconcile(parts, { from: new Date(0), to, now: to })
}
const differencesAbout = async (reference: string) =>
  (await booksDiffer()).differences.filter(each => each.reference === reference)

const chargeOf = (intentId: string, refunded: number) => ({
  id: `ch_${intentId}`,
  object: 'charge',
  payment_intent: intentId,
  amount_refunded: refunded,
  currency: 'gbp',
})
const asFailed = (refund: StripeRefund) => Object.assign(refund, { status: 'failed' })

describe('a refund made in the dashboard', () => {
  it('is booked in part and then as the rest, with the sales, the mail and the books', async () => {
    const { orderId, intentId, sku } = await bought()
    const part = double.refundByHand(intentId, 300)
    expect(await told('refund.created', part)).toBe('recorded')
    expect(await shown(orderId)).toMatchObject({
      status: 'paid',
      refunded: gbp(300),
      refunds: [{ amount: gbp(300), state: 'paid', provider: 'stripe' }],
    })
    expect(await salesOf(sku)).toEqual([850, 300, 550])
    const rest = double.refundByHand(intentId, 550)
    expect(await told('charge.refunded', chargeOf(intentId, 850))).toBe('recorded')
    expect(await told('refund.updated', rest)).toBe('recorded')
    expect(await shown(orderId)).toMatchObject({ status: 'refunded', refunded: gbp(850) })
    expect(await salesOf(sku)).toEqual([850, 850, 0])
    const { body } = await app.admin.client.get(`/orders/${orderId}/history`)
    const refunded = body.data.filter(({ event }) => event === 'OrderRefunded')
    expect(refunded).toMatchObject([
      {
        sentence: '3.00 GBP was paid back: Refunded at the payment provider.',
        by: 'system payments/stripe',
      },
      { sentence: '5.50 GBP was paid back: Refunded at the payment provider.' },
    ])
    expect(await differencesAbout(part.id)).toEqual([])
    expect(await differencesAbout(rest.id)).toEqual([])
    await waitFor('both mails', async () => {
      const { rows } = await app.back.pool.query(
        `select 1 from shop.mails where order_id = $1 and template = 'order-refunded'`,
        [orderId],
      )
      return rows.length === 2
    })
  })

  it('is booked once when two API processes are told three times each at once', async () => {
    const { orderId, intentId, productId } = await bought()
    const refund = double.refundByHand(intentId, 850)
    const nodes = [app, second, app, second, app, second]
    const id = `evt_${randomUUID()}`
    const outcomes = await Promise.all([
      ...nodes.map(node => told('refund.created', refund, { id, node })),
      ...[app, second].map(node => told('charge.refunded', chargeOf(intentId, 850), { node })),
    ])
    expect(new Set(outcomes)).toEqual(new Set(['recorded']))
    expect(count(await eventsOf(orderId), 'OrderRefunded')).toBe(1)
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'refunded', refunded: 850 })
    await waitFor('the stock back', async () => {
      return (await app.back.app.stock.load(productId)).state.reservedTotal === 0
    })
  })

  it('that came before the shop knew of the payment is booked after it', async () => {
    const product = await newProduct(app)
    const { orderId } = (await newOrder(ada, product.id, 2)).body
    await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'pm_card_slow' })
    const intent = [...double.intents.values()].find(each => each.metadata.orderId === orderId)
    const { id = '' } = intent ?? {}
    double.settle(id, 'succeeded')
    expect(await told('refund.created', double.refundByHand(id, 100))).toBe('recorded')
    expect(await orderOf(app, orderId)).toMatchObject({
      status: 'paid',
      captured: 850,
      refunded: 100,
    })
  })

  it.each([
    ['above what is left', { amount: 551 }, 'order/refund-exceeds-capture', gbp(551)],
    [
      'in another currency',
      { currency: 'eur' },
      'payment/mismatch',
      { amount: 300, currency: 'EUR' },
    ],
    ['of an unknown order', { payment_intent: 'pi_nobody' }, 'payment/unknown', gbp(300)],
    ['of no payment at all', { payment_intent: null }, 'payment/unknown', gbp(300)],
  ])('%s is not booked, and is a finding once', async (_, change, problem, amount) => {
    const { orderId, intentId } = await bought()
    await told('refund.created', double.refundByHand(intentId, 300))
    const id = `re_${randomUUID()}`
    const base = { id, amount: 300, currency: 'gbp', status: 'succeeded', metadata: {} }
    const refund = { ...base, payment_intent: intentId, ...change }
    for (const type of ['refund.created', 'refund.updated', 'charge.refund.updated']) {
      expect(await told(type, refund)).toBe('review')
    }
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', refunded: 300 })
    expect(await findingAbout(id)).toMatchObject([
      { kind: 'refund', problem, amount, provider: 'stripe', resolvedAt: null },
    ])
  })

  it('whose form nobody knows is a finding, and no failure', async () => {
    for (const type of ['refund.created', 'charge.refunded', 'charge.dispute.created']) {
      const id = `evt_${randomUUID()}`
      expect(await told(type, { id: 7, amount: -1 }, { id })).toBe('review')
      expect(await findingAbout(id)).toMatchObject([{ kind: 'unreadable', amount: null }])
    }
  })

  it('is not booked when Stripe has not signed it, or long ago', async () => {
    const { orderId, intentId } = await bought()
    const refund = double.refundByHand(intentId, 100)
    const old = new Date(Date.now() - 302_000)
    for (const options of [{ secret: 'whsec_another1' }, { at: old }]) {
      expectProblem(await tell('refund.created', refund, options), 400, 'request/invalid')
      const dispute = double.dispute(intentId, { amount: 850 })
      expectProblem(await tell('charge.dispute.created', dispute, options), 400, 'request/invalid')
      double.disputes.delete(dispute.id)
    }
    expect(await eventsOf(orderId)).toEqual(
      expect.not.arrayContaining(['OrderRefunded', 'DisputeOpened']),
    )
    expect(await differencesAbout(refund.id)).toMatchObject([{ what: 'refund without a record' }])
    await told('refund.created', refund)
    expect(await differencesAbout(refund.id)).toEqual([])
  })
})

describe('a refund that the shop has asked for', () => {
  const refund = (orderId: string, amount: number) =>
    app.admin.client.post(`/orders/${orderId}/refunds`, { amount: gbp(amount), reason: 'Torn' })
  const madeFor = (intentId: string) =>
    [...double.refunds.values()].find(each => each.payment_intent === intentId)

  it('is not booked again by its own webhooks', async () => {
    const { orderId, intentId } = await bought()
    await refund(orderId, 300)
    const made = madeFor(intentId) ?? {}
    for (const type of ['refund.created', 'refund.updated']) {
      expect(await told(type, made)).toBe('recorded')
    }
    expect(await told('charge.refunded', chargeOf(intentId, 300))).toBe('recorded')
    expect(count(await eventsOf(orderId), 'OrderRefunded')).toBe(1)
    expect(await shown(orderId)).toMatchObject({
      refunded: gbp(300),
      refunds: [{ amount: gbp(300), state: 'paid', provider: null }],
    })
  })

  it('is booked once when its webhook comes before the answer', async () => {
    const { orderId, intentId } = await bought()
    // Twice: the library repeats a request whose connection was cut.
    for (const how of ['cut', 'cut'] as const) {
      double.failNext({ path: /^\/v1\/refunds$/, method: 'POST', when: 'after', how })
    }
    await refund(orderId, 300)
    expect((await orderOf(app, orderId)).openRefunds.size).toBe(1)
    expect(await told('refund.created', madeFor(intentId) ?? {})).toBe('recorded')
    expect((await orderOf(app, orderId)).openRefunds.size).toBe(0)
    expect(count(await eventsOf(orderId), 'OrderRefunded')).toBe(1)
    expect(await orderOf(app, orderId)).toMatchObject({ refunded: 300 })
    expect(
      [...double.refunds.values()].filter(each => each.payment_intent === intentId),
    ).toHaveLength(1)
  })

  it('that does not arrive is shown as failed, and can be paid back again', async () => {
    const { orderId, intentId, sku } = await bought()
    await refund(orderId, 850)
    const made = madeFor(intentId)
    if (made === undefined) throw new Error('no refund')
    expect(await told('refund.failed', asFailed(made))).toBe('review')
    expect(await told('refund.updated', made)).toBe('review')
    // Older news, told late.
    expect(await told('refund.created', { ...made, status: 'pending' })).toBe('recorded')
    expect(await shown(orderId)).toMatchObject({
      status: 'refunded',
      refunded: gbp(0),
      refunds: [{ amount: gbp(850), state: 'failed' }],
    })
    expect(await salesOf(sku)).toEqual([850, 0, 850])
    expect(await differencesAbout(made.id)).toEqual([])
    const found = await findingAbout(made.id)
    expect(found).toMatchObject([{ problem: 'refund/failed', orderId, resolvedAt: null }])
    double.refunds.delete(made.id)
    expect((await refund(orderId, 850)).status).toBe(201)
    expect(await shown(orderId)).toMatchObject({ refunded: gbp(850) })
    expect(await salesOf(sku)).toEqual([850, 850, 0])
  })
})

describe('a finding', () => {
  it('is for admins and auditors; an admin says once that it is seen to', async () => {
    const id = `re_${randomUUID()}`
    const refund = { id, amount: 5, currency: 'gbp', status: 'succeeded', payment_intent: null }
    await told('refund.created', refund)
    const [found] = await findingAbout(id)
    const path = `/admin/payment-findings/${found?.id}/resolve`
    const auditor = await app.person('auditor')
    expectProblem(await auditor.client.post(path), 403, 'command/forbidden')
    const done = await app.admin.client.post(path)
    expect(done.body).toMatchObject({ resolvedBy: app.admin.id })
    const { resolvedAt } = done.body
    expect((await app.admin.client.post(path)).body).toMatchObject({ resolvedAt })
    expect((await findings()).map(({ reference }) => reference)).not.toContain(id)
    await told('refund.updated', refund)
    expect(await findingAbout(id)).toMatchObject([{ resolvedAt }])
    const unknown = `/admin/payment-findings/${randomUUID()}/resolve`
    expectProblem(await app.admin.client.post(unknown), 404, 'payment/finding-not-found')
  })
})

describe('a dispute', () => {
  const dueBy = 1_900_000_000
  const due = '2030-03-17T17:46:40.000Z'
  async function disputed(amount = 850, details: Partial<StripeDispute> = {}) {
    const order = await bought()
    const evidence_details = { due_by: dueBy }
    const dispute = double.dispute(order.intentId, { amount, evidence_details, ...details })
    expect(await told('charge.dispute.created', dispute)).toBe('recorded')
    return { ...order, dispute }
  }
  const become = (dispute: StripeDispute, status: string) => Object.assign(dispute, { status })

  it('is listed, shown to the staff with its deadline, and holds its money', async () => {
    const { orderId, dispute, sku } = await disputed()
    await told('charge.dispute.funds_withdrawn', dispute)
    const facts = { state: 'needs_response', amount: gbp(850), reason: 'fraudulent', dueBy: due }
    expect(await shown(orderId)).toMatchObject({
      status: 'paid',
      disputes: [{ ...facts, provider: 'stripe', reference: dispute.id }],
    })
    expect((await ada.client.get(`/orders/${orderId}`)).body.disputes).toBeUndefined()
    const support = await app.person('support')
    const { body } = await support.client.get('/admin/disputes?state=open&pageSize=100')
    expect(body.data.find(each => each.orderId === orderId)).toMatchObject(facts)
    expectProblem(await ada.client.get('/admin/disputes'), 403, 'command/forbidden')
    const refund = { amount: gbp(1), reason: 'Torn' }
    const refused = await app.admin.client.post(`/orders/${orderId}/refunds`, refund)
    expect(expectProblem(refused, 409, 'order/refund-exceeds-capture').refundable).toEqual(gbp(0))
    expect(count(await eventsOf(orderId), 'DisputeOpened')).toBe(1)
    expect(await salesOf(sku)).toEqual([850, 0, 850])
    expect(await differencesAbout(dispute.id)).toEqual([])
  })

  it('that is won leaves the sale as it was', async () => {
    const { orderId, dispute, sku } = await disputed()
    await told('charge.dispute.updated', become(dispute, 'under_review'))
    expect(await shown(orderId)).toMatchObject({ disputes: [{ state: 'under_review' }] })
    await told('charge.dispute.closed', become(dispute, 'won'))
    await told('charge.dispute.funds_reinstated', dispute)
    expect(await shown(orderId)).toMatchObject({ status: 'paid', disputes: [{ state: 'won' }] })
    expect(await salesOf(sku)).toEqual([850, 0, 850])
    expect(await differencesAbout(dispute.id)).toEqual([])
    const refund = { amount: gbp(850), reason: 'Torn' }
    expect((await app.admin.client.post(`/orders/${orderId}/refunds`, refund)).status).toBe(201)
  })

  it('that is lost is money gone, once, however often it is told', async () => {
    const { orderId, intentId, sku } = await bought()
    const dispute = double.dispute(intentId, { amount: 500 })
    const opened = { ...dispute }
    const lost = become(dispute, 'lost')
    const at = Math.floor(Date.now() / 1_000)
    const outcomes = await Promise.all(
      [app, second, app, second, app, second].map(node =>
        told('charge.dispute.closed', lost, { node, created: at, id: `evt_${randomUUID()}` }),
      ),
    )
    await told('charge.dispute.created', opened, { created: at - 60 })
    await told('charge.dispute.funds_withdrawn', opened, { created: at - 60, node: second })
    expect(new Set(outcomes)).toEqual(new Set(['recorded']))
    const events = await eventsOf(orderId)
    expect([count(events, 'DisputeOpened'), count(events, 'DisputeClosed')]).toEqual([1, 1])
    expect(await shown(orderId)).toMatchObject({
      status: 'paid',
      refunded: gbp(0),
      disputes: [{ state: 'lost', amount: gbp(500) }],
    })
    expect(await salesOf(sku)).toEqual([850, 500, 350])
    expect(await differencesAbout(dispute.id)).toEqual([])
    // Only what the bank has left can go back.
    const rest = await app.admin.client.post(`/orders/${orderId}/refunds`, { reason: 'Torn' })
    expect(rest.status, JSON.stringify(rest.body)).toBe(201)
    expect(await shown(orderId)).toMatchObject({ refunded: gbp(350) })
    expect(await salesOf(sku)).toEqual([850, 850, 0])
  })

  it('that was lost and is won by an appeal gives the money back', async () => {
    const { dispute, sku } = await disputed(500)
    const at = Math.floor(Date.now() / 1_000)
    await told('charge.dispute.closed', become(dispute, 'lost'), { created: at })
    await told('charge.dispute.closed', become(dispute, 'won'), { created: at + 60 })
    expect(await salesOf(sku)).toEqual([850, 0, 850])
    expect(await differencesAbout(dispute.id)).toEqual([])
  })

  it('about an order that was paid back is recorded; lost, the money is gone twice', async () => {
    const { orderId, intentId, sku } = await bought()
    await told('refund.created', double.refundByHand(intentId, 850))
    const dispute = double.dispute(intentId, { amount: 850, reason: 'credit_not_processed' })
    await told('charge.dispute.created', dispute)
    await told('charge.dispute.closed', become(dispute, 'lost'))
    expect(await shown(orderId)).toMatchObject({
      status: 'refunded',
      refunded: gbp(850),
      disputes: [{ state: 'lost' }],
    })
    expect(await salesOf(sku)).toEqual([850, 1_700, -850])
  })

  it('that is only an inquiry takes no money, and is dropped', async () => {
    const { orderId, dispute, sku } = await disputed(850, { status: 'warning_needs_response' })
    expect(await shown(orderId)).toMatchObject({ disputes: [{ state: 'inquiry' }] })
    await told('charge.dispute.closed', become(dispute, 'warning_closed'))
    expect(await shown(orderId)).toMatchObject({ disputes: [{ state: 'dropped' }] })
    expect(await salesOf(sku)).toEqual([850, 0, 850])
  })

  it('of a cancelled order that is won is paid back', async () => {
    const { orderId, dispute } = await disputed(500)
    expect((await moveOrder(app, orderId, 'cancelled')).status).toBe(200)
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'cancelled', refunded: 350 })
    await told('charge.dispute.closed', become(dispute, 'won'))
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'cancelled', refunded: 850 })
  })

  it('of an unknown order or in another currency is a finding', async () => {
    const { intentId } = await bought()
    const foreign = double.dispute(intentId, { amount: 850, currency: 'eur' })
    expect(await told('charge.dispute.created', foreign)).toBe('review')
    expect(await findingAbout(foreign.id)).toMatchObject([
      { kind: 'dispute', problem: 'payment/mismatch', amount: { amount: 850, currency: 'EUR' } },
    ])
    const stray = double.dispute('pi_nobody', { amount: 5 })
    expect(await told('charge.dispute.created', stray)).toBe('review')
    expect(await differencesAbout(stray.id)).toMatchObject([{ what: 'dispute without a record' }])
    const { dispute } = await disputed()
    become(dispute, 'lost')
    expect(await differencesAbout(dispute.id)).toMatchObject([{ what: 'dispute ended otherwise' }])
  })
})
