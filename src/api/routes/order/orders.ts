// Orders over HTTP.
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { readHistory } from '../../../audit/history.ts'
import { actorId } from '../../../commands/core/command.ts'
import {
  archiveOrder,
  cancelOrder,
  changeOrderDelivery,
  payOrder,
  updateOrderStatus,
} from '../../../commands/order/order.ts'
import { placeOrder } from '../../../commands/order/placeOrder.ts'
import { refundOrder } from '../../../commands/order/refundOrder.ts'
import { line } from '../../../domain/kernel/text.ts'
import { type Actor, Id, roles, strict } from '../../../domain/kernel/types.ts'
import { newestFirst } from '../../../projections/core/keyset.ts'
import { disputesOf } from '../../../projections/order/disputeQueries.ts'
import { findOrder, listOrders, peopleOf } from '../../../projections/order/orderQueries.ts'
import { isStaff } from '../../http/actor.ts'
import { isUnchanged } from '../../http/caching.ts'
import { commandRoute } from '../../http/commandRoute.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { listRoute, readRoute } from '../../http/readRoute.ts'
import { PageQuery, Status, time } from '../../http/schemas.ts'
import { OrderDetail, OrderHistory, OrderSummary } from './orderSchemas.ts'

const tag = 'Orders'
const OrderQuery = Type.Object(
  {
    ...PageQuery,
    status: Type.Optional(Status),
    from: Type.Optional(time),
    to: Type.Optional(time),
    customerId: Type.Optional(Id),
    search: Type.Optional(
      line(200, {
        description:
          'Number, SKU, address, phone or tracking number; for the staff also customer or e-mail',
      }),
    ),
  },
  strict,
)
const params = Type.Object({ orderId: Id }, strict)

/** Publishes orders. */
export function orderRoutes(server: FastifyInstance, context: ApiContext): void {
  orderReads(server, context)
  for (const [url, operationId] of [
    ['/orders', 'PlaceOrder'],
    ['/orders/checkout', 'CheckOut'],
  ] as const) {
    commandRoute(server, context, {
      tag,
      method: 'POST',
      url,
      operationId,
      command: placeOrder,
      description:
        'A price that has risen since the item was added is refused with 409 unless ' +
        '`acceptPrices` is true. Stock is reserved until the order is paid, cancelled or ' +
        'expires.',
      summary: 'Place an order for the cart, or for the given items',
      status: 201,
      location: id => `/api/orders/${id}`,
      requireKey: true,
    })
  }
  changes(server, context)
  staffChanges(server, context)
}

function changes(server: FastifyInstance, context: ApiContext): void {
  commandRoute(server, context, {
    tag,
    method: 'PATCH',
    url: '/orders/:orderId',
    command: changeOrderDelivery,
    changes: true,
    summary:
      'Change the delivery details of an order that is not shipped; staff must give a reason',
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/orders/:orderId/pay',
    command: payOrder,
    description: 'If the payment needs an action of the customer, the response contains `payment`.',
    summary: 'Pay a pending order',
    requireKey: true,
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/orders/:orderId/cancel',
    command: cancelOrder,
    description: 'Customers can cancel until it is shipped; payments are refunded.',
    summary: 'Cancel an order that is not shipped; stock is released and payments are refunded',
  })
}

function staffChanges(server: FastifyInstance, context: ApiContext): void {
  commandRoute(server, context, {
    tag,
    method: 'PATCH',
    url: '/orders/:orderId/status',
    command: updateOrderStatus,
    description:
      '`allowedTransitions` of the order lists the possible steps: others answer 409, as ' +
      'does shipping an order whose payment is disputed without `acceptDispute`.',
    summary: 'Change the status of an order',
  })
  commandRoute(server, context, {
    tag,
    method: 'POST',
    url: '/orders/:orderId/refunds',
    command: refundOrder,
    description:
      'Without `amount` the remainder is refunded, never more than was captured. Answers ' +
      '409 if the provider declines at once; `refund.byHand` says that it has to be paid ' +
      'manually.',
    summary: 'Refund a part of an order, or the remaining amount',
    status: 201,
    requireKey: true,
  })
  commandRoute(server, context, {
    tag,
    method: 'DELETE',
    url: '/orders/:orderId',
    command: archiveOrder,
    summary: 'Archive a finished order; it stays in the log',
  })
}

function orderReads(server: FastifyInstance, context: ApiContext): void {
  const shared = { tag, access: roles, from: ['orders'] }
  listRoute(server, context, {
    ...shared,
    url: '/orders',
    summary: 'List your orders; staff see all orders',
    operationId: 'listOrders',
    query: OrderQuery,
    item: OrderSummary,
    sort: newestFirst.kind,
    async read({ query, actor }, part) {
      const { status, from, to, search } = query
      const byCustomer = isStaff(actor)
      const customerId = byCustomer ? query.customerId : actorId(actor)
      const filter = { customerId, status, from, to, search, byCustomer }
      const found = await listOrders(context.db, filter, part)
      return { ...found, data: await withPeople(context, actor, found.data) }
    },
  })
  readRoute(server, context, {
    ...shared,
    url: '/orders/:orderId',
    summary: 'Get an order with its lines and timeline',
    operationId: 'getOrder',
    params,
    answer: OrderDetail,
    async handle(request, reply) {
      const { revision, order } = await ownOrder(context, request.actor, request.params.orderId)
      if (isUnchanged(request, reply, revision)) return reply.status(304).send()
      const [[shown], disputes] = await Promise.all([
        withPeople(context, request.actor, [order]),
        isStaff(request.actor) ? disputesOf(context.db, order.id) : undefined,
      ])
      return disputes === undefined ? shown : { ...shown, disputes }
    },
  })
  readRoute(server, context, {
    ...shared,
    url: '/orders/:orderId/history',
    summary: 'Get the history of an order in plain words',
    operationId: 'getOrderHistory',
    params,
    answer: OrderHistory,
    async handle(request) {
      const { orderId } = request.params
      await ownOrder(context, request.actor, orderId)
      const { eventStore, codec } = context
      return { data: await readHistory(eventStore, codec, `order-${orderId}`) }
    },
  })
}

/** The staff sees people instead of ids; customers know who they are. */
async function withPeople<Shown extends { id: string }>(
  { db }: ApiContext,
  actor: Actor,
  orders: Shown[],
): Promise<Shown[]> {
  if (!isStaff(actor)) return orders
  const ids = orders.map(({ id }) => id)
  const people = await peopleOf(db, ids)
  return orders.map(order => ({ ...order, ...people.get(order.id) }))
}

/** An order that whoever asks may see; somebody else's is not found, like one that is missing. */
async function ownOrder({ db }: ApiContext, actor: Actor, orderId: string) {
  const found = await findOrder(db, orderId)
  const isOwn = found?.order.customerId === actorId(actor) && found?.archived === false
  const mayRead = isStaff(actor) || isOwn
  if (found === undefined || !mayRead) {
    throw new HttpProblem('order/not-found', 'The order does not exist.')
  }
  return found
}
