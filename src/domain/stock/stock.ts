// The stock of one product: a fold of movements, not a counter that is overwritten.
import { Map as ImmutableMap } from 'immutable'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { reject } from '../kernel/rejection.ts'
import { actorOfEvent, Id, Moment, Payload, Personal, Quantity, strict } from '../kernel/types.ts'

export const adjustmentReasons = [
  'received',
  'opening',
  'counted',
  'returned',
  'found',
  'damaged',
  'lost',
  'correction',
] as const
export const AdjustmentReason = Type.Enum([...adjustmentReasons])
const Pieces = Type.Integer({ minimum: 0, maximum: 10_000_000 })
const Delta = Type.Integer({ minimum: -10_000_000, maximum: 10_000_000 })
/** Free text by the member of staff who books it, encrypted with their key. */
const Note = Type.Optional(Personal({ minLength: 1, maxLength: 500 }))
const ofActor = { subject: actorOfEvent }
const reservation = { productId: Id, orderId: Id, quantity: Quantity }

// Names and payloads are the storage format: they are versioned, never renamed.
export const StockEvents = {
  StockAdjusted: Payload(
    { productId: Id, delta: Delta, reason: AdjustmentReason, note: Note },
    ofActor,
  ),
  /** A count: `delta` is how much it differs from the pieces that were on hand by the log. */
  StockCounted: Payload({ productId: Id, counted: Pieces, delta: Delta, note: Note }, ofActor),
  /** `deadline` is until when the order waits to be paid; older events have none. */
  StockReserved: Payload({ ...reservation, deadline: Type.Optional(Moment) }),
  /** Recorded, so that a repeat gets the same answer. */
  ReservationRefused: Payload({ ...reservation, available: Type.Integer({ minimum: 0 }) }),
  ReservationReleased: Payload(reservation),
  ReservationCommitted: Payload(reservation),
}
export type StockEvent = EventOf<typeof StockEvents>

export interface Stock {
  /** Pieces on hand, including reserved ones. */
  onHand: number
  /** Pieces that are reserved, by order. */
  reserved: ImmutableMap<string, number>
  reservedTotal: number
  /** When orders that hold pieces have to be paid, as far as their reservations say so. */
  deadlines: ImmutableMap<string, number>
  /**
   * The last orders whose reservation was refused, released or committed: a process that is late
   * must not reserve for one of them again. Bounded, since it is late by seconds.
   */
  settled: readonly string[]
}

const settledMax = 2_000

const PiecesEver = Type.Integer({ minimum: 0 })
const writtenStock = Compile(
  Type.Object(
    {
      onHand: Type.Integer(),
      reserved: Type.Array(Type.Tuple([Id, Quantity])),
      reservedTotal: PiecesEver,
      deadlines: Type.Array(Type.Tuple([Id, Moment])),
      settled: Type.Array(Id, { maxItems: settledMax }),
    },
    strict,
  ),
)

export const stock: Aggregate<Stock, StockEvent> = {
  category: 'stock',
  events: StockEvents,
  initial: {
    onHand: 0,
    reserved: ImmutableMap(),
    reservedTotal: 0,
    deadlines: ImmutableMap(),
    settled: [],
  },
  evolve(state, event) {
    switch (event.type) {
      case 'StockAdjusted':
      case 'StockCounted':
        return { ...state, onHand: state.onHand + event.data.delta }
      case 'StockReserved': {
        const { orderId, quantity, deadline } = event.data
        const { deadlines } = state
        return {
          ...state,
          deadlines: deadline === undefined ? deadlines : deadlines.set(orderId, deadline),
          reserved: state.reserved.set(orderId, quantity),
          reservedTotal: state.reservedTotal + quantity,
        }
      }
      case 'ReservationRefused':
        return { ...state, settled: withEnded(state, event.data.orderId) }
      case 'ReservationReleased':
        return close(state, event.data)
      case 'ReservationCommitted':
        return { ...close(state, event.data), onHand: state.onHand - event.data.quantity }
    }
  },
  snapshot: {
    version: 2,
    write: state => ({
      ...state,
      reserved: [...state.reserved],
      deadlines: [...state.deadlines],
    }),
    read(written) {
      if (!writtenStock.Check(written)) return undefined
      const { reserved, deadlines } = written
      return { ...written, reserved: ImmutableMap(reserved), deadlines: ImmutableMap(deadlines) }
    },
  },
}

