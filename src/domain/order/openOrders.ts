// The unpaid orders of a customer: a stream of claims, so that limits hold across processes.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, Payload } from '../kernel/types.ts'

// Names and payloads are the storage format: they are versioned, never renamed.
export const OpenOrderEvents = {
  /** `ended` are claims of orders that are unpaid no more, found when the bounds were reached. */
  UnpaidOrderClaimed: Payload({
    customerId: Id,
    orderId: Id,
    pieces: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    ended: Type.Array(Id, { maxItems: 100_000 }),
  }),
}
export type OpenOrderEvent = EventOf<typeof OpenOrderEvents>
export type UnpaidClaim = Omit<Static<typeof OpenOrderEvents.UnpaidOrderClaimed>, 'ended'>

/** Pieces by order, of orders that were not paid when they were last loaded. */
export type OpenOrders = ReadonlyMap<string, number>

const none: OpenOrders = new Map()

export const openOrders: Aggregate<OpenOrders, OpenOrderEvent> = {
  category: 'openOrders',
  events: OpenOrderEvents,
  initial: none,
  evolve(state, { data }) {
    const next = new Map(state)
    for (const orderId of data.ended) next.delete(orderId)
    return next.set(data.orderId, data.pieces)
  },
}

/** Bounds of what one customer can hold without paying; 0 is no bound. */
export interface UnpaidBounds {
  orders: number
  pieces: number
}

/** Claims one more unpaid order, unless that would be too many; `ended` are claims to drop. */
export function claimUnpaid(
  state: OpenOrders,
  { ended, ...claim }: UnpaidClaim & { ended: readonly string[] },
  bounds: UnpaidBounds,
): Decision<OpenOrderEvent> {
  if (state.has(claim.orderId)) return []
  const dropped = ended.filter(orderId => state.has(orderId))
  const left = [...state].filter(([orderId]) => !dropped.includes(orderId))
  const held = left.reduce((sum, [, pieces]) => sum + pieces, 0)
  const { orders, pieces } = bounds
  if (orders > 0 && left.length >= orders) {
    return tooMany(`You have ${left.length} unpaid orders, and ${orders} is the most.`, bounds)
  }
  if (pieces > 0 && held + claim.pieces > pieces) {
    const sum = held + claim.pieces
    const detail = `Your unpaid orders would hold ${sum} pieces, and ${pieces} is the most.`
    return tooMany(detail, bounds)
  }
  return [{ type: 'UnpaidOrderClaimed', data: { ...claim, ended: dropped } }]
}

function tooMany(detail: string, { orders, pieces }: UnpaidBounds) {
  const limits = { orders: orders || null, pieces: pieces || null }
  return reject('order/too-many-unpaid', `${detail} Pay or cancel one first.`, { limits })
}
