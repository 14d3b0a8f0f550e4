// The evidence of an audit: the log, and observations outside of it. Each observation is optional;
// checks that need a missing one are skipped.

type Maybe<T> = T | undefined

/** The header of an event: all that is known of one that cannot be read. */
export interface Place {
  position: number
  stream: string
  revision: number
  id: string
  type: string
}

/** An event of the log, with its payload as plain JSON. */
export interface LogEvent extends Place {
  data: Readonly<Record<string, unknown>>
  commandId: string
  /** When it happened by the clock of the writer, in ISO 8601. */
  at: string
  /** Where imported history comes from. */
  source: Maybe<string>
}

/** An answer that a client received. */
export interface Message {
  /** The command, or `read`. */
  name: string
  /** Its id in the log; of reads none. */
  commandId: Maybe<string>
  by: string
  /** How often a process has begun with it: after a refusal another attempt may be running. */
  begun: number
  /** In milliseconds on one clock. */
  sentAt: number
  answeredAt: number
  /** `unknown`: no answer arrived, and the client stopped retrying. */
  outcome: 'ok' | 'refused' | 'unknown'
  /** Of `ok`: what it was about, and how far that was. */
  stream: Maybe<string>
  revision: Maybe<number>
  position: Maybe<number>
  /** Of `refused`. */
  code: Maybe<string>
  /** The event of which it says that it has happened: that is in the stream once. */
  leads?: string
  /** Of reads: what was shown. */
  shown: Maybe<Readonly<Record<string, unknown>>>
}

export interface Mail {
  eventId: string
  template: string
  /** The order that it is about. */
  orderId?: string | null
  /** It has been due for a while, and nothing goes out. */
  isStuck?: boolean
}

export interface Delivery {
  eventId: string
  endpoint: string
  /** It has been due for a while, and nothing goes out. */
  isStuck?: boolean
}

/** A receiver of webhooks. */
export interface Endpoint {
  endpoint: string
  /** Whether a delivery of this event has to be there. */
  wants(event: LogEvent): boolean
}

/** Money as the payment provider has it in its books. */
export interface MovedMoney {
  kind: 'charge' | 'refund'
  /** The shop's id of the payment or refund. */
  id: string
  paymentId: string
  amount: number
}

/** An order as a read model shows it. */
export interface ShownOrder {
  orderId: string
  status: string
  /** In minor units, where it shows that. */
  paidBack?: number
}

/** Stock as a read model shows it. */
export interface ShownStock {
  productId: string
  onHand: number
  reserved: number
}

/** A customer who followed their orders live, across reconnects. */
export interface Follower {
  name: string
  customerId: string
  /** Where in the log they have begun. */
  since: number
  /** Messages in the order of arrival. */
  received: readonly { position: number; orderId: string }[]
}

/** An unexpected failure. */
export interface Failure {
  where: string
  what: string
}

/** The log position that each had reached when it was read; the head where none is given. */
export interface Reached {
  mails?: number
  orders?: number
  stock?: number
}

/** What was observed outside of the log. */
export interface Observations {
  messages?: Iterable<Message>
  mails?: Iterable<Mail>
  webhooks?: Iterable<Delivery>
  /** By default every order event with a public name has to be delivered to some endpoint. */
  endpoints?: Iterable<Endpoint>
  money?: Iterable<MovedMoney>
  orders?: Iterable<ShownOrder>
  stock?: Iterable<ShownStock>
  live?: Iterable<Follower>
  failures?: Iterable<Failure>
  /**
   * The shop is idle: unfinished work is a finding. Otherwise only violations that no later event
   * can repair are findings.
   */
  isAtRest: boolean
  /** Later changes may still be in progress; in milliseconds since 1970. */
  cutoff?: number
  /** The payment provider may take days: payments and refunds may be unfinished. */
  isMoneyOpen?: boolean
  reached?: Reached
  /** Streams that this release cannot read to their end; they are skipped. */
  unreadable?: ReadonlySet<string>
}

export interface Evidence extends Observations {
  log: AsyncIterable<LogEvent> | Iterable<LogEvent>
}

/** The partition of the log that a check covers. */
export interface Scope {
  /** Of the id of an order, a product, a cart or an event, and of the number of an order. */
  has(key: string): boolean
  hasStream(stream: string): boolean
}

/** The whole shop. */
export const wholeShop: Scope = { has: () => true, hasStream: () => true }

/** A promise that was broken, and by what. */
export interface Finding {
  /** The promise, in a few words that are always the same. */
  promise: string
  /** One sentence: what is wrong, with the events. */
  detail: string
}

/** A check of the log: sees every event once, in its order. */
export interface Check {
  see(event: LogEvent): void
  /** Called instead for an event that cannot be read, or whose data belongs to other partitions. */
  skip?(place: Place, isUnreadable?: boolean): void
  /** Called after the last event: compares the log with the observations. */
  conclude?(observations: Observations): void
  /** How many things were examined, by promise. */
  examined(): Readonly<Record<string, number>>
}

/** Takes findings. */
export type Report = (promise: string, detail: string) => void

/** A text of a payload; empty where there is none. */
export function text(event: LogEvent, field: string): string {
  const value = event.data[field]
  return typeof value === 'string' ? value : ''
}

/** A number of a payload, or the amount of its money; 0 where there is none. */
export function amount(event: LogEvent, field: string): number {
  return amountOf(event.data[field])
}

function amountOf(value: unknown): number {
  if (typeof value === 'number') return value
  const isMoney = typeof value === 'object' && value !== null && 'amount' in value
  return isMoney && typeof value.amount === 'number' ? value.amount : 0
}

export interface Pieces {
  productId: string
  quantity: number
}

/** The lines of a payload: how many pieces of which product. */
export function piecesOf(event: LogEvent, field = 'lines'): Pieces[] {
  const lines = event.data[field]
  if (!Array.isArray(lines)) return []
  return lines.map(({ productId, quantity }) => ({
    productId: String(productId),
    quantity: Number(quantity),
  }))
}

/** Names an event. */
export function named({ type, stream, revision, position }: Omit<Place, 'id'>): string {
  return `${type} (${stream}, revision ${revision}, position ${position})`
}
