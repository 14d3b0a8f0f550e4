// Both payment providers keep the promises of the port, and Stripe's does so when Stripe does not
// answer; the double is a real server on this machine.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { signCallback } from '../../src/infra/payments/simulatedCallbacks.ts'
import { simulatedPayments } from '../../src/infra/payments/simulatedPayments.ts'
import { fromStripe, toStripe } from '../../src/infra/payments/stripeAmounts.ts'
import { stripePayments } from '../../src/infra/payments/stripePayments.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import type { Charge, PaymentProvider } from '../../src/ports/payments.ts'
import { type Lodge, openLodge } from '../support/accounts.ts'
import { atOnce, gbp } from '../support/goods.ts'
import { type StripeDouble, startStripeDouble, stripeWebhook } from '../support/stripeDouble.ts'

const secret = 'whsec_0123456789'
let lodge: Lodge
let double: StripeDouble
let stripe: PaymentProvider
beforeAll(async () => {
  lodge = await openLodge()
  double = await startStripeDouble()
  stripe = stripeWith({})
})
afterAll(async () => {
  await double?.close()
  await lodge?.close()
})

function stripeWith(settings: { secretKey?: string; timeoutMs?: number }): PaymentProvider {
  const { secretKey = 'sk_test_0123456789', ...rest } = settings
  const keys = { secretKey: new Secret(secretKey), webhookSecret: new Secret(secret) }
  return stripePayments(lodge.pool, { ...keys, apiBase: double.url, ...rest })
}

const newCharge = (method: string): Charge => ({
  paymentId: randomUUID(),
  orderId: randomUUID(),
  amount: gbp(425),
  method,
  expiresAt: null,
})

const newRefund = ({ paymentId }: Charge, amount = 425) => ({
  refundId: randomUUID(),
  paymentId,
  amount: gbp(amount),
})

const intentOf = ({ paymentId }: Charge) => {
  const found = [...double.intents.values()].filter(each => each.metadata.paymentId === paymentId)
  return found.filter(each => each.status !== 'requires_confirmation')[0]
}

const chargedAt = async (provider: PaymentProvider, { paymentId }: Charge) => {
  const moved = await provider.list(new Date(0), new Date(Date.now() + 60_000))
  return moved.filter(({ kind, id }) => kind === 'charge' && id === paymentId)
}

const providers = [
  {
    name: 'simulated',
    cards: { good: 'card', declined: 'card_declined', action: 'card_needs_action' },
    open: () => simulatedPayments(lodge.pool, lodge.secrets.key('payment-callbacks')),
    callBack: (charge: Charge, at: Date) => {
      const { paymentId, orderId } = charge
      const body = JSON.stringify({
        id: randomUUID(),
        type: 'payment.captured',
        paymentId,
        orderId,
      })
      return { body, signature: signCallback(lodge.secrets.key('payment-callbacks'), body, at) }
    },
  },
  {
    name: 'stripe',
    cards: {
      good: 'card',
      declined: 'pm_card_chargeDeclined',
      action: 'pm_card_authenticationRequired',
    },
    open: () => stripe,
    callBack: (charge: Charge, at: Date) =>
      stripeWebhook('payment_intent.succeeded', { ...intentOf(charge) }, { secret, at }),
  },
]

describe('an intent that somebody has noted for another payment', () => {
  it('neither pays for it, nor is called off or paid back with it', async () => {
    const paid = newCharge('card')
    const mine = newCharge('card')
    expect(await stripe.charge(paid)).toMatchObject({ status: 'captured' })
    const intent = intentOf(paid)
    await lodge.pool.query(
      'insert into shop.stripe_payments (payment_id, intent_id) values ($1, $2)',
      [mine.paymentId, intent?.id],
    )
    expect(await stripe.charge(mine)).toMatchObject({ status: 'declined' })
    expect(await stripe.cancel(mine)).toMatchObject({ status: 'declined' })
    const refund = { ...mine, refundId: randomUUID(), amount: gbp(425) }
    expect(await stripe.refund(refund)).toMatchObject({ status: 'failed' })
    expect([...double.refunds.values()].filter(each => each.payment_intent === intent?.id)).toEqual(
      [],
    )
    expect(intentOf(paid)?.status).toBe('succeeded')
  })
})

