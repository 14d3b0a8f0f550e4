// What may happen to a cart: it holds what can be had, and an order takes out what it bought, once.
import { describe, expect, it } from 'vitest'
import {
  addItem,
  type CartEvent,
  cart,
  cartLimits,
  changeQuantity,
  checkOut,
  clear,
  linesOf,
  removeItem,
} from '../../src/domain/cart/cart.ts'
import { fold } from '../../src/domain/kernel/aggregate.ts'
import {
  cartId,
  cartLine,
  customerId,
  gbp,
  orderId,
  otherOrderId,
  otherProductId,
  productId,
  sampleId,
} from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenCart = given(cart)
const key = { cartId, customerId }
const opened: CartEvent = { type: 'CartOpened', data: key }
const added = (line: Parameters<typeof cartLine>[0] = {}): CartEvent => ({
  type: 'ItemAddedToCart',
  data: { cartId, ...cartLine(line) },
})
const checkedOut = (quantity: number, order = orderId): CartEvent => ({
  type: 'CartCheckedOut',
  data: { cartId, orderId: order, lines: [{ productId, quantity }] },
})
const linesAfter = (...events: CartEvent[]) => linesOf(fold(cart, events))

describe('adding an item', () => {
  it('opens the cart with the first one', () =>
    givenCart()
      .when(state => addItem(state, key, cartLine(), 10))
      .then([opened, added()]))

  it('opens a cart for someone who has not signed in', () => {
    const anonymous = { cartId, customerId: null }
    givenCart()
      .when(state => addItem(state, anonymous, cartLine(), 10))
      .then([{ type: 'CartOpened', data: anonymous }, added()])
  })

  it('takes the last piece that can be had', () =>
    givenCart(opened)
      .when(state => addItem(state, key, cartLine({ quantity: 3 }), 3))
      .then([added({ quantity: 3 })]))

  it('refuses more than can be had, with what is in the cart counted in', () =>
    givenCart(opened, added({ quantity: 2 }))
      .when(state => addItem(state, key, cartLine({ quantity: 2 }), 3))
      .thenRejected('stock/insufficient', { available: 3 }))

  it('refuses more pieces of a product than a cart holds', () =>
    givenCart(opened, added({ quantity: cartLimits.quantity }))
      .when(state => addItem(state, key, cartLine({ quantity: 1 }), 1_000_000))
      .thenRejected('cart/quantity-limit', { limit: cartLimits.quantity }))

  it('refuses more products than a cart holds, but not more of those in it', () => {
    const lines = Array.from({ length: cartLimits.lines }, (_, index) =>
      added({ productId: sampleId(1_000 + index) }),
    )
    const full = givenCart(opened, ...lines)
    full.when(state => addItem(state, key, cartLine(), 10)).thenRejected('cart/quantity-limit')
    const known = sampleId(1_000)
    full
      .when(state => addItem(state, key, cartLine({ productId: known }), 10))
      .then([added({ productId: known })])
  })

  it('adds up when it is asked again, at the price that is shown now', () => {
    const dearer = { quantity: 3, unitPrice: gbp(450) }
    givenCart(opened, added({ quantity: 2 }))
      .when(state => addItem(state, key, cartLine(dearer), 10))
      .then([added(dearer)])
    const lines = linesAfter(opened, added({ quantity: 2 }), added(dearer))
    expect(lines).toEqual([cartLine({ quantity: 5, unitPrice: gbp(450) })])
  })
})

