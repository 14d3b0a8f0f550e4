// What orders can be paid with: only what is offered, and by hand only by the staff.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { letRunOut, orderOf } from '../support/payments.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let ada: Person
let cards: TestApp
let bob: Person
beforeAll(async () => {
  app = await startTestApp({
    settings: {
      PAYMENT_METHODS: 'card, card_declined,invoice,bank_transfer',
      MANUAL_PAYMENT_DAYS: '3',
    },
  })
  ada = await app.person()
  cards = await startTestApp({ workers: false })
  bob = await cards.person()
}, 120_000)
afterAll(() => Promise.all([app?.close(), cards?.close()]))

async function place(on: TestApp, person: Person, paymentMethod: string) {
  const { id } = await newProduct(on, { stock: 5 })
  const items = [{ productId: id, quantity: 2 }]
  const answer = await person.client.post('/orders', { ...delivery, items, paymentMethod })
  return { productId: id, orderId: String(answer.body.orderId), answer }
}

const stockOf = async (on: TestApp, productId: string) =>
  (await on.back.app.stock.load(productId)).state.reservedTotal

describe('GET /payment-methods', () => {
  it('lists what is offered to anyone, and how long each waits', async () => {
    const { body } = await app.anyone.get('/payment-methods')
    expect(body.data).toEqual([
      { paymentMethod: 'card', kind: 'provider', payWithinMinutes: 30 },
      { paymentMethod: 'card_declined', kind: 'provider', payWithinMinutes: 30 },
      { paymentMethod: 'invoice', kind: 'manual', payWithinMinutes: 3 * 24 * 60 },
      { paymentMethod: 'bank_transfer', kind: 'manual', payWithinMinutes: 3 * 24 * 60 },
    ])
  })

  it('lists what the provider takes where nothing else is set', async () => {
    const { body } = await cards.anyone.get('/payment-methods')
    const names = body.data.map(({ paymentMethod }) => paymentMethod)
    expect(names).toEqual([
      'card',
      'card_declined',
      'card_needs_action',
      'card_timeout',
      'card_late',
    ])
  })
})

describe('a method that is not offered', () => {
  it.each([
    'invoice',
    'bank_transfer',
    'ledger',
    'paypal',
    'pm_card_visa',
    'CARD',
    'card*',
    'constructor',
  ])('%s is refused at placing, and holds no stock', async paymentMethod => {
    const { productId, answer } = await place(cards, bob, paymentMethod)
    expectProblem(answer, 400, 'order/payment-method')
    expect(answer.body).toMatchObject({
      errors: [{ pointer: '/paymentMethod', detail: expect.stringContaining('card_late') }],
    })
    expect(await stockOf(cards, productId)).toBe(0)
  })

  it.each(['invoice', 'ledger', 'paypal', '__proto__'])('%s pays nothing', async paymentMethod => {
    const { orderId } = await place(cards, bob, 'card')
    const answer = await bob.client.post(`/orders/${orderId}/pay`, { paymentMethod })
    expectProblem(answer, 400, 'order/payment-method')
    expect(await orderOf(cards, orderId)).toMatchObject({ status: 'pending', openPayment: null })
  })

  it('is told only to the customer whose order it is', async () => {
    const { orderId } = await place(cards, bob, 'card')
    const eve = await cards.person()
    const answer = await eve.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'ledger' })
    expectProblem(answer, 404, 'order/not-found')
  })
})

describe.each(['invoice', 'bank_transfer'])('an order that is paid by %s', method => {
  it('is paid when the staff says so, never by its customer', async () => {
    const { orderId } = await place(app, ada, method)
    for (const body of [{}, { paymentMethod: method }]) {
      const answer = await ada.client.post(`/orders/${orderId}/pay`, body)
      expectProblem(answer, 409, 'order/manual-payment')
    }
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'pending', openPayment: null })
    const recorded = await app.admin.client.patch(`/orders/${orderId}/status`, { status: 'paid' })
    expect(recorded.status).toBe(200)
    expect((await orderOf(app, orderId)).status).toBe('paid')
  })

  it('waits for a time of its own, then gives its stock back', async () => {
    const before = Date.now()
    const { orderId, productId } = await place(app, ada, method)
    const { expiresAt } = await orderOf(app, orderId)
    expect(expiresAt).toBeGreaterThanOrEqual(before + 3 * 86_400_000)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3 * 86_400_000)
    expect(await stockOf(app, productId)).toBe(2)
    await letRunOut(app, orderId)
    await waitFor('stock back', async () => (await stockOf(app, productId)) === 0)
  })

  it('can be paid by card instead, and an order by card not by it', async () => {
    const { orderId } = await place(app, ada, method)
    const paid = await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'card' })
    expect(paid.body.status).toBe('paid')
    const other = await newOrder(ada, (await newProduct(app)).id)
    const path = `/orders/${other.body.orderId}/pay`
    const answer = await ada.client.post(path, { paymentMethod: method })
    expectProblem(answer, 409, 'order/manual-payment')
  })
})
