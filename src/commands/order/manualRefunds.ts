// Refunds that a person makes: of money that did not come through the shop's own provider.
import Type from 'typebox'
import { line } from '../../domain/kernel/text.ts'
import { Id, strict } from '../../domain/kernel/types.ts'
import type { PlacedOrder } from '../../domain/order/order.ts'
import { confirmRefund as confirm, owedRefunds } from '../../domain/order/orderPayments.ts'
import { type Command, hasRole } from '../core/command.ts'
import type { Shop } from '../core/shop.ts'
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
  run: (shop, { orderId, refundId, reference }, envelope) =>
    changeOrder(shop, envelope, {
      orderId,
      allowed: actor => hasRole(actor, 'admin'),
      decide: state => confirm(state, { refundId, reference }, shop.payments.name),
    }),
}

/** The open refunds of orders, by order. */
export async function openRefundsOf(shop: Shop, orderIds: readonly string[]) {
  return (await loadOrders(shop, orderIds)).map(order => owed(shop, order))
}

function owed(shop: Shop, order: PlacedOrder) {
  const { orderId, orderNumber, customerId } = order
  const refunds = owedRefunds(order).map(each => ({
    ...each,
    byHand: each.provider !== shop.payments.name,
  }))
  return { orderId, orderNumber, customerId, refunds }
}
