// Payments through Stripe: one intent a payment, noted in our database before it is confirmed.

import Stripe from 'stripe'
import type { Secret } from '../../config/secret.ts'
import { cutText } from '../../domain/kernel/text.ts'
import { Unavailable } from '../../ports/eventStore.ts'
import type { Charge, ChargeAnswer, PaymentProvider, RefundAnswer } from '../../ports/payments.ts'
import { type Pool, rows } from '../postgres/database.ts'
import { toStripe } from './stripeAmounts.ts'
import { callbackOf } from './stripeCallbacks.ts'
import { listStripe, readStripeEvent, reasonOf } from './stripeReading.ts'

export interface StripeSettings {
  secretKey: Secret
  webhookSecret: Secret
  apiBase: string
  /** For one request; ten seconds when it is not said. */
  timeoutMs?: number
}

interface Desk {
  stripe: Stripe
  pool: Pool
  isTest: boolean
}

const find = {
  name: 'stripe_find',
  text: 'select intent_id from shop.stripe_payments where payment_id = $1',
}
// The first writer decides; later ones read its decision.
const saveIntent = {
  name: 'stripe_keep',
  text: `insert into shop.stripe_payments (payment_id, intent_id)
    values ($1, $2)
    on conflict (payment_id) do update set payment_id = excluded.payment_id
    returning intent_id`,
}

/**
 * The provider `stripe`. Methods are Stripe's own ids (`pm_…`); `card` is a test card, in test mode
 * alone. Nothing is charged twice: Stripe confirms an intent once, and we confirm no other than the
 * one that our database has for the payment.
 */
export function stripePayments(pool: Pool, settings: StripeSettings): PaymentProvider {
  const secretKey = settings.secretKey.reveal()
  const stripe = createClient(secretKey, settings)
  const desk = { stripe, pool, isTest: /^[rs]k_test_/.test(secretKey) }
  return {
    name: 'stripe',
    signatureHeader: 'stripe-signature',
    charge: request => answered(charge(desk, request)),
    cancel: request => answered(cancel(desk, request.paymentId)),
    refund: request => answered(refund(desk, request)),
    async readCallback(body, signature, now) {
      const secret = settings.webhookSecret.reveal()
      const event = readStripeEvent(stripe, secret, { body, signature, now })
      return event === undefined ? undefined : answered(callbackOf(stripe, event, now))
    },
    list: (from, to) => answered(listStripe(stripe, from, to)),
  }
}

function createClient(key: string, { apiBase, timeoutMs = 10_000 }: StripeSettings): Stripe {
  const { protocol, hostname, port } = new URL(apiBase)
  return new Stripe(key, {
    apiVersion: '2026-10-28.endive',
    protocol: protocol === 'http:' ? 'http' : 'https',
    host: hostname,
    ...(port === '' ? {} : { port }),
    timeout: timeoutMs,
    // The order process repeats the call, and checks the intent first.
    maxNetworkRetries: 0,
    telemetry: false,
  })
}

/** Throws Unavailable when Stripe did not answer, or not to the question. */
async function answered<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (!isUnanswered(error)) throw error
    throw new Unavailable(`Stripe: ${error.message}`, { cause: error })
  }
}

function isUnanswered(error: unknown): error is Error {
  const { errors } = Stripe
  return (
    error instanceof errors.StripeConnectionError ||
    // 5xx, and 409: the same request is under way.
    error instanceof errors.StripeAPIError ||
    error instanceof errors.StripeRateLimitError ||
    // A wrong key is for the operator to mend: until then nothing is known.
    error instanceof errors.StripeAuthenticationError ||
    error instanceof errors.StripePermissionError
  )
}

function isRefused(error: unknown): error is Stripe.errors.StripeError {
  const { StripeCardError, StripeInvalidRequestError } = Stripe.errors
  return error instanceof StripeCardError || error instanceof StripeInvalidRequestError
}

const declined = (reason: string): ChargeAnswer => ({ status: 'declined', reason })
const calledOff = () => declined('It was called off.')

async function charge(desk: Desk, request: Charge): Promise<ChargeAnswer> {
  const [known] = await rows<{ intent_id: string | null }>(desk.pool, find, [request.paymentId])
  if (known?.intent_id === null) return calledOff()
  if (known !== undefined) {
    const intent = await retrieve(desk, request.paymentId, known.intent_id)
    return intent === undefined ? declined(anothers) : confirmed(desk, intent)
  }
  const made = await createIntent(desk, request)
  if (!('id' in made)) return made
  const saved = await storeIntent(desk, request.paymentId, made.id)
  if (saved === null) return calledOff()
  const intent = saved === made.id ? made : await retrieve(desk, request.paymentId, saved)
  return intent === undefined ? declined(anothers) : confirmed(desk, intent)
}

