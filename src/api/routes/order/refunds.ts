// Refunds that are open, and the word of whoever has paid one back by hand.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { confirmRefund, openRefundsOf } from '../../../commands/order/manualRefunds.ts'
import { Id, Money, strict } from '../../../domain/kernel/types.ts'
import { newestFirst } from '../../../projections/core/keyset.ts'
import { listOpenMoney } from '../../../projections/order/orderProcessQueries.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { listRoute } from '../../http/readRoute.ts'
import { many, text, time } from '../../http/schemas.ts'

const tag = 'Orders'
const OpenRefunds = Type.Object(
  {
    orderId: Id,
    orderNumber: text(40),
    customerId: Id,
    since: time,
    refunds: many(
      Type.Object(
        {
          refundId: Id,
          amount: Money,
          provider: text(200),
          byHand: Type.Boolean({
            description: 'Whether somebody has to pay it back, and to say so here',
          }),
        },
        strict,
      ),
    ),
  },
  strict,
)

/** Publishes open refunds. */
export function refundRoutes(server: FastifyInstance, context: ApiContext): void {
  listRoute(server, context, {
    tag,
    access: ['admin', 'auditor'],
    from: ['orderProcesses'],
    url: '/admin/refunds',
    summary: 'List orders with open refunds',
    operationId: 'listOpenRefunds',
    item: OpenRefunds,
    sort: newestFirst.kind,
    async read(_, part) {
      const { rows, next, total } = await listOpenMoney(context.db, part)
      const orderIds = rows.map(row => row.orderId)
      const orders = await openRefundsOf(context.app, orderIds)
      const since = new Map(rows.map(row => [row.orderId, row.since]))
      const data = orders.map(order => ({ ...order, since: since.get(order.orderId) ?? '' }))
      return { data, next, total }
    },
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/orders/:orderId/refunds/:refundId/confirm',
    command: confirmRefund,
    summary: 'Confirm that a refund was paid manually',
  })
}
