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
  const base = {
    position: String(event.position),
    kind: event.type,
    actor: nameOf(event.actor),
    at: event.at,
  }
  if (event.type === 'StockAdjusted') {
    const { productId, delta, reason, note } = event.data
    const adjusted = { on_hand_delta: delta, reserved_delta: 0, reason, note: note ?? null }
    return [{ ...base, ...adjusted, product_id: productId, order_id: null }]
  }
  const deltas = deltasOf(event)
  if (deltas === undefined) return []
  const { productId, orderId, ...rest } = deltas
  return [{ ...base, ...rest, product_id: productId, order_id: orderId, note: null }]
}

function deltasOf(event: ReadEvent) {
  switch (event.type) {
    case 'StockReserved': {
      const { quantity, ...ids } = event.data
      return { ...ids, on_hand_delta: 0, reserved_delta: quantity, reason: 'reserved' }
    }
    case 'ReservationReleased': {
      const { quantity, ...ids } = event.data
      return { ...ids, on_hand_delta: 0, reserved_delta: -quantity, reason: 'released' }
    }
    case 'ReservationCommitted': {
      const { quantity, ...ids } = event.data
      return { ...ids, on_hand_delta: -quantity, reserved_delta: -quantity, reason: 'sold' }
    }
    default:
      return undefined
  }
}

/** Who did it, as ledgers name them. */
export function nameOf(actor: Actor): string {
  return actor.role === 'anonymous' ? actor.role : `${actor.role}:${actor.id}`
}
