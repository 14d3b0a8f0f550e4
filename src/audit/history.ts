// The history of an order in plain words, for customers and auditors.
import type { AppEvent } from '../domain/index.ts'
import { formatMoney } from '../domain/kernel/money.ts'
import type { Actor } from '../domain/kernel/types.ts'
import type { OrderEvent } from '../domain/order/order.ts'
import type { Codec } from '../ports/codec.ts'
import { type EventStore, readStream } from '../ports/eventStore.ts'

export interface HistoryEntry {
  revision: number
  position: string
  event: string
  sentence: string
  at: string
  by: string
}

/** Every event of a stream, oldest first; every type of event of an order has a sentence. */
export async function readHistory(
  eventStore: EventStore,
  codec: Codec,
  stream: string,
): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = []
  for await (const recorded of readStream(eventStore, stream)) {
    const event = await codec.decode(recorded)
    entries.push({
      revision: event.revision,
      position: String(event.position),
      event: event.type,
      sentence: sentenceOf(event),
      at: event.at,
      by: nameOf(event.actor),
    })
  }
  return entries
}

function nameOf(actor: Actor): string {
  return actor.role === 'anonymous' ? 'anonymous' : `${actor.role} ${actor.id}`
}

function until(dueBy: number | null): string {
  return dueBy === null ? '' : `, to be answered by ${new Date(dueBy).toISOString()}`
}

const outcomes = { lost: 'is lost', won: 'is won', dropped: 'was dropped' } as const

// Declared as methods, so that a sentence of one type can be asked of any event.
type Sentence<Type extends AppEvent['type']> = {
  of(data: Extract<AppEvent, { type: Type }>['data']): string
}['of']

const sentences: { [Type in OrderEvent['type']]: Sentence<Type> } = {
  OrderSubmitted({ lines, orderNumber, total }) {
    const pieces = lines.reduce((sum, line) => sum + line.quantity, 0)
    return `Order ${orderNumber} was submitted: ${pieces} pieces for ${formatMoney(total)}.`
  },
  OrderPlaced: () => 'The goods were reserved and the order placed.',
  PaymentDeadlineSet: ({ expiresAt }) =>
    `It waits to be paid until ${new Date(expiresAt).toISOString()}.`,
  OrderExpired: () => 'The order expired: it was not paid in its time.',
  OrderRejected: ({ short }) =>
    `The order was rejected: ${short.map(each => each.sku).join(', ')} ran out.`,
  OrderArchived: () => 'The order was archived.',
  DeliveryDetailsChanged({ country, reason }) {
    const where = country === undefined ? '' : `, to ${country}`
    return `The delivery details were changed${where}${reason === undefined ? '.' : `: ${reason}`}`
  },
  PaymentRequested: ({ amount, provider }) =>
    `A payment of ${formatMoney(amount)} was asked of ${provider}.`,
  OrderPaid: ({ amount, provider }) => `${formatMoney(amount)} was paid through ${provider}.`,
  PaymentFailed: ({ reason }) => `The payment failed: ${reason}`,
  LatePaymentReceived: ({ amount }) => `A payment of ${formatMoney(amount)} came too late.`,
  LatePaymentRefused: ({ reason }) => `The late payment goes back: ${reason}`,
  LatePaymentReturned: ({ amount }) => `The late payment of ${formatMoney(amount)} was paid back.`,
  OrderShipped: ({ tracking }) =>
    tracking === null
      ? 'The goods were handed to the carrier.'
      : `The goods were handed to the carrier; tracking number ${tracking}.`,
  TrackingChanged: ({ tracking }) => `The tracking number is now ${tracking}.`,
  OrderDelivered: () => 'The goods were delivered.',
  OrderCancelled: ({ reason }) => `The order was cancelled: ${reason}`,
  RefundRequested: ({ amount, reason }) => `${formatMoney(amount)} is to be paid back: ${reason}`,
  OrderRefunded: ({ amount, reason }) => `${formatMoney(amount)} was paid back: ${reason}`,
  RefundFailed: ({ reason }) => `The refund failed: ${reason}`,
  RefundReversed: ({ amount, reason }) => `${formatMoney(amount)} did not arrive: ${reason}`,
  DisputeOpened({ amount, stage, reason, dueBy }) {
    const what = stage === 'inquiry' ? 'The bank asks about' : 'The customer disputes'
    return `${what} ${formatMoney(amount)} (${reason})${until(dueBy)}.`
  },
  DisputeChanged({ amount, stage, dueBy }) {
    const words = stage === 'under_review' ? 'is under review' : `is at ${stage}`
    return `The dispute over ${formatMoney(amount)} ${words.replaceAll('_', ' ')}${until(dueBy)}.`
  },
  DisputeClosed: ({ amount, outcome }) =>
    `The dispute over ${formatMoney(amount)} ${outcomes[outcome]}.`,
  ItemsReturned: ({ amount, reference }) =>
    `Goods for ${formatMoney(amount)} came back (${reference}).`,
}

const byType: Readonly<Record<string, Sentence<AppEvent['type']>>> = sentences

function sentenceOf({ type, data }: AppEvent): string {
  return byType[type]?.(data) ?? `${type}.`
}
