// An order, where this release can read it.
import type { Order } from '../../domain/order/order.ts'
import { UnknownEvent } from '../../ports/codec.ts'
import type { Shop } from '../core/app.ts'

/**
 * The state of an order; undefined where a newer release has written to it. That one looks after
 * it: nobody else is kept from their own orders by it, and what it holds stays held.
 */
export async function readableOrder(shop: Shop, orderId: string): Promise<Order | undefined> {
  try {
    return (await shop.orders.load(orderId)).state
  } catch (error) {
    if (error instanceof UnknownEvent) return undefined
    throw error
  }
}
