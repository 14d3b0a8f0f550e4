// What the order context adds to the domain: its aggregates, by the name of their repository.
import { creditNote } from './creditNote.ts'
import { openOrders } from './openOrders.ts'
import { order } from './order.ts'
import { orderNumbers } from './orderNumbers.ts'

export const orderAggregates = {
  creditNotes: creditNote,
  openOrders,
  orderNumbers,
  orders: order,
}
