// Everything that the shop knows about a person, as one JSON file.
import type { FastifyInstance, FastifyReply } from 'fastify'
import Type from 'typebox'
import { type AuditedEvent, showEvents } from '../../../audit/events.ts'
import { Id, roles, strict } from '../../../domain/kernel/types.ts'
import { type RecordedEvent, readStream } from '../../../ports/eventStore.ts'
import { findCart, findOrder } from '../../../projections/order/orderQueries.ts'
import { mailsTo, streamsOf } from '../../../projections/order/personOrders.ts'
import { signedIn } from '../../http/actor.ts'
import type { ApiContext } from '../../http/context.ts'
import { HttpProblem } from '../../http/problems.ts'
import { readRoute } from '../../http/readRoute.ts'
import { many, nullable, text, time } from '../../http/schemas.ts'
import { Event as EventShape } from '../audit/auditSchemas.ts'
import { Cart } from '../cart/cartSchemas.ts'
import { OrderDetail } from '../order/orderSchemas.ts'
import { Profile } from './accountSchemas.ts'
import { addressState, shownProfile } from './shownProfile.ts'

const PersonalData = Type.Object(
  {
    exportedAt: time,
    profile: Profile,
    orders: many(OrderDetail, 100_000),
    carts: many(Cart, 100_000),
    sessions: many(
      Type.Object(
        { device: nullable(text(200)), openedAt: time, lastUsedAt: time, expiresAt: time },
        strict,
      ),
    ),
    mails: many(
      Type.Object(
        {
          template: text(100),
          orderId: nullable(Id),
          state: text(20),
          queuedAt: time,
          sentAt: nullable(time),
        },
        strict,
      ),
      1_000_000,
    ),
    events: many(EventShape, 1_000_000),
  },
  strict,
)

const shared = { from: ['orders', 'carts'] as const, answer: PersonalData }

/** Publishes the export of one's own data, and to admins that of others who have asked for it. */
export function exportRoutes(server: FastifyInstance, context: ApiContext): void {
  readRoute(server, context, {
    ...shared,
    tag: 'Accounts',
    url: '/auth/export',
    access: roles,
    summary: 'Export your personal data as one file',
    operationId: 'exportPersonalData',
    handle: (request, reply) => personalData(context, signedIn(request), reply),
  })
  readRoute(server, context, {
    ...shared,
    tag: 'Admin',
    url: '/admin/users/:customerId/export',
    access: ['admin'],
    params: Type.Object({ customerId: Id }, strict),
    summary: 'Export the personal data of a person who has asked for it',
    operationId: 'exportPersonalDataOf',
    async handle(request, reply) {
      const { customerId } = request.params
      const data = await personalData(context, customerId, reply)
      request.log.info({ event: 'person-exported', customerId }, 'personal data exported')
      return data
    },
  })
}

async function personalData(context: ApiContext, customerId: string, reply: FastifyReply) {
  const { state } = await context.app.customers.load(customerId)
  if (state.status !== 'registered') {
    throw new HttpProblem('customer/not-found', 'No such customer.')
  }
  reply.header('content-disposition', 'attachment; filename="personal-data.json"')
  return {
    exportedAt: context.app.clock.now().toISOString(),
    profile: shownProfile(state, await addressState(context, customerId)),
    ...(await belongings(context, customerId)),
  }
}

async function belongings(context: ApiContext, customerId: string) {
  const { db, config, accounts } = context
  const streams = await streamsOf(db, customerId)
  const [orders, carts, sessions, mails, events] = await Promise.all([
    Promise.all(streams.orders.map(id => findOrder(db, id))),
    Promise.all(streams.carts.map(id => findCart(db, id, config.currency))),
    accounts.sessions.list(customerId),
    mailsTo(db, customerId),
    eventsOf(context, [
      `customer-${customerId}`,
      ...streams.orders.map(id => `order-${id}`),
      ...streams.carts.map(id => `cart-${id}`),
    ]),
  ])
  return {
    orders: orders.flatMap(each => (each === undefined ? [] : [each.order])),
    carts: carts.map(({ cart }) => cart),
    sessions: sessions.map(({ device, openedAt, lastUsedAt, expiresAt }) => ({
      device,
      openedAt: openedAt.toISOString(),
      lastUsedAt: lastUsedAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
    })),
    mails: mails.map(({ queuedAt, sentAt, ...mail }) => ({
      ...mail,
      queuedAt: queuedAt.toISOString(),
      sentAt: sentAt?.toISOString() ?? null,
    })),
    events,
  }
}

/** The events of some streams in the order of the log. */
async function eventsOf(
  { eventStore, codec }: ApiContext,
  streams: readonly string[],
): Promise<AuditedEvent[]> {
  const read = await Promise.all(
    streams.map(async stream => {
      const found: RecordedEvent[] = []
      for await (const event of readStream(eventStore, stream)) found.push(event)
      return found
    }),
  )
  const all = read.flat().sort((a, b) => (a.position < b.position ? -1 : 1))
  return showEvents(codec, all)
}
