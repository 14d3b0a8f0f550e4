// The command by which an admin pays money back, and what has become of that when it answers.
import Type from 'typebox'
import { reject } from '../../domain/kernel/rejection.ts'
import { multiline } from '../../domain/kernel/text.ts'
import { Id, PositiveMoney, strict } from '../../domain/kernel/types.ts'
import type { PlacedOrder } from '../../domain/order/order.ts'
import { owedRefunds, requestRefund } from '../../domain/order/orderPayments.ts'
import { type Accepted, type Answer, type Command, hasRole } from '../core/command.ts'
import { derivedId } from '../core/ids.ts'
import { changeOrder } from './order.ts'

const RefundOrder = Type.Object(
  { orderId: Id, amount: Type.Optional(PositiveMoney), reason: multiline(500) },
  strict,
)

/**
 * Pays money back, in part or in whole: requested first, completed by a worker if need be. Refused
 * where the provider has declined it by the time of the answer.
 */
export const refundOrder: Command<typeof RefundOrder> = {
  name: 'RefundOrder',
  roles: ['admin'],
  input: RefundOrder,
  run(app, { orderId, amount, reason }, envelope) {
    const refundId = derivedId(envelope.commandId, 'refund')
    return changeOrder(app, envelope, {
      orderId,
      allowed: actor => hasRole(actor, 'admin'),
      decide: state => requestRefund(state, { refundId, amount, reason }),
      answer: (answer, order) =>
        withRefund(answer, order, { refundId, provider: app.payments.name }),
    })
  },
}

function withRefund(
  answer: Accepted,
  order: PlacedOrder,
  { refundId, provider }: { refundId: string; provider: string },
): Answer {
  if (order.failedRefunds.includes(refundId)) {
    const detail =
      `${provider} has declined this refund; the history of the order says why. ` +
      'Nothing was paid back, and the amount can be asked for again.'
    return reject('order/refund-declined', detail, { refundId })
  }
  const owed = owedRefunds(order).find(each => each.refundId === refundId)
  const byHand = owed !== undefined && owed.provider !== provider
  const refund = { state: owed === undefined ? 'paid' : 'open', byHand }
  return { ...answer, result: { ...answer.result, refundId, refund } }
}
