// Webhooks of Stripe about refunds and disputes. They name an intent, which says whose it is.
import Stripe from 'stripe'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { cutText } from '../../domain/kernel/text.ts'
import type { DisputeStage } from '../../domain/order/disputes.ts'
import type { PaymentCallback, ReportedDispute, ReportedRefund } from '../../ports/payments.ts'
import { fromStripe } from './stripeAmounts.ts'
import { hasRefundFailed, idIn, outcomeOf, paymentCallbackOf } from './stripeReading.ts'

const Named = Type.String({ minLength: 1, maxLength: 200 })
const amount = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })
const currency = Type.String({ pattern: '^[A-Za-z]{3}$' })
/** By its id, or in full. */
const Intent = Type.Union([Named, Type.Object({ id: Named }), Type.Null()])
const Refund = Type.Object({
  id: Named,
  amount,
  currency,
  status: Type.Union([Type.String(), Type.Null()]),
  payment_intent: Type.Optional(Intent),
  metadata: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
})

const Charge = Type.Object({
  id: Named,
  amount_refunded: amount,
  currency,
  payment_intent: Type.Optional(Intent),
})

const Dispute = Type.Object({
  id: Named,
  amount,
  currency,
  status: Type.String(),
  reason: Type.String(),
  payment_intent: Type.Optional(Intent),
  evidence_details: Type.Optional(
    Type.Union([
      Type.Object({
        due_by: Type.Union([Type.Integer({ minimum: 0, maximum: 253_402_300_799 }), Type.Null()]),
      }),
      Type.Null(),
    ]),
  ),
})

const isRefund = Compile(Refund)
const isCharge = Compile(Charge)
const isDispute = Compile(Dispute)

/** What an event says. One about money that has an unknown form is `unreadable`. */
export async function callbackOf(
  stripe: Stripe,
  event: Stripe.Event,
  now: Date,
): Promise<PaymentCallback> {
  // As it came: what the library's types say of it is not checked by it.
  const type: string = event.type
  const object: unknown = event.data?.object
  if (type === 'charge.refunded') {
    if (!isCharge.Check(object)) return unreadable(event)
    return aboutRefunds(stripe, event, object)
  }
  if (type.startsWith('refund.') || type === 'charge.refund.updated') {
    if (!isRefund.Check(object)) return unreadable(event)
    const about = await aboutIntent(stripe, event, object)
    return { ...about, kind: 'refund', refunds: [reportedRefund(object)] }
  }
  if (type.startsWith('charge.dispute.')) {
    if (!isDispute.Check(object)) return unreadable(event)
    const about = await aboutIntent(stripe, event, object)
    return { ...about, kind: 'dispute', dispute: reportedDispute(object, momentOf(event, now)) }
  }
  return paymentCallbackOf(event)
}

function unreadable({ id, type }: Stripe.Event): PaymentCallback {
  const nothing = { paymentId: null, orderId: null }
  return { ...nothing, callbackId: id, kind: 'unreadable', reference: id, reason: type }
}

/** A charge says how much was paid back of it in all: the refunds themselves are asked for. */
async function aboutRefunds(
  stripe: Stripe,
  event: Stripe.Event,
  charge: Static<typeof Charge>,
): Promise<PaymentCallback> {
  const payment_intent = intentIdOf(charge)
  const about = await aboutIntent(stripe, event, charge)
  // Without an intent it is no charge of this shop.
  if (payment_intent === null) {
    const { id, amount_refunded, currency } = charge
    const refund = { id, amount: amount_refunded, currency, status: null }
    return { ...about, kind: 'refund', refunds: [reportedRefund(refund)] }
  }
  const refunds: ReportedRefund[] = []
  for await (const refund of stripe.refunds.list({ payment_intent, limit: 100 })) {
    refunds.push(reportedRefund(refund))
  }
  if (refunds.length === 0) return { ...unreadable(event), ...about, kind: 'unreadable' }
  return { ...about, kind: 'refund', refunds }
}

function intentIdOf({ payment_intent: intent }: { payment_intent?: Static<typeof Intent> }) {
  return typeof intent === 'string' ? intent : (intent?.id ?? null)
}

async function aboutIntent(
  stripe: Stripe,
  { id: callbackId, type: reason }: Stripe.Event,
  object: { id: string; payment_intent?: Static<typeof Intent> },
) {
  const about = { callbackId, reference: object.id, reason }
  const intentId = intentIdOf(object)
  if (intentId === null) return { ...about, paymentId: null, orderId: null }
  const metadata = await metadataOf(stripe, intentId)
  const paymentId = idIn(metadata, 'paymentId')
  return { ...about, paymentId, orderId: idIn(metadata, 'orderId') }
}

async function metadataOf(stripe: Stripe, intentId: string): Promise<Stripe.Metadata | null> {
  try {
    return (await stripe.paymentIntents.retrieve(intentId)).metadata
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError) return null
    throw error
  }
}

function reportedRefund(refund: Static<typeof Refund> | Stripe.Refund): ReportedRefund {
  return {
    refundId: idIn(refund.metadata ?? null, 'refundId'),
    reference: cutText(refund.id, 200),
    amount: fromStripe(refund.amount, refund.currency),
    hasFailed: hasRefundFailed(refund),
  }
}

function reportedDispute(dispute: Static<typeof Dispute>, asOf: number): ReportedDispute {
  const dueBy = dispute.evidence_details?.due_by ?? null
  return {
    reference: cutText(dispute.id, 200),
    amount: fromStripe(dispute.amount, dispute.currency),
    reason: cutText(dispute.reason, 200) || 'general',
    stage: stageOf(dispute.status),
    outcome: outcomeOf(dispute.status),
    dueBy: dueBy === null ? null : dueBy * 1_000,
    asOf,
  }
}

function stageOf(status: string): DisputeStage {
  if (status.startsWith('warning_')) return 'inquiry'
  return status.endsWith('needs_response') ? 'needs_response' : 'under_review'
}

function momentOf({ created }: Stripe.Event, now: Date): number {
  return Number.isSafeInteger(created) ? created * 1_000 : now.getTime()
}
