// Callbacks of the simulated provider: signed like those of real ones, `t=<seconds>,v1=<hmac>`.
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import type { PaymentCallback } from '../commands/ports.ts'
import { line } from '../domain/text.ts'
import { Id } from '../domain/types.ts'
import { parseJson } from '../kit/parseJson.ts'

const toleranceMs = 300_000

const Body = Compile(
  Type.Object({
    id: line(200),
    type: line(100),
    paymentId: Type.Optional(Id),
    orderId: Type.Optional(Id),
  }),
)

/** Signs a callback as the provider does. */
export function signCallback(key: KeyObject, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1_000)
  return `t=${seconds},v1=${hmac(key, seconds, body)}`
}

function hmac(key: KeyObject, seconds: number, body: string): string {
  return createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')
}

/** Whether a callback is the provider's, and not an old one that somebody sends again. */
export function isSigned(
  key: KeyObject,
  { body, signature, now }: { body: string; signature: string; now: Date },
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature)
  const [, seconds = '', given = ''] = match ?? []
  const wanted = hmac(key, Number(seconds), body)
  const isRight = match !== null && timingSafeEqual(Buffer.from(given), Buffer.from(wanted))
  return isRight && Math.abs(now.getTime() - Number(seconds) * 1_000) <= toleranceMs
}

/** What a callback says; whatever cannot be understood is of the kind `other`. */
export function readSimulatedCallback(text: string): PaymentCallback {
  const body = parseJson(text)
  if (!Body.Check(body)) {
    return { ...nothing, callbackId: hash('sha256', text) }
  }
  const { id, type, paymentId = null, orderId = null } = body
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

const nothing = {
  kind: 'other' as const,
  paymentId: null,
  orderId: null,
  reference: '',
  reason: 'The provider says no.',
}
