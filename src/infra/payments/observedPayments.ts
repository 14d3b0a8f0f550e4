// A payment provider whose answers are counted.

import type { Metrics } from '../../ports/metrics.ts'
import type { PaymentProvider } from '../../ports/payments.ts'

/** The same provider with its answers counted; errors count as `unavailable`. */
export function observedPayments(provider: PaymentProvider, metrics: Metrics): PaymentProvider {
  async function counted<Answer extends { status: string }>(
    kind: Parameters<Metrics['payment']>[0],
    pending: Promise<Answer>,
  ): Promise<Answer> {
    try {
      const answer = await pending
      metrics.payment(kind, answer.status)
      return answer
    } catch (error) {
      metrics.payment(kind, 'unavailable')
      throw error
    }
  }
  return {
    ...provider,
    charge: charge => counted('charge', provider.charge(charge)),
    cancel: charge => counted('cancel', provider.cancel(charge)),
    refund: refund => counted('refund', provider.refund(refund)),
  }
}
