// Runs the order process: the steps that an order's state calls for, until none is left.
import { isRejection } from '../../domain/kernel/rejection.ts'
import { isDue, type Order, type PlacedOrder } from '../../domain/order/order.ts'
import { nextSteps } from '../../domain/order/orderProcess.ts'
import { latest, type Position } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { ChargeAnswer } from '../../ports/payments.ts'
import type { App } from '../core/app.ts'
import { isUnreadable, type Unreadable, unlessUnreadable } from '../core/brokenStream.ts'
import type { Done } from '../core/plan.ts'
import { runStep } from './orderSteps.ts'

/** Where the process has brought an order. */
export interface Progress {
  order: PlacedOrder
  revision: number
  /** The last position that the process has written. */
  position: Position
  /** The provider's last answer about a payment. */
  payment: ChargeAnswer | undefined
  /** Why a step waits: a stream that it needs cannot be read. The other steps have run. */
  blockedBy: Unreadable | undefined
}

/** An order at a revision of its stream; the answer to a replayed command may be older. */
export type LoadedOrder = Omit<Done<Order>, 'replayed'> & { replayed?: boolean }

/**
 * Runs the steps that an order's state calls for, each at most once, until none is left; undefined
 * where there is no such order. Every step has an id of its own and is recorded once, so several
 * processes may run it at the same time: the request that has placed the order, and the workers.
 * Starts from `loaded`, or from what the log has. A step whose provider does not answer stays open,
 * and so does one that needs a stream that cannot be read. Throws Unavailable.
 */
export async function runOrderProcess(
  app: App,
  orderId: string,
  cause: Envelope,
  loaded?: LoadedOrder,
): Promise<Progress | undefined> {
  const now = cause.at.getTime()
  const asked = new Set<string>()
  const isCurrent = loaded !== undefined && loaded.replayed !== true
  let current: LoadedOrder = isCurrent ? loaded : await app.orders.load(orderId)
  let { position } = current
  let payment: ChargeAnswer | undefined
  let blockedBy: Unreadable | undefined
  for (;;) {
    const { state: order, revision } = current
    if (order.status === 'none') return undefined
    const step = nextSteps(order, now).find(({ id }) => !asked.has(id))
    if (step === undefined) return { order, revision, position, payment, blockedBy }
    asked.add(step.id)
    const result = await unlessUnreadable(runStep({ app, order, cause }, step))
    if (isUnreadable(result)) {
      blockedBy = result
      continue
    }
    const { outcome, positions = [] } = result
    if (outcome !== undefined && !isRejection(outcome)) current = outcome
    position = latest(position, current.position, ...positions)
    payment = result.payment ?? payment
  }
}

/** Expires an order that was not paid in time, and leaves any other order alone. */
export async function expireIfDue(app: App, orderId: string, cause: Envelope): Promise<void> {
  const loaded = await app.orders.load(orderId)
  if (!isDue(loaded.state, cause.at.getTime())) return
  const { commandId, correlationId, causationId, at } = cause
  const actor = { role: 'system', id: 'order-expiry' } as const
  await runOrderProcess(app, orderId, { commandId, correlationId, causationId, actor, at }, loaded)
}
