// Carts as their owners see them.
import Type from 'typebox'
import { type Cart, CartLine, cart, linesOf } from '../../domain/cart/cart.ts'
import { defineProjection } from '../core/projection.ts'
import { aggregateModel } from '../core/readModel.ts'
import { bigint, json, nullable, type SelectedOf, time, uuid } from '../core/table.ts'

const carts = {
  name: 'carts',
  key: 'cart_id',
  columns: {
    cart_id: uuid,
    customer_id: nullable(uuid),
    lines: json(Type.Array(CartLine)),
    revision: bigint,
    updated_at: time,
  },
} as const

declare module '../core/tables.ts' {
  interface Tables {
    carts: SelectedOf<typeof carts>
  }
}

const model = aggregateModel(carts, cart, {
  keyOf: event => event.data.cartId,
  stateOf: ({ customer_id: customerId, lines }): Cart => ({
    status: 'open',
    customerId,
    lines,
    checkedOut: [],
    merged: [],
  }),
  rowOf(state, event) {
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

export const cartsProjection = defineProjection({ name: 'carts', version: 2, models: [model] })
