// What docs/asyncapi.yaml says about each message.
import type { clientMessages, serverMessages } from '../../src/api/realtime/messages.ts'
import type { WebhookType } from '../../src/ports/webhooks.ts'

export const clientSummaries: Readonly<Record<keyof typeof clientMessages, string>> = {
  resume: 'Send everything after this position, then live updates',
  subscribe: 'Send updates of all orders; staff only',
  ping: 'Answered with pong',
}

export const serverSummaries: Readonly<Record<keyof typeof serverMessages, string>> = {
  order_update: 'An order has another status, or another tracking number',
  resync: 'The position cannot be resumed from: load the orders again',
  connected: 'The connection is open; send resume within half a second to get what was missed',
  subscribed: 'The subscription was accepted',
  pong: 'The answer to ping',
  error: 'The message of the client was not understood, or is not allowed',
}

export const webhookSummaries: Readonly<Record<WebhookType, string>> = {
  'order.placed': 'Stock is reserved and the order waits for its payment',
  'order.paid': 'The payment was captured',
  'order.payment_failed': 'The payment was declined',
  'order.shipped': 'The order was shipped',
  'order.delivered': 'The order was delivered',
  'order.cancelled': 'The order was cancelled; refund is the amount to pay back',
  'order.expired': 'The order was not paid in time',
  'order.refunded': 'A refund was paid',
  'order.dispute_opened': 'The customer disputes the payment with their bank',
  'order.dispute_closed': 'The dispute has an outcome',
  'product.created': 'A product was created',
  'product.updated': 'Details or images of a product changed, or it was restored',
  'product.price_changed': 'A product has a new price',
  'product.deleted': 'A product was deleted',
  'stock.adjusted': 'Stock was received, counted or corrected',
  'stock.reserved': 'Stock was reserved for an order',
  'stock.released': 'A reservation was released',
  'stock.committed': 'Reserved stock has left with its order',
}

export const webhookHeaders = {
  type: 'object',
  required: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
  properties: {
    'webhook-id': {
      type: 'string',
      description: 'The id of the event, the same in every attempt: discard ids already seen',
    },
    'webhook-timestamp': { type: 'string', pattern: '^\\d+$', description: 'Seconds since 1970' },
    'webhook-signature': {
      type: 'string',
      description: 'v1,<base64 of HMAC-SHA256>, one for each valid secret, separated by spaces',
    },
  },
}
