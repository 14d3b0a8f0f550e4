// The refunds of an order, as its row keeps them.
import type { ReadEvent } from '../core/projection.ts'
import type { RefundEntry } from '../core/tables.ts'

type RefundEvent = Extract<
  ReadEvent,
  { type: 'RefundRequested' | 'OrderRefunded' | 'RefundFailed' | 'RefundReversed' }
>

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
