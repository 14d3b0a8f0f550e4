// Reads Stripe webhooks and balance lists.
import Stripe from 'stripe'
import { Compile } from 'typebox/compile'
import { cutText } from '../../domain/kernel/text.ts'
import { Id } from '../../domain/kernel/types.ts'
import type { DisputeOutcome } from '../../domain/order/disputes.ts'
import type { MoneyMoved, PaymentCallback } from '../../ports/payments.ts'
import { fromStripe } from './stripeAmounts.ts'

const toleranceSeconds = 300
const isId = Compile(Id)

/** The event of a webhook; undefined when its signature is wrong, or older than five minutes. */
export function readStripeEvent(
  stripe: Stripe,
  secret: string,
  { body, signature, now }: { body: string; signature: string; now: Date },
): Stripe.Event | undefined {
  try {
    const { webhooks } = stripe
    return webhooks.constructEvent(
      body,
      signature,
      secret,
      toleranceSeconds,
      undefined,
      now.getTime(),
    )
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return undefined
    throw error
  }
}

/** What an event says about a payment; all others are of the kind `other`. */
export function paymentCallbackOf(event: Stripe.Event): PaymentCallback {
  const nothing = { paymentId: null, orderId: null, reference: event.id, reason: event.type }
  switch (event.type) {
    case 'payment_intent.succeeded':
      return { ...aboutIntent(event.data.object), callbackId: event.id, kind: 'payment.captured' }
    case 'payment_intent.payment_failed':
    case 'payment_intent.canceled':
      return { ...aboutIntent(event.data.object), callbackId: event.id, kind: 'payment.declined' }
    default:
      return { ...nothing, callbackId: event.id, kind: 'other' }
  }
}

function aboutIntent(intent: Stripe.PaymentIntent) {
  return {
    paymentId: idIn(intent.metadata, 'paymentId'),
    orderId: idIn(intent.metadata, 'orderId'),
    reference: intent.id,
    reason: reasonOf(intent),
  }
}

/** Why an intent was not paid, in at most 500 characters. */
export function reasonOf(intent: Stripe.PaymentIntent): string {
  if (intent.status === 'canceled') return 'It was called off.'
  return cutText(intent.last_payment_error?.message || 'The card says no.', 500)
}

// Others may use the same account at Stripe: what they write there is not ours.
export function idIn(metadata: Stripe.Metadata | null, name: string): string | null {
  const id = metadata?.[name]
  return isId.Check(id) ? id : null
}

/** Everything that Stripe has charged and paid back in a time, page by page. */
export async function listStripe(stripe: Stripe, from: Date, to: Date): Promise<MoneyMoved[]> {
  const created = { gte: secondsOf(from), lt: secondsOf(to) }
  const moved: MoneyMoved[] = []
  for await (const intent of stripe.paymentIntents.list({ created, limit: 100 })) {
    if (intent.status === 'succeeded') moved.push(chargeOf(intent))
  }
  for await (const refund of stripe.refunds.list({ created, limit: 100 })) {
    if (!hasRefundFailed(refund)) moved.push(refundOf(refund))
  }
  for await (const dispute of stripe.disputes.list({ created, limit: 100 })) {
    moved.push(disputeOf(dispute))
  }
  return moved
}

function secondsOf(at: Date): number {
  return Math.max(0, Math.ceil(at.getTime() / 1_000))
}

function chargeOf(intent: Stripe.PaymentIntent): MoneyMoved {
  return {
    kind: 'charge',
    id: idIn(intent.metadata, 'paymentId'),
    orderId: idIn(intent.metadata, 'orderId'),
    reference: intent.id,
    amount: fromStripe(intent.amount_received, intent.currency),
    at: new Date(intent.created * 1_000),
  }
}

function refundOf(refund: Stripe.Refund): MoneyMoved {
  return {
    kind: 'refund',
    id: idIn(refund.metadata, 'refundId'),
    orderId: null,
    reference: refund.id,
    amount: fromStripe(refund.amount, refund.currency),
    at: new Date(refund.created * 1_000),
  }
}

/** Whether a refund did not arrive. */
export function hasRefundFailed({ status }: { status: string | null }): boolean {
  return status === 'failed' || status === 'canceled'
}

/** How a dispute has ended; null while it is open. */
export function outcomeOf(status: string): DisputeOutcome | null {
  if (status === 'won' || status === 'lost') return status
  return ['warning_closed', 'charge_refunded', 'prevented'].includes(status) ? 'dropped' : null
}

function disputeOf(dispute: Stripe.Dispute): MoneyMoved {
  return {
    kind: 'dispute',
    id: null,
    orderId: null,
    reference: dispute.id,
    amount: fromStripe(dispute.amount, dispute.currency),
    at: new Date(dispute.created * 1_000),
    outcome: outcomeOf(dispute.status),
  }
}