function close(state: Stock, closed: { orderId: string; quantity: number }): Stock {
  const reserved = state.reserved.delete(closed.orderId)
  const reservedTotal = state.reservedTotal - closed.quantity
  const deadlines = state.deadlines.delete(closed.orderId)
  return { ...state, reserved, reservedTotal, deadlines, settled: withEnded(state, closed.orderId) }
}

function withEnded(state: Stock, orderId: string) {
  return [...state.settled.slice(1 - settledMax), orderId]
}

/** Pieces that are not reserved. */
export function available(state: Stock): number {
  return state.onHand - state.reservedTotal
}

export type Adjustment = Static<typeof StockEvents.StockAdjusted>

/** Books pieces in or out; never below what is reserved. May be repeated. */
export function adjust(state: Stock, input: Adjustment): Decision<StockEvent> {
  if (input.delta === 0) return []
  if (available(state) + input.delta < 0) {
    return reject(
      'stock/below-reserved',
      `Only ${available(state)} of ${state.onHand} pieces are free, the others are reserved.`,
      { onHand: state.onHand, reserved: state.reservedTotal, available: available(state) },
    )
  }
  return [{ type: 'StockAdjusted', data: input }]
}

export type Count = Omit<Static<typeof StockEvents.StockCounted>, 'delta'>

/** Sets the pieces on hand to what was counted; never below what is reserved. */
export function countPieces(state: Stock, input: Count): Decision<StockEvent> {
  const { onHand, reservedTotal: reserved } = state
  if (input.counted < reserved) {
    return reject(
      'stock/below-reserved',
      `${reserved} pieces are reserved for open orders: cancel some of these first.`,
      { onHand, reserved, available: available(state) },
    )
  }
  return [{ type: 'StockCounted', data: { ...input, delta: input.counted - onHand } }]
}

export type Reservation = Static<typeof StockEvents.StockReserved>

/**
 * Reserves pieces for an order, or records that there were too few. An order gets one answer: a
 * repeat adds nothing, and `isReserved` says which answer it was.
 */
export function reserve(state: Stock, input: Reservation): Decision<StockEvent> {
  if (state.settled.includes(input.orderId)) return []
  return reserveAgain(state, input)
}

/**
 * Reserves again for an order whose first reservation has ended, which `reserve` refuses. The
 * caller has to ask once only: with a command id that is the same for every repeat.
 */
export function reserveAgain(state: Stock, input: Reservation): Decision<StockEvent> {
  if (state.reserved.has(input.orderId)) return []
  const free = available(state)
  if (free < input.quantity) {
    const { deadline: _, ...refused } = input
    return [{ type: 'ReservationRefused', data: { ...refused, available: Math.max(0, free) } }]
  }
  return [{ type: 'StockReserved', data: input }]
}

/** Whether pieces are reserved for this order now. */
export function isReserved(state: Stock, orderId: string): boolean {
  return state.reserved.has(orderId)
}

/** Releases the pieces of an order, if it holds any. */
export function release(state: Stock, productId: string, orderId: string): Decision<StockEvent> {
  const quantity = state.reserved.get(orderId)
  if (quantity === undefined) return []
  return [{ type: 'ReservationReleased', data: { productId, orderId, quantity } }]
}

/** Commits the pieces of an order, which leave the stock, if it holds any. */
export function commit(state: Stock, productId: string, orderId: string): Decision<StockEvent> {
  const quantity = state.reserved.get(orderId)
  if (quantity === undefined) return []
  return [{ type: 'ReservationCommitted', data: { productId, orderId, quantity } }]
}
