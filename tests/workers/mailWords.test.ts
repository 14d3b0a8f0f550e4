// What mails about orders say: every fact of the event, in the language of the customer.
import { describe, expect, it } from 'vitest'
import type { OrderEvent, PlacedOrder } from '../../src/domain/order/order.ts'
import { compose } from '../../src/workers/reactions/mail/compose.ts'
import type { MailTemplate } from '../../src/workers/reactions/mail/outbox.ts'
import { type Language, languageOf } from '../../src/workers/reactions/mail/words.ts'

const orderId = '01980000-0000-7000-8000-000000000002'
const refundId = '01980000-0000-7000-8000-000000000003'
const gbp = (amount: number) => ({ amount, currency: 'GBP' })
const placed: PlacedOrder = {
  status: 'pending',
  orderId,
  orderNumber: 'OS-7',
  customerId: '01980000-0000-7000-8000-000000000004',
  cartId: null,
  lines: [
    {
      productId: '01980000-0000-7000-8000-000000000005',
      sku: 'L1',
      name: 'Lantern <big>',
      quantity: 2,
      unitPrice: gbp(750),
      total: gbp(1_500),
    },
  ],
  charges: [{ code: 'POST', name: 'Postage', amount: gbp(499) }],
  total: gbp(1_999),
  country: 'GB',
  delivery: { shippingAddress: '1 High Street\nLeeds', phoneNumber: '0113' },
  paymentMethod: 'card',
  openPayment: null,
  paidBy: null,
  captured: 0,
  refunded: 0,
  refunds: [],
  openRefunds: new Map(),
  failedRefunds: [],
  disputes: new Map(),
  late: new Map(),
  expiresAt: Date.UTC(2026, 10, 30, 17, 5),
  round: 0,
  archived: false,
  returned: new Map(),
  returns: [],
  refundDue: 0,
  handedOver: false,
  tracking: null,
}
const paid: PlacedOrder = { ...placed, status: 'paid', captured: 1_999 }

interface Case {
  order: PlacedOrder
  event: OrderEvent
  template: MailTemplate
  en: string[]
  de: string[]
}
const payment = { paymentId: refundId, provider: 'simulated', reference: 'r' }
const cases: Case[] = [
  {
    template: 'order-placed',
    order: placed,
    event: { type: 'OrderPlaced', data: { orderId } },
    en: [
      'Please pay by: 30 November 2026 at 18:05 Europe/Berlin',
      'Delivery to: 1 High Street Leeds',
    ],
    de: [
      'Bitte zahlen Sie bis: 30. November 2026 um 18:05 Europe/Berlin',
      'Lieferung an: 1 High Street Leeds',
    ],
  },
  {
    template: 'order-paid',
    order: paid,
    event: { type: 'OrderPaid', data: { orderId, ...payment, amount: gbp(1_999) } },
    en: ['Paid: 19.99 GBP', 'Delivery to: 1 High Street Leeds'],
    de: ['Bezahlt: 19,99 GBP', 'Lieferung an: 1 High Street Leeds'],
  },
  {
    template: 'order-shipped',
    order: { ...paid, status: 'shipped' },
    event: { type: 'OrderShipped', data: { orderId, tracking: 'JD0146' } },
    en: ['Tracking number: JD0146', 'Delivery to: 1 High Street Leeds'],
    de: ['Sendungsnummer: JD0146', 'Lieferung an: 1 High Street Leeds'],
  },
  {
    template: 'order-delivered',
    order: { ...paid, status: 'delivered' },
    event: { type: 'OrderDelivered', data: { orderId } },
    en: ['Delivery to: 1 High Street Leeds'],
    de: ['Lieferung an: 1 High Street Leeds'],
  },
  {
    template: 'order-cancelled',
    order: { ...paid, status: 'cancelled' },
    event: {
      type: 'OrderCancelled',
      data: { orderId, reason: 'Out of wood', refund: gbp(1_999) },
    },
    en: ['Reason: Out of wood', 'We will pay back: 19.99 GBP'],
    de: ['Grund: Out of wood', 'Wir erstatten: 19,99 GBP'],
  },
  {
    template: 'order-expired',
    order: { ...placed, status: 'expired' },
    event: { type: 'OrderExpired', data: { orderId } },
    en: ['Delivery to: 1 High Street Leeds'],
    de: ['Lieferung an: 1 High Street Leeds'],
  },
  {
    template: 'order-refunded',
    order: { ...paid, refunded: 1_200 },
    event: {
      type: 'OrderRefunded',
      data: { orderId, refundId, amount: gbp(1_000), reason: 'One was broken' },
    },
    en: [
      'Refunded now: 10.00 GBP',
      'Reason: One was broken',
      'Refunded in all: 12.00 GBP',
      'Paid and not refunded: 7.99 GBP',
    ],
    de: [
      'Jetzt erstattet: 10,00 GBP',
      'Grund: One was broken',
      'Insgesamt erstattet: 12,00 GBP',
      'Bezahlt und nicht erstattet: 7,99 GBP',
    ],
  },
]

const write = ({ template, order, event }: Case, language: Language, name?: string) =>
  compose({
    ...{ id: 'm', template, to: 'ann@example.com', shopName: 'Lamps', order, event },
    ...{ language, name, timeZone: 'Europe/Berlin', link: 'https://shop.example.com/orders/1' },
  })

describe.each(cases)('the mail $template', one => {
  it('states its facts in English, with lines, postage and total', () => {
    const { text, html } = write(one, 'en', 'Ann')
    expect(text.split('\n').slice(4)).toEqual([
      ...one.en,
      '',
      'Order OS-7',
      '2 × Lantern <big>: 15.00 GBP',
      'Postage: 4.99 GBP',
      'Order total: 19.99 GBP',
      '',
      'Your order: https://shop.example.com/orders/1',
      '',
      'Lamps',
    ])
    expect(html).toContain('<a href="https://shop.example.com/orders/1">Your order</a>')
    for (const fact of one.en) expect(html).toContain(`<li>${fact}</li>`)
    expect(html).toContain('2 × Lantern &lt;big&gt;: 15.00 GBP')
  })

  it('states the same in German', () => {
    const { text, subject } = write(one, 'de', 'Ann')
    expect(text.split('\n')[0]).toBe('Guten Tag Ann,')
    expect(subject).toMatch(/: Bestellung OS-7$/)
    expect(text.split('\n').slice(4)).toEqual([
      ...one.de,
      '',
      'Bestellung OS-7',
      '2 × Lantern <big>: 15,00 GBP',
      'Postage: 4,99 GBP',
      'Bestellsumme: 19,99 GBP',
      '',
      'Ihre Bestellung: https://shop.example.com/orders/1',
      '',
      'Lamps',
    ])
  })

  it('has no text of the customer where the address is not known to be theirs', () => {
    const { text, html } = write(one, 'en')
    expect(text.split('\n')[0]).toBe('Hello,')
    for (const free of ['High Street', 'Out of wood', 'broken']) {
      expect(text + html).not.toContain(free)
    }
  })
})

describe('the language of a country', () => {
  it.each([
    ['DE', 'de'],
    [' Deutschland', 'de'],
    ['at', 'de'],
    ['GB', 'en'],
    ['FR', 'en'],
    [null, 'en'],
  ])('%s is %s', (country, language) => expect(languageOf(country, 'en')).toBe(language))

  it('is the shop’s own where it tells nothing', () => {
    expect([null, 'FR', 'GB'].map(country => languageOf(country, 'de'))).toEqual(['de', 'de', 'en'])
  })
})
