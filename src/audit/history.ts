// A stream told in plain words, for customers and auditors.
import type { Static } from 'typebox'
import type { AppEvent } from '../domain/index.ts'
import { formatMoney } from '../domain/kernel/money.ts'
import type { Actor } from '../domain/kernel/types.ts'
import type { DisputeEvent } from '../domain/order/disputes.ts'
import type { OrderEvents } from '../domain/order/orderEvents.ts'
import type { Codec, Stored } from '../ports/codec.ts'
import { type EventStore, readStream } from '../ports/eventStore.ts'

type DeliveryChanged = Pick<Static<typeof OrderEvents.DeliveryDetailsChanged>, 'country' | 'reason'>

export interface HistoryEntry {
  revision: number
  position: string
  event: string
  sentence: string
  at: string
  by: string
}

/** Every event of a stream, oldest first. */
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

function deliverySentence({ country, reason }: DeliveryChanged): string {
  const where = country === undefined ? '' : `, to ${country}`
  return `The delivery details were changed${where}${reason === undefined ? '.' : `: ${reason}`}`
}

function disputeSentence(event: Stored<DisputeEvent>): string {
  const amount = formatMoney(event.data.amount)
  if (event.type === 'DisputeClosed') {
    const { outcome } = event.data
    const money = outcome === 'lost' ? 'is lost' : outcome === 'won' ? 'is won' : 'was dropped'
    return `The dispute over ${amount} ${money}.`
  }
  const { stage, dueBy } = event.data
  const until = dueBy === null ? '' : `, to be answered by ${new Date(dueBy).toISOString()}`
  if (event.type === 'DisputeChanged') {
    const words = stage === 'under_review' ? 'is under review' : `is at ${stage}`
    return `The dispute over ${amount} ${words.replaceAll('_', ' ')}${until}.`
  }
  const what = stage === 'inquiry' ? 'The bank asks about' : 'The customer disputes'
  return `${what} ${amount} (${event.data.reason})${until}.`
}

function sentenceOf(event: Stored<AppEvent>): string {
  switch (event.type) {
    case 'OrderSubmitted': {
      const { lines, orderNumber, total } = event.data
      const pieces = lines.reduce((sum, line) => sum + line.quantity, 0)
      return `Order ${orderNumber} was submitted: ${pieces} pieces for ${formatMoney(total)}.`
    }
    case 'OrderPlaced':
      return 'The goods were reserved and the order placed.'
    case 'PaymentDeadlineSet':
      return `It waits to be paid until ${new Date(event.data.expiresAt).toISOString()}.`
    case 'OrderExpired':
      return 'The order expired: it was not paid in its time.'
    case 'LatePaymentReceived':
      return `A payment of ${formatMoney(event.data.amount)} came too late.`
    case 'LatePaymentRefused':
      return `The late payment goes back: ${event.data.reason}`
    case 'LatePaymentReturned':
      return `The late payment of ${formatMoney(event.data.amount)} was paid back.`
    case 'RefundRequested':
      return `${formatMoney(event.data.amount)} is to be paid back: ${event.data.reason}`
    case 'RefundFailed':
      return `The refund failed: ${event.data.reason}`
    case 'OrderArchived':
      return 'The order was archived.'
    case 'OrderRejected':
      return `The order was rejected: ${event.data.short.map(each => each.sku).join(', ')} ran out.`
    case 'DeliveryDetailsChanged':
      return deliverySentence(event.data)
    case 'PaymentRequested':
      return `A payment of ${formatMoney(event.data.amount)} was asked of ${event.data.provider}.`
    case 'OrderPaid':
      return `${formatMoney(event.data.amount)} was paid through ${event.data.provider}.`
    case 'PaymentFailed':
      return `The payment failed: ${event.data.reason}`
    case 'OrderShipped':
      return event.data.tracking === null
        ? 'The goods were handed to the carrier.'
        : `The goods were handed to the carrier; tracking number ${event.data.tracking}.`
    case 'TrackingChanged':
      return `The tracking number is now ${event.data.tracking}.`
    case 'OrderDelivered':
      return 'The goods were delivered.'
    case 'OrderCancelled':
      return `The order was cancelled: ${event.data.reason}`
    case 'OrderRefunded':
      return `${formatMoney(event.data.amount)} was paid back: ${event.data.reason}`
    case 'RefundReversed':
      return `${formatMoney(event.data.amount)} did not arrive: ${event.data.reason}`
    case 'DisputeOpened':
    case 'DisputeChanged':
    case 'DisputeClosed':
      return disputeSentence(event)
    case 'ItemsReturned':
      return `Goods for ${formatMoney(event.data.amount)} came back (${event.data.reference}).`
    default:
      return `${event.type}.`
  }
}
