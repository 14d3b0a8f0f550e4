// Carts as their owners see them.
import { type Cart, type CartLine, cart, linesOf } from '../../domain/cart/cart.ts'
import { fold, type KeyedTable } from '../core/keyedTable.ts'
import { defineProjection, type ReadEvent } from '../core/projection.ts'

interface CartRow {
  cart_id: string
  customer_id: string | null
  lines: CartLine[]
  revision: number
  updated_at: string
}

const carts: KeyedTable<CartRow> = {
  name: 'carts',
  key: 'cart_id',
  columns: {
    cart_id: 'uuid',
    customer_id: 'uuid',
    lines: 'json',
    revision: 'bigint',
    updated_at: 'timestamptz',
  },
}

export const cartsProjection = defineProjection({
  name: 'carts',
  version: 2,
  tables: ['carts'],
  on: [
    'CartOpened',
    'ItemAddedToCart',
    'CartItemQuantityChanged',
    'ItemRemovedFromCart',
    'CartCleared',
    'CartCheckedOut',
    'CartMerged',
    'CartClosed',
  ],
  async plan(events, db) {
    const { writes } = await fold(db, carts, events, {
      keyOf: event => ('cartId' in event.data ? (event.data.cartId ?? undefined) : undefined),
      evolve(row, event) {
        if (!isCartEvent(event)) return row
        const state = cart.evolve(stateOf(row), event)
        if (state.status === 'closed') return undefined
        return {
          cart_id: event.data.cartId,
          customer_id: state.status === 'open' ? state.customerId : null,
          lines: [...linesOf(state)],
          revision: event.revision,
          updated_at: event.at,
        }
      },
    })
    return { writes }
  },
})

type OwnEvent = Parameters<typeof cart.evolve>[1]

function isCartEvent(event: ReadEvent): event is ReadEvent & OwnEvent {
  return event.type in cart.events
}

/** The read model and the decisions fold carts with the same code. */
function stateOf(row: CartRow | undefined): Cart {
  if (row === undefined) return { status: 'none' }
  return {
    status: 'open',
    customerId: row.customer_id,
    lines: row.lines,
    checkedOut: [],
    merged: [],
  }
}
