// What orders can be paid with: only what is offered, and by hand only by the staff.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { delivery, expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { letRunOut, orderOf } from '../support/payments.ts'
import { type Person, startTestShop, type TestShop } from '../support/testShop.ts'
import { waitFor } from '../support/waitFor.ts'

let shop: TestShop
let ada: Person
let cards: TestShop
let bob: Person
beforeAll(async () => {
  shop = await startTestShop({
    settings: {
      PAYMENT_METHODS: 'card, card_declined,invoice,bank_transfer',
      MANUAL_PAYMENT_DAYS: '3',
    },
  })
  ada = await shop.person()
  cards = await startTestShop({ workers: false })
  bob = await cards.person()
}, 120_000)
afterAll(() => Promise.all([shop?.close(), cards?.close()]))

async function place(on: TestShop, person: Person, paymentMethod: string) {
  const { id } = await newProduct(on, { stock: 5 })
  const items = [{ productId: id, quantity: 2 }]
  const answer = await person.client.post('/orders', { ...delivery, items, paymentMethod })
  return { productId: id, orderId: String(answer.body.orderId), answer }
}

const stockOf = async (on: TestShop, productId: string) =>
  (await on.back.shop.stock.load(productId)).state.reservedTotal

describe('GET /payment-methods', () => {
  it('lists what is offered to anyone, and how long each waits', async () => {
    const { body } = await shop.anyone.get('/payment-methods')
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
    const { orderId } = await place(shop, ada, method)
    for (const body of [{}, { paymentMethod: method }]) {
      const answer = await ada.client.post(`/orders/${orderId}/pay`, body)
      expectProblem(answer, 409, 'order/manual-payment')
    }
    expect(await orderOf(shop, orderId)).toMatchObject({ status: 'pending', openPayment: null })
    const recorded = await shop.admin.client.patch(`/orders/${orderId}/status`, { status: 'paid' })
    expect(recorded.status).toBe(200)
    expect((await orderOf(shop, orderId)).status).toBe('paid')
  })

  it('waits for a time of its own, then gives its stock back', async () => {
    const before = Date.now()
    const { orderId, productId } = await place(shop, ada, method)
    const { expiresAt } = await orderOf(shop, orderId)
    expect(expiresAt).toBeGreaterThanOrEqual(before + 3 * 86_400_000)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3 * 86_400_000)
    expect(await stockOf(shop, productId)).toBe(2)
    await letRunOut(shop, orderId)
    await waitFor('stock back', async () => (await stockOf(shop, productId)) === 0)
  })

  it('can be paid by card instead, and an order by card not by it', async () => {
    const { orderId } = await place(shop, ada, method)
    const paid = await ada.client.post(`/orders/${orderId}/pay`, { paymentMethod: 'card' })
    expect(paid.body.status).toBe('paid')
    const other = await newOrder(ada, (await newProduct(shop)).id)
    const path = `/orders/${other.body.orderId}/pay`
    const answer = await ada.client.post(path, { paymentMethod: method })
    expectProblem(answer, 409, 'order/manual-payment')
  })
})
