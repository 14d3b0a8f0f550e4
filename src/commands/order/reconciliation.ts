// Compares what the payment provider has moved with what the log says was paid and paid back.

import type { AppEvent } from '../../domain/index.ts'
import { isSameMoney } from '../../domain/kernel/money.ts'
import type { Money } from '../../domain/kernel/types.ts'
import type { DisputeEvent } from '../../domain/order/disputes.ts'
import type { Codec, Stored } from '../../ports/codec.ts'
import type { EventStore } from '../../ports/eventStore.ts'
import type { MoneyMoved, PaymentProvider } from '../../ports/payments.ts'
import { disputeIdOf, providerRefundId } from '../core/ids.ts'

export interface ReconciliationParts {
  eventStore: EventStore
  codec: Codec
  payments: PaymentProvider
}

export interface Period {
  from: Date
  /** Exclusive. */
  to: Date
  now: Date
}

export interface Difference {
  what:
    | 'charge without a payment'
    | 'payment without a charge'
    | 'refund without a record'
    | 'record without a refund'
    | 'dispute without a record'
    | 'record without a dispute'
    | 'dispute ended otherwise'
    | 'amounts differ'
    | 'still open'
  /** Of the payment or the refund; null when the provider's entry is not ours. */
  id: string | null
  orderId: string | null
  /** The provider's own name for it. */
  reference: string | null
  provider: Money | null
  log: Money | null
  at: Date
}

export interface Reconciliation {
  charges: number
  refunds: number
  disputes: number
  /** Younger than an hour and on its way: neither right nor wrong yet. */
  underWay: number
  differences: Difference[]
}

interface Entry {
  kind: MoneyMoved['kind']
  orderId: string
  amount: Money
  at: Date
  isOpen: boolean
  /** Of disputes. */
  outcome?: MoneyMoved['outcome']
}

const types = [
  'PaymentRequested',
  'PaymentFailed',
  'OrderPaid',
  'LatePaymentReceived',
  'LatePaymentRefused',
  'LatePaymentReturned',
  'RefundRequested',
  'RefundFailed',
  'OrderRefunded',
  'RefundReversed',
  'DisputeOpened',
  'DisputeClosed',
]

const openMs = 3_600_000
const dayMs = 86_400_000
/** Money is asked for before it is recorded: the two books may be that far apart. */
const before = 32 * dayMs

/** Compares the two books over a period. Throws Unavailable. */
export async function reconcile(
  { eventStore, codec, payments }: ReconciliationParts,
  { from, to, now }: Period,
): Promise<Reconciliation> {
  const earliest = new Date(Math.max(0, from.getTime() - before))
  const moved = await payments.list(earliest, new Date(to.getTime() + dayMs))
  // The log is read second: what the provider has done by now has been announced there.
  const book = new Map<string, Entry>()
  const take = bookkeeper(book, payments.name)
  for await (const recorded of eventStore.readAll({ filter: { types } })) {
    take(await codec.decode(recorded))
  }
  const isWithin = (at: Date) => at >= from && at < to
  const isYoung = ({ at, isOpen }: Entry) => isOpen && now.getTime() - at.getTime() < openMs
  const keyOf = (entry: MoneyMoved) => keyIn(payments.name, entry)
  const known = new Set(moved.flatMap(entry => keyOf(entry) ?? []))
  const ours = [...book].filter(([, entry]) => isWithin(entry.at))
  const theirs = moved.filter(({ at }) => isWithin(at))
  return {
    charges: theirs.filter(({ kind }) => kind === 'charge').length,
    refunds: theirs.filter(({ kind }) => kind === 'refund').length,
    disputes: theirs.filter(({ kind }) => kind === 'dispute').length,
    underWay: ours.filter(([, entry]) => isYoung(entry)).length,
    differences: [
      ...theirs.flatMap(entry => compare(entry, book.get(keyOf(entry) ?? ''))),
      ...doubled(theirs, keyOf),
      ...ours.flatMap(([id, entry]) => (isYoung(entry) ? [] : missing(id, entry, known.has(id)))),
    ],
  }
}

/** Under which the log has it: what was made at the provider goes by the provider's own name. */
function keyIn(provider: string, { kind, id, reference }: MoneyMoved): string | undefined {
  if (kind === 'dispute') return disputeIdOf(provider, reference)
  return id ?? (kind === 'refund' ? providerRefundId(provider, reference) : undefined)
}

