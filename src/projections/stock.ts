// The stock ledger: every movement that explains how many pieces there are.
import type { Actor } from '../domain/types.ts'
import { insertOf } from './keyedTable.ts'
import { planned, type ReadEvent } from './projection.ts'

interface MovementRow {
  position: string
  product_id: string
  kind: string
  on_hand_delta: number
  reserved_delta: number
  reason: string
  note: string | null
  order_id: string | null
  actor: string
  at: string
}

const movements = {
  name: 'stock_movements',
  columns: {
    position: 'bigint',
    product_id: 'uuid',
    kind: 'text',
    on_hand_delta: 'bigint',
    reserved_delta: 'bigint',
    reason: 'text',
    note: 'text',
    order_id: 'uuid',
    actor: 'text',
    at: 'timestamptz',
  },
}

export const stockProjection = planned({
  name: 'stock',
  version: 1,
  tables: ['stock_movements'],
  on: ['StockAdjusted', 'StockReserved', 'ReservationReleased', 'ReservationCommitted'],
  async plan(events) {
    return { writes: insertOf(movements, events.flatMap(movement)), committed: () => ({}) }
  },
})

function movement(event: ReadEvent): MovementRow[] {
  const moved = movedBy(event)
  if (moved === undefined) return []
  const row: MovementRow = {
    position: String(event.position),
    product_id: moved.productId,
    kind: event.type,
    on_hand_delta: moved.onHand,
    reserved_delta: moved.reserved,
    reason: moved.reason,
    note: moved.note,
    order_id: moved.orderId,
    actor: nameOf(event.actor),
    at: event.at,
  }
  return [row]
}

interface Moved {
  productId: string
  orderId: string | null
  onHand: number
  reserved: number
  reason: string
  note: string | null
}

function movedBy(event: ReadEvent): Moved | undefined {
  switch (event.type) {
    case 'StockAdjusted': {
      const { productId, delta, reason, note = null } = event.data
      return { productId, orderId: null, onHand: delta, reserved: 0, reason, note }
    }
    case 'StockReserved': {
      const { productId, orderId, quantity } = event.data
      return { productId, orderId, onHand: 0, reserved: quantity, reason: 'reserved', note: null }
    }
    case 'ReservationReleased': {
      const { productId, orderId, quantity } = event.data
      return { productId, orderId, onHand: 0, reserved: -quantity, reason: 'released', note: null }
    }
    case 'ReservationCommitted': {
      const { productId, orderId, quantity } = event.data
      const gone = { onHand: -quantity, reserved: -quantity }
      return { productId, orderId, ...gone, reason: 'sold', note: null }
    }
    default:
      return undefined
  }
}

/** Who did it, as ledgers name them. */
export function nameOf(actor: Actor): string {
  return actor.role === 'anonymous' ? actor.role : `${actor.role}:${actor.id}`
}
