// The checks that a plugin has to pass: those of every kind of provider that it registers.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { times } from '../src/domain/kernel/money.ts'
import { guardedPayments, pluginMailer } from '../src/infra/plugins/guards.ts'
import { askProviders, type PricingKind } from '../src/infra/plugins/orderPricing.ts'
import type { PaymentProvider } from '../src/ports/payments.ts'
import type { MailProvider, OrderToPrice, Providers } from '../src/ports/plugins.ts'

export interface Check {
  name: string
  /** Throws what is wrong. */
  run(): Promise<void>
}

/** The checks of all providers that a plugin registers. */
export function checksOf(providers: Providers, currency: string): Check[] {
  const { payment, mail } = providers
  const kinds = (['promotion', 'shipping', 'tax'] as const).filter(kind => providers[kind])
  return [
    ...kinds.flatMap(kind => pricingChecks(providers, kind, currency)),
    ...(payment ? paymentChecks(payment, currency) : []),
    ...(mail ? mailChecks(mail) : []),
  ]
}

/** Amounts, quantities and countries at their limits. */
function sampleOrders(currency: string): [string, OrderToPrice][] {
  const order = (prices: [amount: number, quantity: number][], country: string | null = 'GB') => {
    const lines = prices.map(([amount, quantity], index) => {
      const unitPrice = { amount, currency }
      const named = { productId: randomUUID(), sku: `SAMPLE-${index}`, name: `Sample ${index}` }
      return { ...named, quantity, unitPrice, total: times(unitPrice, quantity) }
    })
    const shippingAddress = 'Ada Lovelace\n12 St James’s Square\nLondon SW1Y 4JH'
    const people = { orderId: randomUUID(), customerId: randomUUID() }
    return {
      ...people,
      currency,
      country,
      shippingAddress,
      paymentMethod: 'card',
      lines,
      charges: [],
    }
  }
  return [
    ['one piece', order([[1_999, 1]])],
    ['200 lines', order(Array.from({ length: 200 }, (_, index) => [index, 3]))],
    ['goods that are free', order([[0, 1]])],
    ['1,000,000 pieces', order([[99_999, 1_000_000]])],
    ['no country', order([[1_999, 2]], null)],
    ['a country far away', order([[1_999, 2]], 'NZ')],
  ]
}

function pricingChecks(providers: Providers, kind: PricingKind, currency: string): Check[] {
  const only = { [kind]: providers[kind] }
  const price = (order: OrderToPrice) => askProviders(only, order)
  const answers = sampleOrders(currency).map(([name, order]) => ({
    name: `${kind}: answers for an order of ${name}`,
    run: async () => void (await price(order)),
  }))
  return [
    ...answers,
    {
      name: `${kind}: answers the same when a request is repeated`,
      async run() {
        for (const [, order] of sampleOrders(currency)) {
          assert.deepEqual(await price(order), await price(order), 'the second answer differs')
        }
      },
    },
    {
      name: `${kind}: answers 20 orders at once`,
      async run() {
        const orders = Array.from({ length: 20 }, () => sampleOrders(currency)[0]?.[1])
        await Promise.all(orders.flatMap(order => (order ? [price(order)] : [])))
      },
    },
  ]
}

function paymentChecks(provider: PaymentProvider, currency: string): Check[] {
  const guarded = guardedPayments(provider)
  const amount = { amount: 1_234, currency }
  const charge = () => ({
    paymentId: randomUUID(),
    orderId: randomUUID(),
    amount,
    method: 'card',
    expiresAt: Date.now() + 1_800_000,
  })
  return [
    {
      name: 'payment: charges once for one paymentId',
      async run() {
        const same = charge()
        const first = await guarded.charge(same)
        assert.deepEqual(await guarded.charge(same), first, 'the second answer differs')
      },
    },
    {
      name: 'payment: a cancelled charge is not captured later',
      async run() {
        const same = charge()
        const { status } = await guarded.cancel(same)
        if (status === 'processing') return
        assert.equal((await guarded.charge(same)).status, status, 'it was captured after all')
      },
    },
    {
      name: 'payment: refunds once for one refundId',
      async run() {
        const { paymentId, ...rest } = charge()
        await guarded.charge({ paymentId, ...rest })
        const refund = { refundId: randomUUID(), paymentId, amount }
        const first = await guarded.refund(refund)
        assert.deepEqual(await guarded.refund(refund), first, 'the second answer differs')
      },
    },
    {
      name: 'payment: refuses a callback with a wrong signature',
      async run() {
        for (const signature of ['', 'wrong', 't=1,v1=00']) {
          const read = await guarded.readCallback('{"id":"1"}', signature, new Date())
          assert.equal(read, undefined, `it accepted the signature '${signature}'`)
        }
      },
    },
    {
      name: 'payment: lists what it has moved',
      async run() {
        const moved: unknown = await guarded.list(new Date(Date.now() - 3_600_000), new Date())
        assert.ok(Array.isArray(moved), 'the answer is not an array')
      },
    },
  ]
}

function mailChecks(provider: MailProvider): Check[] {
  const mailer = pluginMailer(provider)
  const mail = {
    id: randomUUID(),
    to: 'customer@example.com',
    subject: 'Your order',
    text: 'Thank you for your order.\n',
    html: '<p>Thank you for your order.</p>',
  }
  return [
    {
      name: 'mail: sends a mail',
      async run() {
        const result = await mailer.send(mail, 60_000)
        assert.ok(result.accepted, 'code' in result ? `it failed with ${result.code}` : 'it failed')
      },
    },
    {
      name: 'mail: sends the same mail again',
      run: async () => void (await mailer.send(mail, 60_000)),
    },
  ]
}
