// One step of an order's process: whose it is, and ids that are the same whoever takes it.

import { isRejection } from '../../domain/kernel/rejection.ts'
import type { PlacedOrder } from '../../domain/order/order.ts'
import type { Position } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { derivedId } from '../core/ids.ts'
import type { Outcome } from '../core/plan.ts'

export interface Step {
  app: App
  order: PlacedOrder
  cause: Envelope
}

/** Ids of steps follow from the order, not from who drives it, so two drivers write one event. */
export function stepOf({ order, cause }: Step, name: string): Envelope {
  const { correlationId, commandId, actor, at, source } = cause
  const envelope: Envelope = {
    commandId: derivedId(order.orderId, name),
    correlationId,
    causationId: commandId,
    actor,
    at,
  }
  if (source !== undefined) envelope.source = source
  return envelope
}

/** Where in the log steps have ended; refused ones have written nothing. */
export function positionsOf<State>(outcomes: readonly Outcome<State>[]): Position[] {
  return outcomes.flatMap(outcome => (isRejection(outcome) ? [] : [outcome.position]))
}
