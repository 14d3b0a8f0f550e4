// What an auditor looks at: the log, and what everybody else has of the shop. Each part but the log
// may be missing; then what it would prove is not looked at.

type Maybe<T> = T | undefined

/** Where an event is: all that is known of one that cannot be read. */
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
  /** When it happened by the clock of whoever wrote it, in ISO 8601. */
  at: string
  /** Where imported history comes from. */
  source: Maybe<string>
}

/** What a client was told of something that it asked for. */
export interface Message {
  /** The command, or `read`. */
  name: string
  /** Its id in the log; of reads none. */
  commandId: Maybe<string>
  by: string
  /** How often a process has begun with it: refused once, another try may still be under way. */
  begun: number
  /** In milliseconds on one clock. */
  sentAt: number
  answeredAt: number
  /** `unknown`: no answer came, and the client has given up asking. */
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

/** Who is told of events by webhook. */
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

/** Somebody who followed their orders live, whatever connections were lost. */
export interface Follower {
  name: string
  customerId: string
  /** Where in the log they have begun. */
  since: number
  /** What they have heard, in the order in which it came. */
  received: readonly { position: number; orderId: string }[]
}

/** Something that went wrong where nothing is expected to. */
export interface Failure {
  where: string
  what: string
}

/** How far in the log each had come when it was looked at; all the way where it says nothing. */
export interface Reached {
  mails?: number
  orders?: number
  stock?: number
}

/** What there is beside the log. */
export interface Observations {
  messages?: Iterable<Message>
  mails?: Iterable<Mail>
  webhooks?: Iterable<Delivery>
  /** Unless it is said, somebody is told of every event of orders that partners hear of. */
  endpoints?: Iterable<Endpoint>
  money?: Iterable<MovedMoney>
  orders?: Iterable<ShownOrder>
  stock?: Iterable<ShownStock>
  live?: Iterable<Follower>
  failures?: Iterable<Failure>
  /**
   * Nothing moves any more: what is not done now never will be. Otherwise only what is wrong
   * whatever comes next is a finding.
   */
  isAtRest: boolean
  /** What has changed since may be under way all the same; in milliseconds since 1970. */
  cutoff?: number
  /** The payment provider may take days: what has begun with money need not have come to an end. */
  isMoneyOpen?: boolean
  reached?: Reached
  /** Streams that this release cannot read to their end: they stay where they are. */
  unreadable?: ReadonlySet<string>
}

export interface Evidence extends Observations {
  log: AsyncIterable<LogEvent> | Iterable<LogEvent>
}

/** What a check answers for: of a log that is looked at in parts, what belongs to one of them. */
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
  /** Instead, of one that cannot be read, or whose data is no business of this part. */
  skip?(place: Place, isUnreadable?: boolean): void
  /** What the log as a whole, and the rest of the evidence, do not add up to. */
  conclude?(observations: Observations): void
  /** Its promises, and how many things of each were looked at. */
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
