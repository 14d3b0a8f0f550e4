// The main job with Stripe as the provider: paid, told twice, told too late; and the two books
// compared by npm run payments.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { letRunOut, orderOf } from '../support/payments.ts'
import { temporaryDirectory } from '../support/servers.ts'
import {
  type Intent,
  type StripeDouble,
  startStripeDouble,
  stripeWebhook,
} from '../support/stripeDouble.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const secret = 'whsec_0123456789'
const keys = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: secret }
let double: StripeDouble
let app: TestApp
let ada: Person
let settings: Record<string, string>
beforeAll(async () => {
  double = await startStripeDouble()
  settings = { PAYMENT_PROVIDER: 'stripe', ...keys, STRIPE_API_BASE: double.url }
  app = await startTestApp({ settings })
  ada = await app.person()
})
afterAll(async () => {
  await app?.close()
  await double?.close()
})

async function ordered(stock = 10) {
  const product = await newProduct(app, { stock })
  const { orderId } = (await newOrder(ada, product.id)).body
  return { productId: product.id, orderId }
}

const pay = (orderId: string, paymentMethod = 'pm_card_visa') =>
  ada.client.post(`/orders/${orderId}/pay`, { paymentMethod })

const reaches = (orderId: string, status: string) =>
  waitFor(`order ${status}`, async () => (await orderOf(app, orderId)).status === status)

function intentOf(orderId: string): Intent {
  const found = [...double.intents.values()].find(each => each.metadata.orderId === orderId)
  if (found === undefined) throw new Error(`no intent for ${orderId}`)
  return found
}

function tell(intent: Intent, options: { id?: string; at?: Date; secret?: string } = {}) {
  const told = stripeWebhook('payment_intent.succeeded', intent, { secret, ...options })
  const headers = { 'stripe-signature': told.signature }
  return app.anyone.post('/webhooks/payments/stripe', told.body, { headers })
}

describe('an order paid through Stripe', () => {
  it('is paid at once, and paid back when it is refunded', async () => {
    const { orderId } = await ordered()
    expect((await pay(orderId)).body.status).toBe('paid')
    expect(intentOf(orderId)).toMatchObject({ amount_received: 425, currency: 'gbp' })
    const refunds = `/orders/${orderId}/refunds`
    const back = await app.admin.client.post(refunds, { amount: gbp(25), reason: 'A scratch' })
    expect(back.status).toBe(201)
    expect([...double.refunds.values()]).toMatchObject([{ amount: 25, currency: 'gbp' }])
  })

  it('stays open when the card is declined, and can be paid with another', async () => {
    const { orderId } = await ordered()
    const no = await pay(orderId, 'pm_card_chargeDeclined')
    expectProblem(no, 409, 'order/payment-declined')
    expect((await pay(orderId)).body.status).toBe('paid')
  })

  it('is paid by the webhook once the customer has acted, however often it comes', async () => {
    const { orderId } = await ordered()
    const { payment } = (await pay(orderId, 'pm_card_authenticationRequired')).body
    const { client_secret: clientSecret, id } = intentOf(orderId)
    expect(payment).toMatchObject({ status: 'requires_action', nextAction: { clientSecret } })
    const intent = double.settle(id, 'succeeded')
    for (const at of [new Date(), new Date()]) {
      const answer = await tell(intent, { id: 'evt_twice', at })
      expect(answer.body.outcome).toBe('recorded')
    }
    expect((await tell(intent)).body.outcome).toBe('recorded')
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'paid', captured: 425 })
    const { body } = await ada.client.get(`/orders/${orderId}/history`)
    expect(body.data.filter(({ event }) => event === 'OrderPaid')).toHaveLength(1)
  })

  it('is finished by the worker when the answer was lost, with one charge', async () => {
    const { orderId } = await ordered()
    double.failNext({ path: /\/confirm$/, when: 'after', how: 500 })
    expect((await pay(orderId)).body.payment).toEqual({ status: 'processing' })
    await reaches(orderId, 'paid')
    const made = [...double.intents.values()].filter(each => each.metadata.orderId === orderId)
    expect(made).toMatchObject([{ status: 'succeeded' }])
  })

  it('refuses webhooks that Stripe has not signed, or long ago', async () => {
    const { orderId } = await ordered()
    await pay(orderId, 'pm_card_authenticationRequired')
    const intent = { ...intentOf(orderId), status: 'succeeded' }
    for (const options of [{ secret: 'whsec_another1' }, { at: new Date(Date.now() - 302_000) }]) {
      expectProblem(await tell(intent, options), 400, 'request/invalid')
    }
    expect((await orderOf(app, orderId)).status).toBe('pending')
  })
})