/** Takes events in the order of the log; others' money is left out. */
function bookkeeper(book: Map<string, Entry>, provider: string) {
  const paidHere = new Set<string>()
  const note = (id: string, entry: Entry) => {
    const isClosed = book.get(id)?.isOpen === false
    if (!isClosed) book.set(id, entry)
  }
  return (event: Stored<AppEvent>): void => {
    const at = new Date(event.at)
    switch (event.type) {
      case 'PaymentRequested':
      case 'OrderPaid':
      case 'LatePaymentReceived': {
        const { orderId, paymentId, amount } = event.data
        if (event.data.provider !== provider) return
        if (event.type === 'OrderPaid') paidHere.add(orderId)
        const isOpen = event.type === 'PaymentRequested'
        note(paymentId, { kind: 'charge', orderId, amount, at, isOpen })
        return
      }
      case 'RefundRequested':
      case 'OrderRefunded': {
        const { orderId, refundId, amount } = event.data
        if (!paidHere.has(orderId)) return
        const isOpen = event.type === 'RefundRequested'
        note(refundId, { kind: 'refund', orderId, amount, at, isOpen })
        return
      }
      case 'LatePaymentRefused':
      case 'LatePaymentReturned': {
        const { orderId, refundId, paymentId, amount } = event.data
        if (!book.has(paymentId)) return
        const isOpen = event.type === 'LatePaymentRefused'
        note(refundId, { kind: 'refund', orderId, amount, at, isOpen })
        return
      }
      case 'PaymentFailed':
        if (book.get(event.data.paymentId)?.isOpen) book.delete(event.data.paymentId)
        return
      case 'RefundFailed':
      case 'RefundReversed':
        book.delete(event.data.refundId)
        return
      case 'DisputeOpened':
      case 'DisputeClosed':
        noteDispute(book, provider, event)
    }
  }
}

function noteDispute(
  book: Map<string, Entry>,
  provider: string,
  { type, data, at }: Stored<Extract<DisputeEvent, { type: 'DisputeOpened' | 'DisputeClosed' }>>,
): void {
  const { orderId, disputeId, amount } = data
  if (type === 'DisputeOpened') {
    if (data.provider !== provider) return
    const entry = { kind: 'dispute' as const, orderId, amount, at: new Date(at), outcome: null }
    book.set(disputeId, { ...entry, isOpen: false })
    return
  }
  const known = book.get(disputeId)
  // It belongs to the time in which it was opened, as in the provider's book.
  if (known !== undefined) book.set(disputeId, { ...known, amount, outcome: data.outcome })
}

const unrecorded = {
  charge: 'charge without a payment',
  refund: 'refund without a record',
  dispute: 'dispute without a record',
} as const

const unmoved = {
  charge: 'payment without a charge',
  refund: 'record without a refund',
  dispute: 'record without a dispute',
} as const

function compare(moved: MoneyMoved, entry: Entry | undefined): Difference[] {
  const { id, orderId, reference, amount, at } = moved
  const found = { id, orderId, reference, provider: amount, log: entry?.amount ?? null, at }
  if (entry === undefined || entry.kind !== moved.kind) {
    return [{ ...found, what: unrecorded[moved.kind] }]
  }
  if (moved.kind === 'dispute' && (moved.outcome ?? null) !== (entry.outcome ?? null)) {
    return [{ ...found, orderId: entry.orderId, what: 'dispute ended otherwise' }]
  }
  if (isSameMoney(amount, entry.amount)) return []
  return [{ ...found, orderId: entry.orderId, what: 'amounts differ' }]
}

/** Charged or paid back more than once for one id: all but the first are differences. */
function doubled(
  moved: readonly MoneyMoved[],
  keyOf: (entry: MoneyMoved) => string | undefined,
): Difference[] {
  const seen = new Set<string>()
  return moved.flatMap(entry => {
    const key = keyOf(entry)
    if (key !== undefined && seen.has(key)) return compare(entry, undefined)
    if (key !== undefined) seen.add(key)
    return []
  })
}

function missing(id: string, entry: Entry, isMoved: boolean): Difference[] {
  const { kind, orderId, amount, at, isOpen } = entry
  const found = { id, orderId, reference: null, provider: null, log: amount, at }
  if (isOpen) return [{ ...found, what: 'still open' }]
  if (isMoved) return []
  return [{ ...found, what: unmoved[kind] }]
}
