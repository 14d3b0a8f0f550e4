// An order, where it can be read.
import type { Order } from '../../domain/order/order.ts'
import type { App } from '../core/app.ts'
import { isUnreadable } from '../core/brokenStream.ts'

/**
 * The state of an order; undefined where a newer release has written to it or its stream is
 * broken. Nobody else is kept from their own orders by it, and what it holds stays held.
 */
export async function readableOrder(app: App, orderId: string): Promise<Order | undefined> {
  try {
    return (await app.orders.load(orderId)).state
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}