describe('money that Stripe has after the order has expired', () => {
  async function late(stock: number) {
    const { orderId, productId } = await ordered(stock)
    await pay(orderId, 'pm_card_slow')
    await letRunOut(app, orderId)
    await reaches(orderId, 'expired')
    return { orderId, productId, intent: intentOf(orderId) }
  }

  it('pays for the goods when they can be had again', async () => {
    const { orderId, intent } = await late(1)
    await tell(double.settle(intent.id, 'succeeded'))
    await reaches(orderId, 'paid')
  })

  it('goes back when they are gone', async () => {
    const { orderId, productId, intent } = await late(1)
    await waitFor('stock back', async () => {
      return (await app.back.app.stock.load(productId)).state.reservedTotal === 0
    })
    await newOrder(ada, productId)
    await tell(double.settle(intent.id, 'succeeded'))
    const isBack = () =>
      [...double.refunds.values()].some(each => each.payment_intent === intent.id)
    await waitFor('money back', async () => isBack())
    await waitFor('it recorded', async () => {
      return [...(await orderOf(app, orderId)).late.values()].every(({ returned }) => returned)
    })
    expect(await orderOf(app, orderId)).toMatchObject({ status: 'expired', captured: 0 })
  })
})

// Each comparison is a process of its own, whose start takes seconds on a busy machine.
describe('npm run payments -- reconcile', () => {
  async function compared(...more: string[]) {
    const { databaseUrl, redisUrl, smtpUrl, secretKey } = app.config
    const directory = await temporaryDirectory()
    const file = join(directory, 'found.json')
    const run = promisify(execFile)(
      process.execPath,
      ['tools/payments.ts', 'reconcile', '--json', file, ...more],
      {
        env: {
          ...process.env,
          ...settings,
          DATABASE_URL: databaseUrl.reveal(),
          REDIS_URL: redisUrl.reveal(),
          SMTP_URL: smtpUrl.reveal(),
          SECRET_KEY: secretKey.reveal(),
        },
      },
    )
    const { code = 0, stderr } = await run.then(
      done => ({ code: 0, stderr: done.stderr }),
      (failed: { code: number; stderr: string }) => failed,
    )
    const found = JSON.parse(await readFile(file, 'utf8').catch(() => JSON.stringify(stderr)))
    await rm(directory, { recursive: true, force: true })
    return { code, found }
  }

  it('finds what was planted, and nothing before', async () => {
    const paid = await ordered()
    const other = await ordered()
    await pay(paid.orderId)
    await pay(other.orderId)
    const back = { amount: gbp(25), reason: 'A scratch' }
    await app.admin.client.post(`/orders/${other.orderId}/refunds`, back)
    const before = await compared()
    expect(before).toMatchObject({ code: 0, found: { differences: [] } })
    expect(before.found.charges).toBeGreaterThanOrEqual(2)

    const orderId = randomUUID()
    const paymentId = randomUUID()
    double.plant({ amount: 999, metadata: { orderId, paymentId } })
    double.plant({ amount: 5, metadata: {} })
    double.plant({ amount: 425, metadata: intentOf(paid.orderId).metadata })
    double.intents.delete(intentOf(paid.orderId).id)
    double.plant({ amount: 425, metadata: intentOf(paid.orderId).metadata })
    intentOf(other.orderId).amount_received = 424
    const [refundId] = double.refunds.keys()
    double.refunds.delete(refundId ?? '')
    const { code, found } = await compared()
    expect(code).toBe(1)
    const whats = found.differences.map(({ what }: { what: string }) => what)
    expect(whats.sort()).toEqual([
      'amounts differ',
      'charge without a payment',
      'charge without a payment',
      'charge without a payment',
      'record without a refund',
    ])
    expect(found.differences).toContainEqual(
      expect.objectContaining({ id: paymentId, orderId, provider: gbp(999), log: null }),
    )

    double.intents.delete(intentOf(paid.orderId).id)
    double.intents.delete(intentOf(paid.orderId).id)
    const later = (await compared()).found.differences
    expect(later).toContainEqual(
      expect.objectContaining({ what: 'payment without a charge', orderId: paid.orderId }),
    )
  }, 150_000)

  it('looks at the time it is told to', async () => {
    const { code, found } = await compared('--to', '2020-01-01')
    expect({ code, found }).toEqual({
      code: 0,
      found: { charges: 0, refunds: 0, disputes: 0, underWay: 0, differences: [] },
    })
    expect((await compared('--from', 'yesterday')).code).toBe(2)
  }, 150_000)
})
