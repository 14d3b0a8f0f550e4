// The shapes of refunds, disputes and findings, as the API shows them.
import Type from 'typebox'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { disputeView } from '../../../projections/order/disputes.ts'
import { nullable, text, time } from '../../http/schemas.ts'

export const Dispute = Type.Object(disputeView.properties, strict)
export const ListedDispute = Type.Object(
  { ...disputeView.properties, orderId: Id, orderNumber: nullable(text(40)) },
  strict,
)

export const PaymentFinding = Type.Object(
  {
    id: Id,
    kind: Type.Enum(['payment', 'refund', 'dispute', 'unreadable']),
    /** A code such as `payment/unknown`. */
    problem: text(100),
    detail: text(1_000),
    amount: nullable(Money),
    orderId: nullable(Id),
    orderNumber: nullable(text(40)),
    paymentId: nullable(Id),
    provider: text(200),
    /** The provider's own name for what it is about. */
    reference: text(200),
    foundAt: time,
    resolvedAt: nullable(time),
    resolvedBy: nullable(text(200)),
  },
  strict,
)
