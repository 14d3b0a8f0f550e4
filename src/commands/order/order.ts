// Commands on an order that has been placed.
import Type, { type Static } from 'typebox'
import type { Decision } from '../../domain/kernel/aggregate.ts'
import { isRejection, type Rejection, reject } from '../../domain/kernel/rejection.ts'
import { CountryCode, line, multiline } from '../../domain/kernel/text.ts'
import { type Actor, Id, strict } from '../../domain/kernel/types.ts'
import { isFree, type Order, type OrderEvent, type PlacedOrder } from '../../domain/order/order.ts'
import {
  archive,
  cancel,
  capture,
  changeDelivery,
  deliver,
  requestPayment,
  ship,
} from '../../domain/order/orderDecisions.ts'
import { allowedTransitions, type OrderStatus } from '../../domain/order/orderStates.ts'
import {
  isManual,
  type OfferedMethods,
  refuseNotOffered,
} from '../../domain/order/paymentMethods.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import {
  type Accepted,
  type Answer,
  accepted,
  actorId,
  type Command,
  hasRole,
} from '../core/command.ts'
import { derivedId } from '../core/ids.ts'
import { refuseClosed } from '../core/openAccount.ts'
import { expireIfDue, type Progress, runOrderProcess } from './orderProcess.ts'
import { cancelPendingPayment } from './orderSteps.ts'

function isOwner(actor: Actor, order: Order) {
  return order.status !== 'none' && order.customerId === actorId(actor)
}

export type Allowed = (actor: Actor, order: Order) => boolean
const ownerOnly: Allowed = (actor, order) => actor.role === 'system' || isOwner(actor, order)
const ownerOrSupport: Allowed = (actor, order) =>
  isOwner(actor, order) || hasRole(actor, 'admin', 'support')
const ownerOrAdmin: Allowed = (actor, order) => isOwner(actor, order) || hasRole(actor, 'admin')
const staffOnly: Allowed = actor => hasRole(actor, 'admin', 'support', 'warehouse')
const ownerOrStaff: Allowed = (actor, order) => isOwner(actor, order) || staffOnly(actor, order)

interface Change {
  orderId: string
  allowed: Allowed
  decide(state: Order): Decision<OrderEvent>
  /** Answers by what the process has made of the order; as accepted where it is left out. */
  answer?(accepted: Accepted, order: PlacedOrder): Answer
}

/** The orders of these ids that exist; what is not cached is read in one round trip. */
export async function loadOrders(app: App, orderIds: readonly string[]): Promise<PlacedOrder[]> {
  const loaded = await Promise.all(orderIds.map(orderId => app.orders.load(orderId)))
  return loaded.flatMap(({ state }) => (state.status === 'none' ? [] : [state]))
}

/** Decides on an order and runs its process. The order is loaded once. */
export async function changeOrder(app: App, envelope: Envelope, change: Change): Promise<Answer> {
  const { orderId, allowed, decide, answer = (accepted: Accepted) => accepted } = change
  // Expiry is exact, whenever the sweep runs: nothing is decided on an order that is overdue.
  const [closed] = await Promise.all([
    refuseClosed(app, envelope),
    expireIfDue(app, orderId, envelope),
  ])
  if (closed !== undefined) return closed
  const outcome = await app.orders.decide(orderId, envelope, state =>
    allowed(envelope.actor, state)
      ? decide(state)
      : reject('order/not-found', 'There is no such order.'),
  )
  if (isRejection(outcome)) return outcome
  const progress = await runOrderProcess(app, orderId, envelope, outcome)
  if (progress === undefined) return accepted(orderId, outcome)
  const { order, revision, position } = progress
  const done = { revision, position, replayed: outcome.replayed }
  return answer(accepted(orderId, done, summary(progress)), order)
}

function summary({ order, payment }: Progress): Accepted['result'] {
  const { orderId, orderNumber, status, total } = order
  const isOpen = payment?.status === 'requires_action' || payment?.status === 'processing'
  return { orderId, orderNumber, status, total, ...(isOpen ? { payment } : {}) }
}