describe.each(providers)('the provider $name', ({ name, cards, open, callBack }) => {
  it('charges once for one payment, however often and at once it is asked', async () => {
    const charge = newCharge(cards.good)
    const answers = await atOnce(4, () => open().charge(charge))
    answers.push(await open().charge(charge))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['captured']))
    expect(await chargedAt(open(), charge)).toMatchObject([
      { orderId: charge.orderId, amount: gbp(425) },
    ])
  })

  it('says that a card was declined, and says so again', async () => {
    const charge = newCharge(cards.declined)
    for (const _ of [1, 2]) {
      expect(await open().charge(charge)).toMatchObject({
        status: 'declined',
        reason: expect.stringMatching(/\w/),
      })
    }
    expect(await chargedAt(open(), charge)).toEqual([])
  })

  it('asks the customer to act where the card wants it, and can still call it off', async () => {
    const charge = newCharge(cards.action)
    for (const _ of [1, 2]) {
      expect((await open().charge(charge)).status).toBe('requires_action')
    }
    expect((await open().cancel(charge)).status).toBe('declined')
    expect((await open().charge(charge)).status).toBe('declined')
  })

  it('never charges what was called off before it was asked for', async () => {
    const charge = newCharge(cards.good)
    expect((await open().cancel(charge)).status).toBe('declined')
    expect((await open().charge(charge)).status).toBe('declined')
    expect(await chargedAt(open(), charge)).toEqual([])
  })

  it('says of a captured payment that it cannot be called off', async () => {
    const charge = newCharge(cards.good)
    await open().charge(charge)
    expect((await open().cancel(charge)).status).toBe('captured')
  })

  it('pays back once for one refund, and never more than was charged', async () => {
    const charge = newCharge(cards.good)
    await open().charge(charge)
    const refund = newRefund(charge, 400)
    expect(await open().refund(refund)).toEqual({ status: 'refunded' })
    expect(await open().refund(refund)).toEqual({ status: 'refunded' })
    expect((await open().refund(newRefund(charge, 26))).status).toBe('failed')
    expect((await open().refund(newRefund(newCharge(cards.good)))).status).toBe('failed')
    const moved = await open().list(new Date(0), new Date(Date.now() + 60_000))
    expect(moved.filter(({ id }) => id === refund.refundId)).toMatchObject([{ amount: gbp(400) }])
  })

  it('reads callbacks that it has signed in the last five minutes, and no others', async () => {
    const charge = newCharge(cards.action)
    await open().charge(charge)
    const now = new Date()
    const { body, signature } = callBack(charge, now)
    expect(await open().readCallback(body, signature, now)).toMatchObject({
      kind: 'payment.captured',
      paymentId: charge.paymentId,
      orderId: charge.orderId,
    })
    const old = callBack(charge, new Date(now.getTime() - 302_000))
    for (const [text, signed] of [
      [body, ''],
      [body, signature.replace(/.$/, last => (last === '0' ? '1' : '0'))],
      [`${body} `, signature],
      [old.body, old.signature],
    ] as const) {
      expect(await open().readCallback(text, signed, now), name).toBeUndefined()
    }
  })
})

describe('a charge whose answer is lost', () => {
  const confirm = /\/confirm$/
  const create = /^\/v1\/payment_intents$/
  it.each([
    { what: 'the confirmation answers 500 after it was done', path: confirm, how: 500 },
    { what: 'the connection is cut after the confirmation', path: confirm, how: 'cut' },
    { what: 'the confirmation is never answered', path: confirm, how: 'silence' },
    { what: 'the intent is made and 500 is the answer', path: create, how: 500 },
    { what: 'the intent is made and nothing is the answer', path: create, how: 'silence' },
  ] as const)('is found again when $what', async ({ path, how }) => {
    const hurried = stripeWith({ timeoutMs: 300 })
    const charge = newCharge('card')
    double.failNext({ path, when: 'after', how })
    const first = await hurried.charge(charge).catch((error: unknown) => error)
    // The library itself asks once more where a connection was cut.
    if (how !== 'cut') expect(first).toBeInstanceOf(Unavailable)
    expect((await stripe.charge(charge)).status).toBe('captured')
    expect(await chargedAt(stripe, charge)).toHaveLength(1)
  })

  it.each([409, 429, 401, 403, 503])('is not known to have failed after %i', async how => {
    const charge = newCharge('card')
    double.failNext({ path: confirm, when: 'before', how })
    await expect(stripe.charge(charge)).rejects.toBeInstanceOf(Unavailable)
    expect((await stripe.charge(charge)).status).toBe('captured')
  })

  it('is not asked for again with another amount', async () => {
    const charge = newCharge('card')
    double.failNext({ path: create, when: 'after', how: 500 })
    await expect(stripe.charge(charge)).rejects.toBeInstanceOf(Unavailable)
    await expect(stripe.charge({ ...charge, amount: gbp(1) })).rejects.toThrow('Same key')
    expect(await chargedAt(stripe, charge)).toEqual([])
  })

  it('is found again after Stripe has forgotten the key', async () => {
    const charge = newCharge('card')
    double.failNext({ path: confirm, when: 'after', how: 500 })
    await expect(stripe.charge(charge)).rejects.toBeInstanceOf(Unavailable)
    double.forgetKeys()
    expect((await stripe.charge(charge)).status).toBe('captured')
    expect(await chargedAt(stripe, charge)).toHaveLength(1)
  })
})

