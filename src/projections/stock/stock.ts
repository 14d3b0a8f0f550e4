// The stock ledger: every movement that explains how many pieces there are.
import type { Actor } from '../../domain/kernel/types.ts'
import { StockEvents } from '../../domain/stock/stock.ts'
import type { ReadEvent } from '../core/events.ts'
import { defineProjection } from '../core/projection.ts'
import { appendedModel } from '../core/readModel.ts'
import {
  bigint,
  nullable,
  position,
  type RowOf,
  type SelectedOf,
  text,
  textOf,
  time,
  uuid,
} from '../core/table.ts'

const movements = {
  name: 'stock_movements',
  person: 'actor',
  columns: {
    position,
    product_id: uuid,
    kind: text,
    on_hand_delta: bigint,
    reserved_delta: bigint,
    reason: text,
    note: nullable(textOf(StockEvents.StockAdjusted.properties.note)),
    order_id: nullable(uuid),
    actor: text,
    at: time,
  },
} as const
type Movement = RowOf<typeof movements>

declare module '../core/tables.ts' {
  interface Tables {
    stock_movements: SelectedOf<typeof movements>
  }
}

interface Reservation {
  productId: string
  orderId: string
  quantity: number
}

const model = appendedModel(movements, {
  StockAdjusted: event => counted(event, event.data.reason),
  StockCounted: event => counted(event, 'counted'),
  StockReserved: event => forOrder(event, 'reserved', { onHand: 0, reserved: 1 }),
  ReservationReleased: event => forOrder(event, 'released', { onHand: 0, reserved: -1 }),
  ReservationCommitted: event => forOrder(event, 'sold', { onHand: -1, reserved: -1 }),
})

export const stockProjection = defineProjection({ name: 'stock', version: 2, models: [model] })

function counted(
  event: ReadEvent & { data: { productId: string; delta: number; note?: string } },
  reason: string,
): Movement {
  const { productId, delta, note = null } = event.data
  const moved = { on_hand_delta: delta, reserved_delta: 0, reason, note, order_id: null }
  return { ...commonOf(event), ...moved, product_id: productId }
}

function forOrder(
  event: ReadEvent & { data: Reservation },
  reason: string,
  by: { onHand: number; reserved: number },
): Movement {
  const { productId, orderId, quantity } = event.data
  return {
    ...commonOf(event),
    product_id: productId,
    on_hand_delta: by.onHand * quantity,
    reserved_delta: by.reserved * quantity,
    reason,
    note: null,
    order_id: orderId,
  }
}

function commonOf({ position, type: kind, actor, at }: ReadEvent) {
  return { position: String(position), kind, actor: nameOf(actor), at }
}

/** An actor as ledgers name them. */
export function nameOf(actor: Actor): string {
  return actor.role === 'anonymous' ? actor.role : `${actor.role}:${actor.id}`
}