const PayOrder = Type.Object({ orderId: Id, paymentMethod: Type.Optional(line(40)) }, strict)

/** Requests the payment, asks the provider for it, and records the provider's answer. */
export const payOrder: Command<typeof PayOrder> = {
  name: 'PayOrder',
  roles: ['customer'],
  input: PayOrder,
  async run(app, { orderId, paymentMethod }, envelope) {
    const paymentId = derivedId(envelope.commandId, 'payment')
    const request: Change = {
      orderId,
      allowed: ownerOnly,
      decide: state => {
        const method = paymentMethod ?? (state.status === 'none' ? '' : state.paymentMethod)
        const refused = refuseMethod(app.paymentMethods, method, paymentMethod)
        if (refused !== undefined) return refused
        const payment = { paymentId, provider: app.payments.name, method }
        return requestPayment(state, payment, envelope.at.getTime())
      },
      answer: (answer, order) => refuseUnpaid(order) ?? answer,
    }
    const answer = await changeOrder(app, envelope, request)
    // Another payment is open. Checked after the decision: a retry of this request has its own.
    const isBlocked = isRejection(answer) && answer.rejected === 'order/payment-in-progress'
    if (!isBlocked) return answer
    const { state: order } = await app.orders.load(orderId)
    if (order.status === 'none') return answer
    const isCancelled = await cancelPendingPayment({ app, order, cause: envelope })
    return isCancelled ? changeOrder(app, envelope, request) : answer
  },
}

/** Refuses methods that are not offered, and those whose payments the staff records. */
function refuseMethod(offered: OfferedMethods, method: string, chosen: string | undefined) {
  // The method of an order may have been offered when it was placed, and not be any more.
  const isOfOrder = chosen === undefined && isManual(method)
  const refused = isOfOrder ? undefined : refuseNotOffered(offered, method)
  if (refused !== undefined || !isManual(method)) return refused
  const detail = `An order that is paid by ${method} is recorded as paid by the staff.`
  return reject('order/manual-payment', detail, { offered })
}

function refuseUnpaid(order: PlacedOrder): Rejection | undefined {
  const { status, captured, openPayment } = order
  if (captured > 0 || isFree(order) || openPayment !== null) return undefined
  if (status === 'expired') {
    return reject('order/expired', 'The payment came too late, and has been cancelled.')
  }
  return reject('order/payment-declined', 'The payment was declined; the order is still open.')
}

const CancelOrder = Type.Object({ orderId: Id, reason: Type.Optional(multiline(500)) }, strict)

/** Ends an order that is not shipped yet: its stock comes back, and what was paid is paid back. */
export const cancelOrder: Command<typeof CancelOrder> = {
  name: 'CancelOrder',
  roles: ['customer', 'support', 'admin'],
  input: CancelOrder,
  run: (app, { orderId, reason }, envelope) =>
    changeOrder(app, envelope, {
      orderId,
      allowed: ownerOrSupport,
      decide: state => cancel(state, reason ?? 'Cancelled on request.'),
    }),
}

const ArchiveOrder = Type.Object({ orderId: Id }, strict)

/** Takes a finished order out of the lists. */
export const archiveOrder: Command<typeof ArchiveOrder> = {
  name: 'ArchiveOrder',
  roles: ['customer', 'admin'],
  input: ArchiveOrder,
  run: (app, { orderId }, envelope) =>
    changeOrder(app, envelope, { orderId, allowed: ownerOrAdmin, decide: archive }),
}

const ChangeDelivery = Type.Object(
  {
    orderId: Id,
    shippingAddress: Type.Optional(multiline(1_000)),
    phoneNumber: Type.Optional(line(40)),
    country: Type.Optional(CountryCode),
    reason: Type.Optional(multiline(500)),
  },
  strict,
)

