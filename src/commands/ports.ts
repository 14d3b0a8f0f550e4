// What commands need from the world: the log, the clock, payment, each as small as possible.

import type { DomainEvent } from '../domain/aggregate.ts'
import type { Dispute } from '../domain/disputes.ts'
import type { ShopEvent } from '../domain/events.ts'
import type { RejectionCode } from '../domain/rejection.ts'
import type { Actor, Money } from '../domain/types.ts'
import type { NewEvent, RecordedEvent } from '../eventstore/port.ts'
import type { Position } from '../kit/position.ts'

export interface Clock {
  now(): Date
}

/** What goes with every event of a command into the log. */
export interface Envelope {
  commandId: string
  correlationId: string
  causationId: string
  actor: Actor
  at: Date
  /** Where history was brought in from; reactions such as mails leave such events alone. */
  source?: string
  /** Of the input, so that a retry can be told from another request with the same id. */
  digest?: string
  /** Its id was drawn for this one time, and nobody can name it: no retry of it can ever come. */
  once?: true
  /** The state tells by itself that it has been done: its id need not be remembered for that. */
  evident?: true
  /** The revision that the caller has seen (If-Match). */
  expectedRevision?: number
  /** The cart of somebody who has not signed in. */
  guestCartId?: string
}

/** An event as decoded from the log, with where and when it happened. */
export type Stored<Event extends DomainEvent> = Event & {
  id: string
  stream: string
  revision: number
  position: Position
  /** ISO 8601, in UTC, to the millisecond. */
  at: string
  commandId: string
  correlationId: string
  causationId: string
  actor: Actor
  source: string | undefined
  digest: string | undefined
}

/** Between domain events and the log: schemas, versions, encryption of personal fields. */
export interface Codec {
  /**
   * At once, unless what it says about somebody has to be sealed first; `owner` is whom its stream
   * is about. Throws when the event does not match its schema, or when nobody is known with whose
   * key its personal text could be sealed: a bug, never bad input.
   */
  encode(
    event: DomainEvent,
    id: string,
    envelope: Envelope,
    owner?: string,
  ): NewEvent | Promise<NewEvent>
  /** Whether events of this `Type@version` can be read. */
  knows(name: string): boolean
  /** Throws PoisonEvent when the type is unknown or the payload does not fit. */
  decode(recorded: RecordedEvent): Promise<Stored<ShopEvent>>
  /** The same at once; undefined where that takes somebody's key. */
  decodeNow(recorded: RecordedEvent): Stored<ShopEvent> | undefined
  /** The same for the reader of one aggregate's streams. */
  decodeFor<Event extends DomainEvent>(
    aggregate: { events: Record<string, unknown> },
    recorded: RecordedEvent,
  ): Promise<Stored<Event>>
  /** That at once; undefined where it takes somebody's key. */
  decodeForNow<Event extends DomainEvent>(
    aggregate: { events: Record<string, unknown> },
    recorded: RecordedEvent,
  ): Stored<Event> | undefined
}

/** An event of the log that cannot be understood. */
export class PoisonEvent extends Error {
  readonly stream: string

  constructor(recorded: { type: string; position: Position; stream: string }, why: string) {
    super(`${recorded.type} at ${recorded.position} in ${recorded.stream}: ${why}`)
    this.name = 'PoisonEvent'
    this.stream = recorded.stream
  }
}

/** An event of a type or a version that a newer release has written: this one has to wait. */
export class UnknownEvent extends PoisonEvent {
  /** `Type@version` that the release must know that reads it. */
  readonly awaits: string

  constructor(
    recorded: { type: string; position: Position; stream: string; metadata: { v?: unknown } },
    why: string,
  ) {
    super(recorded, why)
    this.name = 'UnknownEvent'
    this.awaits = `${recorded.type}@${recorded.metadata.v}`
  }
}

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
  refunds?: readonly ToldRefund[]
  dispute?: ToldDispute
}

export interface ToldRefund {
  /** The shop's own id, for a refund that the shop has asked for. */
  refundId: string | null
  reference: string
  amount: Money
  hasFailed: boolean
}

/** A dispute as the provider has it; times in milliseconds. */
export type ToldDispute = Omit<Dispute, 'paymentId'>

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

/** What acting on a callback came to. */
export interface Acted {
  outcome: CallbackOutcome
  /** What could not be booked, or has to be seen to. */
  findings: readonly Finding[]
  /** What has been booked meanwhile: earlier findings about it are closed. */
  booked: readonly Pick<Finding, 'kind' | 'reference'>[]
}

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

/** A bounded cache of one kind of value by stream. */
export interface Cache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
}

export type CacheFactory = <Value extends object>() => Cache<Value>

/** What a stream had come to at one of its events, as text. */
export interface Snapshot {
  revision: number
  eventId: string
  /** Of the form in which it is written. */
  version: number
  written: string
}

/** Snapshots of long streams, the newest one of each. */
export interface Snapshots {
  find(stream: string): Promise<Snapshot | undefined>
  keep(stream: string, snapshot: Snapshot): Promise<void>
}

/** What is left after a request was counted. */
export interface Counted {
  allowed: boolean
  remaining: number
  resetSeconds: number
}

/** Counts what somebody does under one policy. */
export interface Counter {
  /** Counts once more, or `times`; never fails: without Redis this process counts for itself. */
  count(key: string, times?: number): Promise<Counted>
  /** Forgets what was counted. */
  forget(key: string): Promise<void>
  /** Takes one count back. */
  giveBack(key: string): Promise<void>
}

/** `quota` in `windowSeconds`, from the first request on. */
export type Counters = (policy: string, quota: number, windowSeconds: number) => Counter

/**
 * Tells one text from another without telling what it says: keyed, because what people enter can be
 * guessed, and fingerprints stay in the log when a person is erased.
 */
export type Fingerprint = (text: string) => string

/** What belongs to a request that may come again: the same for the same parts, and secret. */
export interface RequestKeys {
  derive(...parts: readonly string[]): string
}

/** What became of a wish for a mail: a mail that is sent stays sent. */
export type MailVerdict = 'changed' | 'sent' | 'not-found'

/** The queue of mails, as admins use it. Each throws Unavailable. */
export interface MailBox {
  /** Makes a mail due now, as if it had never been tried. */
  retry(mailId: string): Promise<MailVerdict>
  /** Gives a mail up. */
  drop(mailId: string): Promise<MailVerdict>
}
