// The stock ledger: every movement that explains how many pieces there are.
import type { Actor } from '../../domain/kernel/types.ts'
import { insertOf } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'

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

export const stockProjection = defineProjection({
  name: 'stock',
  version: 2,
  tables: ['stock_movements'],
  on: [
    'StockAdjusted',
    'StockCounted',
    'StockReserved',
    'ReservationReleased',
    'ReservationCommitted',
  ],
  onlyAdds: true,
  async plan(events) {
    return { writes: insertOf(movements, events.flatMap(movement)) }
  },
})

function movement(event: ReadEvent): MovementRow[] {
  const moved = movedBy(event)
  if (moved === undefined) return []
  const { type: kind, at } = event
  return [{ ...moved, position: String(event.position), kind, actor: nameOf(event.actor), at }]
}

type Moved = Omit<MovementRow, 'position' | 'kind' | 'actor' | 'at'>

function movedBy(event: ReadEvent): Moved | undefined {
  switch (event.type) {
    case 'StockAdjusted': {
      const { productId, delta, reason, note = null } = event.data
      const moved = { on_hand_delta: delta, reserved_delta: 0, reason, note }
      return { ...moved, product_id: productId, order_id: null }
    }
    case 'StockCounted': {
      const { productId, delta, note = null } = event.data
      const moved = { on_hand_delta: delta, reserved_delta: 0, reason: 'counted', note }
      return { ...moved, product_id: productId, order_id: null }
    }
    case 'StockReserved':
      return forOrder(event.data, 'reserved', { onHand: 0, reserved: 1 })
    case 'ReservationReleased':
      return forOrder(event.data, 'released', { onHand: 0, reserved: -1 })
    case 'ReservationCommitted':
      return forOrder(event.data, 'sold', { onHand: -1, reserved: -1 })
    default:
      return undefined
  }
}

function forOrder(
  { productId, orderId, quantity }: { productId: string; orderId: string; quantity: number },
  reason: string,
  by: { onHand: number; reserved: number },
): Moved {
  return {
    product_id: productId,
    on_hand_delta: by.onHand * quantity,
    reserved_delta: by.reserved * quantity,
    reason,
    note: null,
    order_id: orderId,
  }
}

/** Who did it, as ledgers name them. */
export function nameOf(actor: Actor): string {
  return actor.role === 'anonymous' ? actor.role : `${actor.role}:${actor.id}`
}