/** Changes where an order goes, until it is shipped; the staff says why. */
export const changeOrderDelivery: Command<typeof ChangeDelivery> = {
  name: 'ChangeDelivery',
  roles: ['customer', 'support', 'warehouse', 'admin'],
  input: ChangeDelivery,
  run: (app, { orderId, shippingAddress, phoneNumber, country, reason }, envelope) =>
    changeOrder(app, envelope, {
      orderId,
      allowed: ownerOrStaff,
      decide(state) {
        if (reason === undefined && !ownerOnly(envelope.actor, state)) {
          return reject('order/reason-required', 'Say why the delivery is changed.', {
            errors: [{ pointer: '/reason', detail: 'Needed for the order of somebody else.' }],
          })
        }
        const before = state.status === 'none' ? null : state.delivery
        const delivery = {
          shippingAddress: shippingAddress ?? before?.shippingAddress ?? '',
          phoneNumber: phoneNumber ?? before?.phoneNumber ?? '',
        }
        return changeDelivery(state, delivery, { country, reason })
      },
    }),
}

const UpdateOrderStatus = Type.Object(
  {
    orderId: Id,
    status: Type.Enum(['paid', 'shipped', 'delivered', 'cancelled']),
    reason: Type.Optional(
      multiline(500, { description: 'Why it is cancelled; only with that status' }),
    ),
    tracking: Type.Optional(
      line(200, { description: 'By which the goods are followed; only with the status shipped' }),
    ),
    acceptDispute: Type.Optional(
      Type.Boolean({
        description: 'Ships an order although its payment is disputed or was lost in a dispute',
      }),
    ),
  },
  strict,
)

/** Fields that belong to one status alone. */
const onlyWith = { reason: 'cancelled', tracking: 'shipped', acceptDispute: 'shipped' } as const

/** Refuses fields that mean nothing for the step: to drop them would say that they were heard. */
function refuseMisplaced(input: Static<typeof UpdateOrderStatus>): Rejection | undefined {
  const errors = Object.entries(onlyWith)
    .filter(([name, status]) => Object.hasOwn(input, name) && input.status !== status)
    .map(([name, status]) => ({ pointer: `/${name}`, detail: `only with the status ${status}` }))
  if (errors.length === 0) return undefined
  return reject('command/invalid', 'Some fields do not belong to this status.', { errors })
}

/** Moves an order along the transition table, for staff. */
export const updateOrderStatus: Command<typeof UpdateOrderStatus> = {
  name: 'UpdateOrderStatus',
  roles: ['admin', 'support', 'warehouse'],
  input: UpdateOrderStatus,
  run: (app, input, envelope) =>
    changeOrder(app, envelope, {
      orderId: input.orderId,
      allowed: staffOnly,
      decide(state) {
        const refusal = refuseMisplaced(input) ?? refuseStep(envelope.actor, state, input.status)
        if (refusal !== undefined) return refusal
        const paymentId = derivedId(envelope.commandId, 'payment')
        switch (input.status) {
          case 'paid':
            return capture(state, { paymentId, provider: 'manual', reference: input.orderId })
          case 'shipped':
            return ship(state, input.tracking, input.acceptDispute)
          case 'delivered':
            return deliver(state)
          case 'cancelled':
            return cancel(state, input.reason ?? 'Cancelled by the shop.')
        }
      },
    }),
}

/** A step that the table knows, but not for this role, is forbidden rather than impossible. */
function refuseStep(actor: Actor, state: Order, to: OrderStatus): Rejection | undefined {
  if (actor.role === 'system' || actor.role === 'anonymous' || state.status === 'none') {
    return undefined
  }
  if (!allowedTransitions(state.status).includes(to)) return undefined
  // Everybody on the staff is a customer, too, but not of this order.
  const staffRoles = actor.roles.filter(role => role !== 'customer')
  const own = staffRoles.flatMap(role => allowedTransitions(state.status, role))
  if (own.includes(to)) return undefined
  return reject('command/forbidden', `Your roles may not make this order ${to}.`, {
    allowedTransitions: [...new Set(own)],
  })
}
