// The shapes of refunds, disputes and findings, as the API shows them.
import Type from 'typebox'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { disputeOutcomes, disputeStages } from '../../../domain/order/orderEvents.ts'
import { nullable, text, time } from '../../http/shapes.ts'

const states = [...disputeStages, ...disputeOutcomes] as const
export const DisputeState = Type.Enum([...states], {
  description:
    '`inquiry`: the bank asks, no money is taken; `needs_response`: evidence is due; ' +
    '`under_review`: the bank decides; `won`: the money stays; `lost`: it is gone; ' +
    '`dropped`: ended without a decision',
})

const dispute = {
  id: Id,
  state: DisputeState,
  amount: Money,
  /** The provider's code, such as `fraudulent`. */
  reason: text(200),
  /** Until when the bank takes evidence. */
  dueBy: nullable(time),
  paymentId: Id,
  provider: text(200),
  /** The provider's own name for it. */
  reference: text(200),
  openedAt: time,
  updatedAt: time,
}
export const Dispute = Type.Object(dispute, strict)
export const ListedDispute = Type.Object(
  { ...dispute, orderId: Id, orderNumber: nullable(text(40)) },
  strict,
)

export const Refund = Type.Object(
  {
    refundId: Id,
    amount: Money,
    state: Type.Enum(['open', 'paid', 'failed'], {
      description: '`open`: on its way; `paid`: paid back; `failed`: it did not arrive',
    }),
    provider: {
      ...nullable(text(200)),
      description: 'In whose dashboard it was made; null where the shop has made it',
    },
    at: time,
  },
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
