// What commands need of payment providers, and of what providers report without being asked.

import type { RejectionCode } from '../domain/kernel/rejection.ts'
import type { Money } from '../domain/kernel/types.ts'
import type { Dispute } from '../domain/order/disputes.ts'

export interface Charge {
  /** The provider charges once for one paymentId, however often it is asked. */
  paymentId: string
  orderId: string
  amount: Money
  method: string
  /** When the order stops waiting for it, in milliseconds. */
  expiresAt: number | null
}

export type ChargeAnswer =
  | { status: 'captured'; reference: string }
  | { status: 'declined'; reason: string }
  /** The customer has something to do first, such as to confirm it with their bank. */
  | { status: 'requires_action'; nextAction: NextAction }
  /** Not decided yet: ask again, or be told. */
  | { status: 'processing' }

export interface NextAction {
  type: string
  url?: string
  /** With which the customer's own program finishes the payment at the provider. */
  clientSecret?: string
}

export type RefundAnswer = { status: 'refunded' } | { status: 'failed'; reason: string }

/** What a provider tells us without having been asked; its signature was right. */
export interface PaymentCallback {
  callbackId: string
  kind: 'payment.captured' | 'payment.declined' | 'refund' | 'dispute' | 'unreadable' | 'other'
  paymentId: string | null
  orderId: string | null
  reference: string
  reason: string
  /** Refunds as the provider has them now. */
  refunds?: readonly ReportedRefund[]
  dispute?: ReportedDispute
}

export interface ReportedRefund {
  /** The shop's own id, for a refund that the shop has asked for. */
  refundId: string | null
  reference: string
  amount: Money
  hasFailed: boolean
}

/** A dispute as the provider has it; times in milliseconds. */
export type ReportedDispute = Omit<Dispute, 'paymentId'>

/** Money that the provider has moved, as its own books have it. */
export interface MoneyMoved {
  kind: 'charge' | 'refund' | 'dispute'
  /** Our payment or refund; null when the provider does not know it. */
  id: string | null
  orderId: string | null
  reference: string
  amount: Money
  at: Date
  /** Of disputes. */
  outcome?: Dispute['outcome']
}

export interface PaymentProvider {
  name: string
  /** The HTTP header that carries the signature of a callback, in lower case. */
  signatureHeader: string
  /** Throws Unavailable when the answer is not known: ask again with the same paymentId. */
  charge(charge: Charge): Promise<ChargeAnswer>
  /**
   * Calls a charge off, whether it has been asked for or not: what is not captured by now never
   * will be, unless the answer is `processing`. Throws Unavailable.
   */
  cancel(charge: Charge): Promise<ChargeAnswer>
  /** Pays back, once for one refundId. Throws Unavailable when the answer is not known. */
  refund(refund: { refundId: string; paymentId: string; amount: Money }): Promise<RefundAnswer>
  /** Reads a callback of the provider; undefined when its signature is wrong or too old. */
  readCallback(body: string, signature: string, now: Date): Promise<PaymentCallback | undefined>
  /** What was charged and paid back, asked for at `from` or later and before `to`. */
  list(from: Date, to: Date): Promise<MoneyMoved[]>
}

/** The book of what the payment provider has told us. */
export interface CallbackBook {
  /**
   * Notes a callback and acts on it unless that has been done. One whose acting fails is acted upon
   * when the provider sends it again.
   */
  once(callback: PaymentCallback, act: () => Promise<Acted>): Promise<CallbackOutcome>
  /** Notes that somebody has seen to a finding; false when there is none that is open. */
  resolve(findingId: string, by: string): Promise<boolean>
}

/** `review`: somebody has to look at it. */
export type CallbackOutcome = 'recorded' | 'unknown' | 'review'

export interface Finding {
  /** The same for the same thing, however many callbacks tell of it. */
  findingId: string
  kind: 'payment' | 'refund' | 'dispute' | 'unreadable'
  reference: string
  orderId: string | null
  paymentId: string | null
  amount: Money | null
  problem: RejectionCode | 'refund/failed' | 'callback/unreadable'
  detail: string
}

/** What acting on a callback came to. */
export interface Acted {
  outcome: CallbackOutcome
  /** What could not be booked, or has to be seen to. */
  findings: readonly Finding[]
  /** What has been booked meanwhile: earlier findings about it are closed. */
  booked: readonly Pick<Finding, 'kind' | 'reference'>[]
}
