// An order notification, as it is stored and sent to live clients.
import type { OrderStatus } from '../../domain/order/orderStates.ts'
import type { Position } from '../../kit/position.ts'

/** That an order has got on, as it is told to who it belongs to. */
export interface Notification {
  position: Position
  customerId: string
  orderId: string
  orderNumber: string
  status: OrderStatus
  previousStatus: OrderStatus
  /** By which the parcel is followed. */
  tracking: string | null
  at: Date
}