async function createIntent(
  { stripe, isTest }: Desk,
  { paymentId, orderId, amount, method }: Charge,
): Promise<Stripe.PaymentIntent | ChargeAnswer> {
  const minor = toStripe(amount)
  if (minor === undefined) return declined(`Stripe takes no such amount of ${amount.currency}.`)
  const payment_method = method === 'card' && isTest ? 'pm_card_visa' : method
  if (!payment_method.startsWith('pm_')) return declined('This is no payment method of Stripe.')
  try {
    return await stripe.paymentIntents.create(
      {
        amount: minor,
        currency: amount.currency.toLowerCase(),
        payment_method,
        automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
        metadata: { orderId, paymentId },
      },
      { idempotencyKey: paymentId },
    )
  } catch (error) {
    // Such as a card that does not exist: nothing was made, and nothing can be charged.
    if (isRefused(error)) return declined(cutText(error.message, 500) || 'The card says no.')
    throw error
  }
}

async function storeIntent({ pool }: Desk, paymentId: string, intentId: string | null) {
  const [saved] = await rows<{ intent_id: string | null }>(pool, saveIntent, [paymentId, intentId])
  return saved?.intent_id ?? null
}

/**
 * An intent that was made for this payment, as Stripe itself says. Undefined where our table has
 * the intent of another one: it must neither pay for this order nor be paid back with it.
 */
async function retrieve({ stripe }: Desk, paymentId: string, intentId: string) {
  const intent = await stripe.paymentIntents.retrieve(intentId)
  return intent.metadata.paymentId === paymentId ? intent : undefined
}

const anothers = 'The intent that is noted for this payment was made for another one.'

/** Confirms an intent that still waits for it, which Stripe lets happen once. */
async function confirmed({ stripe }: Desk, intent: Stripe.PaymentIntent): Promise<ChargeAnswer> {
  if (intent.status !== 'requires_confirmation') return answerOf(intent)
  try {
    // Without a key of ours: Stripe would answer with a failure of its own for a day.
    return answerOf(await stripe.paymentIntents.confirm(intent.id))
  } catch (error) {
    if (!isRefused(error)) throw error
    // Declined, called off meanwhile or confirmed by somebody else: the intent says which.
    const after = await stripe.paymentIntents.retrieve(intent.id)
    if (after.status === 'requires_confirmation') throw error
    return answerOf(after)
  }
}

async function cancel(desk: Desk, paymentId: string): Promise<ChargeAnswer> {
  const intentId = await storeIntent(desk, paymentId, null)
  if (intentId === null) return calledOff()
  const { paymentIntents } = desk.stripe
  const before = await retrieve(desk, paymentId, intentId)
  if (before === undefined) return declined(anothers)
  if (before.status === 'succeeded' || before.status === 'canceled') return answerOf(before)
  try {
    return answerOf(await paymentIntents.cancel(intentId))
  } catch (error) {
    if (!isRefused(error)) throw error
    return answerOf(await paymentIntents.retrieve(intentId))
  }
}

function answerOf(intent: Stripe.PaymentIntent): ChargeAnswer {
  switch (intent.status) {
    case 'succeeded':
      return { status: 'captured', reference: intent.id }
    case 'canceled':
    case 'requires_payment_method':
      return declined(reasonOf(intent))
    case 'requires_action': {
      const type = intent.next_action?.type ?? 'use_stripe_sdk'
      const clientSecret = intent.client_secret ?? ''
      return { status: 'requires_action', nextAction: { type, clientSecret } }
    }
    default:
      return { status: 'processing' }
  }
}

type Refund = Parameters<PaymentProvider['refund']>[0]

async function refund(desk: Desk, { refundId, paymentId, amount }: Refund): Promise<RefundAnswer> {
  const { stripe, pool } = desk
  const [known] = await rows<{ intent_id: string | null }>(pool, find, [paymentId])
  const minor = toStripe(amount)
  const payment_intent = known?.intent_id ?? null
  if (payment_intent === null || minor === undefined) {
    return { status: 'failed', reason: 'Stripe has no such payment.' }
  }
  if ((await retrieve(desk, paymentId, payment_intent)) === undefined) {
    return { status: 'failed', reason: anothers }
  }
  // Stripe forgets a key after a day; its list of refunds does not.
  for await (const earlier of stripe.refunds.list({ payment_intent, limit: 100 })) {
    if (earlier.metadata?.refundId === refundId) return refundAnswer(earlier)
  }
  try {
    const metadata = { refundId, paymentId }
    const values = { payment_intent, amount: minor, metadata }
    return refundAnswer(await stripe.refunds.create(values, { idempotencyKey: refundId }))
  } catch (error) {
    if (!isRefused(error)) throw error
    return { status: 'failed', reason: cutText(error.message, 500) || 'Stripe says no.' }
  }
}

function refundAnswer({ status, failure_reason: why }: Stripe.Refund): RefundAnswer {
  if (status !== 'failed' && status !== 'canceled') return { status: 'refunded' }
  return { status: 'failed', reason: `Stripe could not pay it back: ${why ?? status}.` }
}