describe('changing a quantity', () => {
  const change = (quantity: number) => ({ cartId, productId, quantity })
  const changed: CartEvent = { type: 'CartItemQuantityChanged', data: change(5) }

  it('sets it', () => {
    givenCart(opened, added())
      .when(state => changeQuantity(state, change(5), 5))
      .then([changed])
    const lines = linesAfter(opened, added(), added({ productId: otherProductId }), changed)
    expect(lines.map(line => line.quantity)).toEqual([5, 2])
  })

  it('refuses more than can be had', () =>
    givenCart(opened, added())
      .when(state => changeQuantity(state, change(6), 5))
      .thenRejected('stock/insufficient', { available: 5 }))

  it('refuses more than a cart holds', () =>
    givenCart(opened, added())
      .when(state => changeQuantity(state, change(cartLimits.quantity + 1), 1_000_000))
      .thenRejected('cart/quantity-limit'))

  it('is refused for a product that is not in the cart', () =>
    givenCart(opened, added({ productId: otherProductId }))
      .when(state => changeQuantity(state, change(5), 5))
      .thenRejected('cart/item-not-found'))

  it('is refused for a cart that was never opened', () =>
    givenCart()
      .when(state => changeQuantity(state, change(5), 5))
      .thenRejected('cart/item-not-found'))

  it('records nothing when it is that already, even if it can no longer be had', () =>
    givenCart(opened, added(), changed)
      .when(state => changeQuantity(state, change(5), 0))
      .thenNothing())
})

describe('removing an item', () => {
  const removed: CartEvent = { type: 'ItemRemovedFromCart', data: { cartId, productId } }

  it('takes it out and leaves the others', () => {
    const other = added({ productId: otherProductId })
    givenCart(opened, added(), other)
      .when(state => removeItem(state, cartId, productId))
      .then([removed])
    expect(linesAfter(opened, added(), other, removed)).toEqual([
      cartLine({ productId: otherProductId }),
    ])
  })

  it('does nothing for a product that is not in the cart', () =>
    givenCart(opened)
      .when(state => removeItem(state, cartId, productId))
      .thenNothing())

  it('happens once', () =>
    givenCart(opened, added(), removed)
      .when(state => removeItem(state, cartId, productId))
      .thenNothing())
})

describe('clearing a cart', () => {
  const cleared: CartEvent = { type: 'CartCleared', data: { cartId } }

  it('empties it', () => {
    givenCart(opened, added())
      .when(state => clear(state, cartId))
      .then([cleared])
    expect(linesAfter(opened, added(), cleared)).toEqual([])
  })

  it('does nothing for a cart that was never opened', () =>
    givenCart()
      .when(state => clear(state, cartId))
      .thenNothing())

  it('happens once', () =>
    givenCart(opened, added(), cleared)
      .when(state => clear(state, cartId))
      .thenNothing())
})

describe('checking a cart out', () => {
  const bought = [{ productId, quantity: 2 }]

  it('takes out what became an order', () => {
    givenCart(opened, added())
      .when(state => checkOut(state, cartId, orderId, bought))
      .then([checkedOut(2)])
    expect(linesAfter(opened, added(), checkedOut(2))).toEqual([])
  })

  it('records products and quantities only, whatever else an order line holds', () =>
    givenCart(opened, added())
      .when(state => checkOut(state, cartId, orderId, [cartLine()]))
      .then([checkedOut(2)]))

  it('keeps what was put in while the order was placed', () => {
    const other = added({ productId: otherProductId })
    expect(linesAfter(opened, added(), added({ quantity: 3 }), other, checkedOut(2))).toEqual([
      cartLine({ quantity: 3 }),
      cartLine({ productId: otherProductId }),
    ])
  })

  it('takes nothing below zero when the cart was emptied meanwhile', () => {
    const emptied: CartEvent = { type: 'CartCleared', data: { cartId } }
    expect(linesAfter(opened, added(), emptied, checkedOut(2))).toEqual([])
    expect(linesAfter(opened, added({ quantity: 1 }), checkedOut(2))).toEqual([])
  })

  it('happens once for an order, also when the same things were put in again', () =>
    givenCart(opened, added(), checkedOut(2), added())
      .when(state => checkOut(state, cartId, orderId, bought))
      .thenNothing())

  it('happens for the next order', () =>
    givenCart(opened, added(), checkedOut(2), added())
      .when(state => checkOut(state, cartId, otherOrderId, bought))
      .then([checkedOut(2, otherOrderId)]))

  it('is refused where the lines are not in the cart any more', () => {
    const others = [{ productId, quantity: 3 }]
    givenCart()
      .when(state => checkOut(state, cartId, orderId, bought))
      .thenRejected('cart/changed')
    givenCart(opened, added())
      .when(state => checkOut(state, cartId, orderId, others))
      .thenRejected('cart/changed')
  })
})
