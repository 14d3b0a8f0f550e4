// What the order context adds to the application: its repositories and commands.
import { creditNote } from '../../domain/order/creditNote.ts'
import { openOrders } from '../../domain/order/openOrders.ts'
import { order } from '../../domain/order/order.ts'
import { orderNumbers } from '../../domain/order/orderNumbers.ts'
import type { Commands } from '../core/command.ts'
import { createRepository } from '../core/repository.ts'
import type { RepositoryParts } from '../core/repositoryTypes.ts'
import { confirmRefund } from './manualRefunds.ts'
import {
  archiveOrder,
  cancelOrder,
  changeOrderDelivery,
  payOrder,
  updateOrderStatus,
} from './order.ts'
import { placeOrder } from './placeOrder.ts'
import { refundOrder } from './refundOrder.ts'

export const orderRepositories = (parts: RepositoryParts) => ({
  creditNotes: createRepository(creditNote, parts),
  openOrders: createRepository(openOrders, parts),
  orderNumbers: createRepository(orderNumbers, parts),
  orders: createRepository(order, parts),
})

export const orderCommands: Commands = [
  placeOrder,
  payOrder,
  cancelOrder,
  refundOrder,
  confirmRefund,
  updateOrderStatus,
  changeOrderDelivery,
  archiveOrder,
]
