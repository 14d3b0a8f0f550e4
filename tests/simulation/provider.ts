// The payment provider of the simulated world, with books of its own. The payment method says how
// it behaves; what it is asked twice it does once.

import { providerRefundId } from '../../src/commands/core/ids.ts'
import type {
  Charge,
  ChargeAnswer,
  PaymentCallback,
  PaymentProvider,
  RefundAnswer,
} from '../../src/ports/payments.ts'
import type { Process, World } from './world.ts'

export const providerName = 'simulated'

type Status = 'captured' | 'declined' | 'requires_action' | 'processing' | 'cancelled'

interface BookedPayment {
  paymentId: string
  orderId: string
  amount: number
  currency: string
  status: Status
  /** When a late answer is there. */
  answersAt: number
}

interface BookedRefund {
  /** The shop's; of those that were made here the one that follows from their reference. */
  refundId: string
  /** The shop has been told of it, and has answered. */
  isKnown: boolean
  paymentId: string
  amount: number
}

export interface Provider {
  payments: ReadonlyMap<string, BookedPayment>
  refunds: ReadonlyMap<string, BookedRefund>
  /** What one process has of it. */
  asSeenBy(process: Process): PaymentProvider
  /** A customer confirms a payment that waits for that, or does not: what it calls the shop for. */
  confirm(paymentId: string, isConfirmed: boolean): PaymentCallback | undefined
  /** The shop has answered that it knows of a refund that was made here. */
  acknowledged(reference: string): void
  /** Somebody pays back a part in its dashboard. */
  refundByHand(paymentId: string, reference: string, amount: number): PaymentCallback | undefined
  /** Payments that have been asked for, the newest last. */
  newest(status: Status): string | undefined
}

const first: Readonly<Record<string, Status>> = {
  card: 'captured',
  card_declined: 'declined',
  card_needs_action: 'requires_action',
  card_late: 'processing',
}

export const methods = Object.keys(first)

export function createProvider(world: World): Provider {
  const books = new Books(() => world.scheduler.now())
  return {
    payments: books.payments,
    refunds: books.refunds,
    asSeenBy: process => asSeenBy(world, process, books),
    confirm: (paymentId, isConfirmed) => books.confirm(paymentId, isConfirmed),
    acknowledged: reference => books.acknowledged(reference),
    refundByHand: (paymentId, reference, amount) =>
      books.refundByHand(paymentId, reference, amount),
    newest: status =>
      [...books.payments.values()].findLast(each => each.status === status)?.paymentId,
  }
}

/** Each question to the provider is a call of the world. */
function asSeenBy(world: World, process: Process, books: Books): PaymentProvider {
  return {
    name: providerName,
    signatureHeader: 'payment-signature',
    charge: asked =>
      world.call(process, { kind: 'charge', key: asked.paymentId }, () => books.charge(asked)),
    cancel: asked =>
      world.call(process, { kind: 'cancel', key: asked.paymentId }, () => books.cancel(asked)),
    refund: ({ refundId, paymentId, amount }) =>
      world.call(process, { kind: 'refund', key: refundId }, () =>
        books.refund({ refundId, paymentId, amount: amount.amount, isKnown: true }),
      ),
    readCallback: async () => undefined,
    list: async () => [],
  }
}

class Books {
  readonly payments = new Map<string, BookedPayment>()
  readonly refunds = new Map<string, BookedRefund>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  charge({ paymentId, orderId, amount, method }: Charge): ChargeAnswer {
    const known = this.payments.get(paymentId)
    if (known !== undefined) return answerOf(this.#settled(known))
    const status = first[method] ?? 'declined'
    const booked = { paymentId, orderId, amount: amount.amount, currency: amount.currency, status }
    // Late answers come before, at, or long after the time at which orders run out.
    const answersAt = this.#now() + 2_000 + (paymentId.charCodeAt(20) % 8) * 15_000
    this.payments.set(paymentId, { ...booked, answersAt })
    return answerOf({ ...booked, answersAt })
  }

  /** With the answer that was late, once it is there. */
  #settled(payment: BookedPayment): BookedPayment {
    const isThere = payment.status === 'processing' && payment.answersAt <= this.#now()
    if (isThere) payment.status = 'captured'
    return payment
  }

  cancel({ paymentId, orderId, amount: { amount, currency } }: Charge): ChargeAnswer {
    const known = this.payments.get(paymentId)
    const fresh = {
      paymentId,
      orderId,
      amount,
      currency,
      status: 'cancelled',
      answersAt: 0,
    } as const
    const payment: BookedPayment = known === undefined ? { ...fresh } : this.#settled(known)
    this.payments.set(paymentId, payment)
    if (payment.status === 'requires_action') payment.status = 'cancelled'
    return answerOf(payment)
  }

  refund(asked: BookedRefund): RefundAnswer {
    const { refundId, paymentId, amount } = asked
    if (this.refunds.has(refundId)) return { status: 'refunded' }
    const payment = this.payments.get(paymentId)
    const captured = payment?.status === 'captured' ? payment.amount : 0
    const back = [...this.refunds.values()].filter(each => each.paymentId === paymentId)
    const left = captured - back.reduce((sum, each) => sum + each.amount, 0)
    if (amount > left) return { status: 'failed', reason: 'More than what is left of it.' }
    this.refunds.set(refundId, asked)
    return { status: 'refunded' }
  }

  confirm(paymentId: string, isConfirmed: boolean): PaymentCallback | undefined {
    const payment = this.payments.get(paymentId)
    if (payment?.status !== 'requires_action') return undefined
    payment.status = isConfirmed ? 'captured' : 'declined'
    return callbackOf(payment, isConfirmed ? 'payment.captured' : 'payment.declined')
  }

  refundByHand(paymentId: string, reference: string, amount: number): PaymentCallback | undefined {
    const payment = this.payments.get(paymentId)
    if (payment === undefined) return undefined
    const refundId = providerRefundId(providerName, reference)
    const asked = { refundId, paymentId, amount, isKnown: false }
    if (this.refund(asked).status !== 'refunded') return undefined
    const money = { amount, currency: payment.currency }
    const told = [{ refundId: null, reference, amount: money, hasFailed: false }]
    return { ...callbackOf(payment, 'refund'), reference, refunds: told }
  }

  acknowledged(reference: string): void {
    const known = this.refunds.get(providerRefundId(providerName, reference))
    if (known !== undefined) known.isKnown = true
  }
}

function answerOf({ status, paymentId }: BookedPayment): ChargeAnswer {
  switch (status) {
    case 'captured':
      return { status, reference: `sim-${paymentId}` }
    case 'declined':
      return { status, reason: 'The card says no.' }
    case 'cancelled':
      return { status: 'declined', reason: 'It was called off.' }
    case 'requires_action':
      return { status, nextAction: { type: 'confirm' } }
    case 'processing':
      return { status }
  }
}

function callbackOf(payment: BookedPayment, kind: PaymentCallback['kind']): PaymentCallback {
  const { paymentId, orderId } = payment
  return {
    callbackId: `${kind} ${paymentId}`,
    kind,
    paymentId,
    orderId,
    reference: `sim-${paymentId}`,
    reason: 'The card says no.',
  }
}
