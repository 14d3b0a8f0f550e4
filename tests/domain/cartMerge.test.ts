// A guest's cart becomes part of a customer's: all of it, once, and nothing beyond the limits.
import { describe, expect, it } from 'vitest'
import {
  addItem,
  type CartEvent,
  type CartLine,
  cart,
  cartLimits,
  changeQuantity,
  checkOut,
  clear,
  linesOf,
  removeItem,
} from '../../src/domain/cart/cart.ts'
import { close, merge } from '../../src/domain/cart/cartMerge.ts'
import { fold } from '../../src/domain/kernel/aggregate.ts'
import {
  cartLine,
  customerId,
  cartId as from,
  gbp,
  orderId,
  otherProductId,
  productId,
  sampleId,
} from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenCart = given(cart)
const opened: CartEvent = { type: 'CartOpened', data: { cartId: customerId, customerId } }
const added = (line: Partial<CartLine> = {}): CartEvent => ({
  type: 'ItemAddedToCart',
  data: { cartId: customerId, ...cartLine(line) },
})
const merged = (lines: CartLine[], taken = lines): CartEvent => ({
  type: 'CartMerged',
  data: {
    cartId: customerId,
    from,
    lines,
    taken: taken.map(line => ({ productId: line.productId, quantity: line.quantity })),
  },
})
const guest = (...lines: CartLine[]) => ({ cartId: from, lines })
const linesAfter = (...events: CartEvent[]) => linesOf(fold(cart, events))

describe('merging a guest’s cart', () => {
  const two = cartLine({ quantity: 2 })

  it('opens the cart of a customer who has none', () =>
    givenCart()
      .when(state => merge(state, customerId, guest(two)))
      .then([opened, merged([two])]))

  it('adds up, at the price that the guest saw', () => {
    const dearer = cartLine({ quantity: 2, unitPrice: gbp(450) })
    givenCart(opened, added({ quantity: 3 }))
      .when(state => merge(state, customerId, guest(dearer)))
      .then([merged([dearer])])
    expect(linesAfter(opened, added({ quantity: 3 }), merged([dearer]))).toEqual([
      cartLine({ quantity: 5, unitPrice: gbp(450) }),
    ])
  })

  it('happens once', () =>
    givenCart(opened, merged([two]))
      .when(state => merge(state, customerId, guest(two)))
      .thenNothing())

  it('happens once, also when the customer has taken it out since', () =>
    givenCart(opened, merged([two]), { type: 'CartCleared', data: { cartId: customerId } })
      .when(state => merge(state, customerId, guest(two)))
      .thenNothing())

  it('takes over what was put in since the last time, and no more', () => {
    const more = [cartLine({ quantity: 5 }), cartLine({ productId: otherProductId, quantity: 1 })]
    const rest = [cartLine({ quantity: 3 }), cartLine({ productId: otherProductId, quantity: 1 })]
    givenCart(opened, merged([two]))
      .when(state => merge(state, customerId, guest(...more)))
      .then([merged(rest, more)])
  })

  it('stops at the pieces that a cart holds', () => {
    const many = cartLine({ quantity: 10 })
    givenCart(opened, added({ quantity: cartLimits.quantity - 4 }))
      .when(state => merge(state, customerId, guest(many)))
      .then([merged([cartLine({ quantity: 4 })], [many])])
  })

  it('stops at the products that a cart holds, but takes more of those in it', () => {
    const lines = Array.from({ length: cartLimits.lines }, (_, index) =>
      added({ productId: sampleId(1_000 + index) }),
    )
    const known = cartLine({ productId: sampleId(1_000) })
    givenCart(opened, ...lines)
      .when(state => merge(state, customerId, guest(two, known)))
      .then([merged([known], [two, known])])
  })

  it('stops at what can be counted', () => {
    const dear = cartLine({ quantity: 2, unitPrice: gbp(Number.MAX_SAFE_INTEGER - 10) })
    const cheap = cartLine({ productId: otherProductId, quantity: 1, unitPrice: gbp(1) })
    givenCart(opened)
      .when(state => merge(state, customerId, guest(dear, cheap)))
      .then([merged([cheap], [dear, cheap])])
  })

  it('of nothing is nothing', () =>
    givenCart()
      .when(state => merge(state, customerId, guest()))
      .thenNothing())
})

describe('closing a guest’s cart', () => {
  const openedByGuest: CartEvent = { type: 'CartOpened', data: { cartId: from, customerId: null } }
  const filled: CartEvent = { type: 'ItemAddedToCart', data: { cartId: from, ...cartLine() } }
  const closed: CartEvent = { type: 'CartClosed', data: { cartId: from, into: customerId } }

  it('ends it', () => {
    givenCart(openedByGuest, filled)
      .when(state => close(state, from, customerId, [cartLine()]))
      .then([closed])
    expect(linesAfter(openedByGuest, filled, closed)).toEqual([])
  })

  it('waits for what has been put in since', () =>
    givenCart(openedByGuest, filled, filled)
      .when(state => close(state, from, customerId, [cartLine()]))
      .thenNothing())

  it('happens once, whoever it went to', () =>
    givenCart(openedByGuest, filled, closed)
      .when(state => close(state, from, sampleId(32), [cartLine()]))
      .thenNothing())

  it('is nothing for a customer’s cart', () =>
    givenCart(opened, added())
      .when(state => close(state, customerId, sampleId(32), [cartLine()]))
      .thenNothing())

  it('is for good', () => {
    const ended = givenCart(openedByGuest, filled, closed)
    const key = { cartId: from, customerId: null }
    const change = { cartId: from, productId, quantity: 1 }
    ended.when(state => addItem(state, key, cartLine(), 10)).thenRejected('cart/closed')
    ended.when(state => changeQuantity(state, change, 10)).thenRejected('cart/closed')
    ended.when(state => removeItem(state, from, productId)).thenRejected('cart/closed')
    ended.when(state => clear(state, from)).thenRejected('cart/closed')
    ended.when(state => checkOut(state, from, orderId, [cartLine()])).thenRejected('cart/changed')
    ended.when(state => merge(state, from, guest(cartLine()))).thenNothing()
    expect(linesAfter(openedByGuest, filled, closed, openedByGuest, filled)).toEqual([])
  })
})
