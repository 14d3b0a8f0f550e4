// Callbacks of the simulated provider: signed like those of real ones, `t=<seconds>,v1=<hmac>`.
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { line } from '../../domain/kernel/text.ts'
import { Currency, Id, Moment } from '../../domain/kernel/types.ts'
import { disputeOutcomes, disputeStages } from '../../domain/order/orderEvents.ts'
import { parseJson } from '../../kit/parseJson.ts'
import type { PaymentCallback } from '../../ports/payments.ts'

const toleranceMs = 300_000

const common = { id: line(200), paymentId: Type.Optional(Id), orderId: Type.Optional(Id) }
const Common = Type.Object({ ...common, type: line(100) })
const moved = {
  ...common,
  reference: Type.Optional(line(200)),
  amount: Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 }),
  currency: Currency,
}

const Refund = Type.Object({
  ...moved,
  type: Type.Enum(['refund.made', 'refund.failed']),
  /** The shop's own id, of a refund that it has asked for. */
  refundId: Type.Optional(Id),
})

const Dispute = Type.Object({
  ...moved,
  type: Type.Enum(['dispute.opened', 'dispute.changed', 'dispute.closed']),
  reason: Type.Optional(line(200)),
  stage: Type.Optional(Type.Enum([...disputeStages])),
  outcome: Type.Optional(Type.Enum([...disputeOutcomes])),
  /** In milliseconds. */
  dueBy: Type.Optional(Moment),
  asOf: Type.Optional(Moment),
})

const isCommon = Compile(Common)
const isRefund = Compile(Refund)
const isDispute = Compile(Dispute)

/** Signs a callback as the provider does. */
export function signCallback(key: KeyObject, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000)
  return `t=${seconds},v1=${hmac(key, seconds, body)}`
}

function hmac(key: KeyObject, seconds: number, body: string): string {
  return createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')
}

/** Whether a callback is signed by the provider and recent enough not to be a replay. */
export function isSigned(
  key: KeyObject,
  { body, signature, now }: { body: string; signature: string; now: Date },
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature)
  const [, seconds = '', mac = ''] = match ?? []
  const expected = hmac(key, Number(seconds), body)
  const isRight = match !== null && timingSafeEqual(Buffer.from(mac), Buffer.from(expected))
  return isRight && Math.abs(now.getTime() - Number(seconds) * 1_000) <= toleranceMs
}

/** What a callback says; whatever cannot be understood is of the kind `other`. */
export function readSimulatedCallback(text: string, now: Date): PaymentCallback {
  const body = parseJson(text)
  if (isRefund.Check(body)) return aboutRefund(body)
  if (isDispute.Check(body)) return aboutDispute(body, now)
  if (!isCommon.Check(body)) return { ...nothing, callbackId: hash('sha256', text) }
  const { id, type, paymentId = null, orderId = null } = body
  if (/^(refund|dispute)\./.test(type)) {
    return { ...aboutOf(body), kind: 'unreadable', reference: id }
  }
  const isKnown = type === 'payment.captured' || type === 'payment.declined'
  return {
    ...nothing,
    callbackId: id,
    kind: isKnown ? type : 'other',
    paymentId,
    orderId,
    reference: `sim-${paymentId}`,
  }
}

function aboutOf(body: Static<typeof Common>) {
  const { id, type, paymentId = null, orderId = null } = body
  return { callbackId: id, paymentId, orderId, reason: type }
}

function aboutRefund(body: Static<typeof Refund>): PaymentCallback {
  const { id, type, amount, currency, reference = id, refundId = null } = body
  const hasFailed = type === 'refund.failed'
  const report = { refundId, reference, amount: { amount, currency }, hasFailed }
  return { ...aboutOf(body), kind: 'refund', reference, refunds: [report] }
}

function aboutDispute(body: Static<typeof Dispute>, now: Date): PaymentCallback {
  const { id, type, amount, currency, reference = id, reason = 'general', dueBy = null } = body
  const { stage = 'needs_response', asOf = now.getTime(), outcome = 'lost' } = body
  const state = { stage, dueBy, asOf, outcome: type === 'dispute.closed' ? outcome : null }
  const dispute = { reference, amount: { amount, currency }, reason, ...state }
  return { ...aboutOf(body), kind: 'dispute', reference, dispute }
}

const nothing = {
  kind: 'other' as const,
  paymentId: null,
  orderId: null,
  reference: '',
  reason: 'The provider says no.',
}
