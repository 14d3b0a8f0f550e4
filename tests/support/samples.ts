// Fixed values that specifications speak of: ids, prices, lines, one submitted order.

import type { CartLine } from '../../src/domain/cart/cart.ts'
import type { Money } from '../../src/domain/kernel/types.ts'
import type { OrderEvent, OrderLine, Submission } from '../../src/domain/order/order.ts'
import type { Position } from '../../src/kit/position.ts'
import type { Notification } from '../../src/projections/order/orderNotifications.ts'

/** The id with this number: always the same one. */
export function sampleId(number: number): string {
  return `01980000-0000-7000-8000-${String(number).padStart(12, '0')}`
}

export const gbp = (amount: number): Money => ({ amount, currency: 'GBP' })

export const productId = sampleId(1)
export const otherProductId = sampleId(2)
export const orderId = sampleId(11)
export const otherOrderId = sampleId(12)
export const cartId = sampleId(21)
export const customerId = sampleId(31)
export const categoryId = sampleId(41)

/** A line of a cart: a lantern at 4.25 unless said otherwise. */
export function cartLine(line: Partial<CartLine> = {}): CartLine {
  return { productId, sku: 'LANTERN', name: 'Lantern', unitPrice: gbp(425), quantity: 2, ...line }
}

/** A line of an order whose total follows from its price and quantity. */
export function orderLine(line: Partial<Omit<OrderLine, 'total'>> = {}): OrderLine {
  const { unitPrice, quantity, ...rest } = cartLine(line)
  return { ...rest, quantity, unitPrice, total: gbp(unitPrice.amount * quantity) }
}

/** The submission of two lanterns, eight pounds fifty in all. */
export function submission(changes: Partial<Submission> = {}): Submission {
  return {
    orderId,
    orderNumber: 'A1B2C-D3E4F',
    customerId,
    cartId,
    lines: [orderLine()],
    charges: [],
    total: gbp(850),
    country: 'United Kingdom',
    delivery: { shippingAddress: '1 High Street, Leeds', phoneNumber: '+44 113 000000' },
    paymentMethod: 'card',
    ...changes,
  }
}

const payment = { orderId, paymentId: sampleId(51), provider: 'simulated' }

/** The usual events of one order, in the order in which they happen. */
export const orderEvents = {
  submitted: { type: 'OrderSubmitted', data: submission() },
  placed: { type: 'OrderPlaced', data: { orderId } },
  rejected: {
    type: 'OrderRejected',
    data: { orderId, short: [{ productId, sku: 'LANTERN', wanted: 2 }] },
  },
  paymentRequested: {
    type: 'PaymentRequested',
    data: { ...payment, method: 'card', amount: gbp(850) },
  },
  paid: { type: 'OrderPaid', data: { ...payment, reference: 'CH-1', amount: gbp(850) } },
  paymentFailed: {
    type: 'PaymentFailed',
    data: { orderId, paymentId: payment.paymentId, reason: 'declined' },
  },
  shipped: { type: 'OrderShipped', data: { orderId, tracking: null } },
  delivered: { type: 'OrderDelivered', data: { orderId } },
  cancelled: { type: 'OrderCancelled', data: { orderId, reason: 'Changed my mind', refund: null } },
  cancelledPaid: {
    type: 'OrderCancelled',
    data: { orderId, reason: 'Changed my mind', refund: gbp(850) },
  },
  expired: { type: 'OrderExpired', data: { orderId } },
  latePayment: {
    type: 'LatePaymentReceived',
    data: { ...payment, reference: 'CH-1', amount: gbp(850) },
  },
  refundRequested: {
    type: 'RefundRequested',
    data: { orderId, refundId: sampleId(61), amount: gbp(850), reason: 'Broken' },
  },
  refunded: {
    type: 'OrderRefunded',
    data: { orderId, refundId: sampleId(61), amount: gbp(850), reason: 'Broken' },
  },
} as const satisfies Record<string, OrderEvent>

/** News of an order of somebody's. */
export function sampleNotification(position: Position): Notification {
  return {
    position,
    customerId: sampleId(5),
    orderId,
    orderNumber: 'ABCDE-12345',
    status: 'paid',
    previousStatus: 'pending',
    tracking: null,
    at: new Date('2011-08-09T10:11:12.345Z'),
  }
}
