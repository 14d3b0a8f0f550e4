// The refunds of an order, as its row holds them.
import Type, { type Static } from 'typebox'
import { Id, Money, strict } from '../../domain/kernel/types.ts'
import type { EventOf } from '../core/events.ts'
import { Time } from '../core/table.ts'

export const RefundEntry = Type.Object(
  {
    refundId: Id,
    amount: Money,
    state: Type.Enum(['open', 'paid', 'failed'], {
      description: '`open`: on its way; `paid`: paid back; `failed`: it did not arrive',
    }),
    provider: Type.Union([Type.String({ maxLength: 200 }), Type.Null()], {
      description: 'In whose dashboard it was made; null where the shop has made it',
    }),
    at: Time,
  },
  strict,
)
export type RefundEntry = Static<typeof RefundEntry>

type RefundEvent = EventOf<'RefundRequested' | 'OrderRefunded' | 'RefundFailed' | 'RefundReversed'>

const states = {
  RefundRequested: 'open',
  OrderRefunded: 'paid',
  RefundFailed: 'failed',
  RefundReversed: 'failed',
} as const

/** The refunds of an order after an event about one of them. */
export function refundsAfter(
  { refunds }: { refunds: readonly RefundEntry[] },
  event: RefundEvent,
): RefundEntry[] {
  const { refundId } = event.data
  const state = states[event.type]
  const known = refunds.find(each => each.refundId === refundId)
  if (known !== undefined) {
    const changed = { ...known, state, at: event.at }
    return refunds.map(each => (each === known ? changed : each))
  }
  // Of one that failed, older events tell what it was.
  if (event.type === 'RefundFailed') return [...refunds]
  const { amount } = event.data
  const provider = 'provider' in event.data ? (event.data.provider ?? null) : null
  return [...refunds, { refundId, amount, state, provider, at: event.at }]
}
