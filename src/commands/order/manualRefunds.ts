// Refunds that a person makes: of money that did not come through the shop's own provider.
import Type from 'typebox'
import { line } from '../../domain/kernel/text.ts'
import { Id, strict } from '../../domain/kernel/types.ts'
import type { PlacedOrder } from '../../domain/order/order.ts'
import { confirmRefund as confirm, owedRefunds } from '../../domain/order/orderPayments.ts'
import type { App } from '../core/app.ts'
import { type Command, hasRole } from '../core/command.ts'
import { changeOrder, loadOrders } from './order.ts'

const ConfirmRefund = Type.Object(
  { orderId: Id, refundId: Id, reference: Type.Optional(line(200)) },
  strict,
)

/** Records that an open refund has been paid back by hand; its customer gets the mail now. */
export const confirmRefund: Command<typeof ConfirmRefund> = {
  name: 'ConfirmRefund',
  roles: ['admin'],
  input: ConfirmRefund,
  run: (app, { orderId, refundId, reference }, envelope) =>
    changeOrder(app, envelope, {
      orderId,
      allowed: actor => hasRole(actor, 'admin'),
      decide: state => confirm(state, { refundId, reference }, app.payments.name),
    }),
}

/** The open refunds of orders, by order. */
export async function openRefundsOf(app: App, orderIds: readonly string[]) {
  return (await loadOrders(app, orderIds)).map(order => owed(app, order))
}

function owed(app: App, order: PlacedOrder) {
  const { orderId, orderNumber, customerId } = order
  const refunds = owedRefunds(order).map(each => ({
    ...each,
    byHand: each.provider !== app.payments.name,
  }))
  return { orderId, orderNumber, customerId, refunds }
}