describe('a refund whose answer is lost', () => {
  it('is found again, even after Stripe has forgotten the key', async () => {
    const charge = newCharge('card')
    await stripe.charge(charge)
    const refund = newRefund(charge, 100)
    double.failNext({ path: /refunds$/, when: 'before', how: 500 })
    await expect(stripe.refund(refund)).rejects.toBeInstanceOf(Unavailable)
    expect((await stripe.refund(refund)).status).toBe('refunded')
    double.forgetKeys()
    expect((await stripe.refund(refund)).status).toBe('refunded')
    const made = [...double.refunds.values()].filter(
      ({ metadata }) => metadata.paymentId === charge.paymentId,
    )
    expect(made).toHaveLength(1)
  })
})

describe('at Stripe', () => {
  it('an action of the customer comes with the secret that their browser needs', async () => {
    const charge = newCharge('pm_card_authenticationRequired')
    const answer = await stripe.charge(charge)
    const clientSecret = intentOf(charge)?.client_secret
    expect(answer).toMatchObject({ nextAction: { type: 'use_stripe_sdk', clientSecret } })
    expect((await stripe.cancel(charge)).status).toBe('declined')
    expect(intentOf(charge)?.status).toBe('canceled')
  })

  it('a slow bank is asked again, and cannot be called off', async () => {
    const charge = newCharge('pm_card_slow')
    expect((await stripe.charge(charge)).status).toBe('processing')
    expect((await stripe.cancel(charge)).status).toBe('processing')
    double.settle(intentOf(charge)?.id ?? '', 'succeeded')
    expect((await stripe.charge(charge)).status).toBe('captured')
  })

  it('test cards are for test keys, and no other name is a card', async () => {
    const live = stripeWith({ secretKey: 'sk_live_0123456789' })
    expect((await live.charge(newCharge('card'))).status).toBe('declined')
    expect((await stripe.charge(newCharge('invoice'))).status).toBe('declined')
    expect((await stripe.charge(newCharge('pm_unknown'))).status).toBe('declined')
  })

  it('webhooks about what is not ours are told apart', async () => {
    const now = new Date()
    for (const [type, metadata, kind] of [
      ['charge.updated', {}, 'other'],
      ['payment_intent.succeeded', { paymentId: 'theirs' }, 'payment.captured'],
      ['payment_intent.payment_failed', {}, 'payment.declined'],
    ] as const) {
      const { body, signature } = stripeWebhook(type, { id: 'pi_1', metadata }, { secret })
      const callback = await stripe.readCallback(body, signature, now)
      expect(callback).toMatchObject({ kind, paymentId: null, orderId: null })
    }
  })

  it.each([
    ['GBP', 425, 425],
    ['JPY', 425, 425],
    ['ISK', 425, 42_500],
    ['UGX', 425, 42_500],
    ['MGA', 42_500, 425],
    ['KWD', 4_250, 4_250],
  ])('an amount of %s has its own exponent: %i of ours are %i', (currency, amount, minor) => {
    expect(toStripe({ amount, currency })).toBe(minor)
    expect(fromStripe(minor, currency.toLowerCase())).toEqual({ amount, currency })
  })

  it.each([
    ['KWD', 4_251],
    ['MGA', 1],
  ])('there is no number for %s %i', (currency, amount) => {
    expect(toStripe({ amount, currency })).toBeUndefined()
  })
})
