// What others hear of an event: ids, statuses and amounts, and nothing that is about a person.
import type { WebhookMessage, WebhookType } from '../../../ports/webhooks.ts'
import type { ReadEvent } from '../../../projections/core/events.ts'
import type { WebhookFacts } from './schemas.ts'

/** The events that are sent, and the name under which each is. */
export const webhookTypeOf = {
  OrderPlaced: 'order.placed',
  OrderPaid: 'order.paid',
  PaymentFailed: 'order.payment_failed',
  OrderShipped: 'order.shipped',
  OrderDelivered: 'order.delivered',
  OrderCancelled: 'order.cancelled',
  OrderExpired: 'order.expired',
  OrderRefunded: 'order.refunded',
  DisputeOpened: 'order.dispute_opened',
  DisputeClosed: 'order.dispute_closed',
  ProductCreated: 'product.created',
  ProductDetailsChanged: 'product.updated',
  ProductFeatured: 'product.updated',
  ProductUnfeatured: 'product.updated',
  ProductImageAdded: 'product.updated',
  ProductImageRemoved: 'product.updated',
  PriceChanged: 'product.price_changed',
  ProductDeleted: 'product.deleted',
  ProductRestored: 'product.updated',
  StockAdjusted: 'stock.adjusted',
  StockCounted: 'stock.adjusted',
  StockReserved: 'stock.reserved',
  ReservationReleased: 'stock.released',
  ReservationCommitted: 'stock.committed',
} as const satisfies Partial<Record<ReadEvent['type'], WebhookType>>

type SentType = keyof typeof webhookTypeOf
export type SentEvent = ReadEvent & { type: SentType }

/** Those events, for filters. */
export const sentTypes: readonly SentType[] = Object.keys(webhookTypeOf).filter(isSentType)

function isSentType(type: string): type is SentType {
  return type in webhookTypeOf
}

/** Whether others may hear of an event: history that was imported is no news. */
export function isSent(event: ReadEvent): event is SentEvent {
  return isSentType(event.type) && event.source === undefined
}

/** What is said of an event; the order's number and total are added when it is sent. */
export function messageOf(event: SentEvent): WebhookMessage {
  return {
    type: webhookTypeOf[event.type],
    timestamp: event.at,
    data: {
      ...factsOf(event),
      aggregateRevision: event.revision,
      position: String(event.position),
    },
  }
}

// Field by field, so that a field that is added to an event is not sent by itself.
function factsOf(event: SentEvent): WebhookFacts {
  switch (event.type) {
    case 'OrderPlaced':
      return { orderId: event.data.orderId, status: 'pending' }
    case 'OrderPaid': {
      const { orderId, paymentId, amount } = event.data
      return { orderId, status: 'paid', paymentId, amount }
    }
    case 'PaymentFailed':
      return { orderId: event.data.orderId, paymentId: event.data.paymentId }
    case 'OrderShipped':
      return { orderId: event.data.orderId, status: 'shipped' }
    case 'OrderDelivered':
      return { orderId: event.data.orderId, status: 'delivered' }
    case 'OrderCancelled':
      return { orderId: event.data.orderId, status: 'cancelled', refund: event.data.refund }
    case 'OrderExpired':
      return { orderId: event.data.orderId, status: 'expired' }
    case 'OrderRefunded': {
      const { orderId, refundId, amount } = event.data
      return { orderId, refundId, amount }
    }
    case 'DisputeOpened': {
      const { orderId, disputeId, amount, reason, dueBy } = event.data
      const until = dueBy === null ? null : new Date(dueBy).toISOString()
      return { orderId, disputeId, amount, reason, dueBy: until }
    }
    case 'DisputeClosed': {
      const { orderId, disputeId, amount, outcome } = event.data
      return { orderId, disputeId, amount, outcome }
    }
    default:
      return goodsFactsOf(event)
  }
}

function goodsFactsOf(
  event: Exclude<SentEvent, { type: `Order${string}` | `Dispute${string}` | 'PaymentFailed' }>,
): WebhookFacts {
  switch (event.type) {
    case 'ProductCreated': {
      const { productId, sku, price, categoryId, featured, active } = event.data
      return { productId, sku, price, categoryId, featured, active }
    }
    case 'PriceChanged': {
      const { productId, price, previous } = event.data
      return { productId, price, previous }
    }
    case 'StockAdjusted': {
      const { productId, delta, reason } = event.data
      return { productId, delta, reason }
    }
    case 'StockCounted': {
      const { productId, delta } = event.data
      return { productId, delta, reason: 'counted' }
    }
    case 'StockReserved':
    case 'ReservationReleased':
    case 'ReservationCommitted': {
      const { productId, orderId, quantity } = event.data
      return { productId, orderId, quantity }
    }
    default:
      return { productId: event.data.productId }
  }
}
