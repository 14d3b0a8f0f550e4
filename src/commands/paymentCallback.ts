// What a payment provider tells us without having been asked: recorded, and acted upon once.
import { failPayment } from '../domain/orderDecisions.ts'
import { receivePayment } from '../domain/orderPayments.ts'
import { isRejection } from '../domain/rejection.ts'
import { advanceOrder } from './advanceOrder.ts'
import { systemEnvelope } from './command.ts'
import { idOf } from './ids.ts'
import type { CallbackOutcome, PaymentCallback } from './ports.ts'
import type { Shop } from './shop.ts'

/**
 * Acts on a callback. Its command id follows from the callback's own, so that one that comes twice
 * is one. `unknown` when it is about no payment that was ever announced. Throws Unavailable.
 */
export async function takeCallback(
  shop: Shop,
  callback: PaymentCallback,
): Promise<CallbackOutcome> {
  const { callbackId, kind, orderId, paymentId, reference, reason } = callback
  if (kind === 'other' || orderId === null || paymentId === null) return 'unknown'
  const provider = shop.payments.name
  const commandId = idOf('callback', provider, callbackId)
  const envelope = systemEnvelope(`payments/${provider}`, shop.clock.now(), commandId)
  const outcome = await shop.orders.decide(orderId, envelope, state =>
    kind === 'payment.captured'
      ? receivePayment(state, { paymentId, provider, reference })
      : failPayment(state, paymentId, reason),
  )
  if (isRejection(outcome)) return 'unknown'
  await advanceOrder(shop, orderId, envelope)
  return 'recorded'
}
