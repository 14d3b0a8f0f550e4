// A cart under any sequence of requests: its lines stay sane, and an order takes out once.
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  addItem,
  type Cart,
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
import { type Ask, aggregateProperties } from '../support/aggregateProperties.ts'
import { cartId, cartLine, customerId, gbp, sampleId } from '../support/samples.ts'

const ids = [1, 2, 3].map(sampleId)
const productIds = fc.constantFrom(...ids)
const quantity = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12_000 }))
const available = fc.oneof(fc.nat(12), fc.constant(1_000_000))

type CartAsk = Ask<Cart, CartEvent>
const key = { cartId, customerId }

const adding = fc
  .record({ productId: productIds, quantity, price: fc.nat(1_000), available })
  .map((input): CartAsk => {
    const { productId, quantity, price } = input
    const line = cartLine({ productId, quantity, unitPrice: gbp(price) })
    const decide = (state: Cart) => addItem(state, key, line, input.available)
    return { asked: 'add', input, decide, addsUp: true }
  })

const changing = fc.record({ productId: productIds, quantity, available }).map((input): CartAsk => {
  const { productId, quantity } = input
  const change = { cartId, productId, quantity }
  const decide = (state: Cart) => changeQuantity(state, change, input.available)
  return { asked: 'change', input, decide }
})

const removing = productIds.map((input): CartAsk => {
  return { asked: 'remove', input, decide: state => removeItem(state, cartId, input) }
})

const clearing = fc.constant<CartAsk>({
  asked: 'clear',
  input: cartId,
  decide: state => clear(state, cartId),
})

const guests = [22, 23].map(sampleId)
const merging = fc
  .record({
    from: fc.constantFrom(...guests),
    lines: fc.uniqueArray(fc.record({ productId: productIds, quantity }), {
      selector: line => line.productId,
    }),
  })
  .map((input): CartAsk => {
    const guest = { cartId: input.from, lines: input.lines.map(cartLine) }
    return { asked: 'merge', input, decide: state => merge(state, customerId, guest) }
  })

const closing = fc.boolean().map((input): CartAsk => {
  const decide = (state: Cart) => close(state, cartId, customerId, input ? linesOf(state) : [])
  return { asked: 'close', input, decide }
})

const bought = fc.record({ productId: productIds, quantity })
const checkingOut = fc
  .record({
    orderId: fc.constantFrom(...[11, 12, 13].map(sampleId)),
    lines: fc.array(bought, { maxLength: 3 }),
  })
  .map((input): CartAsk => {
    const { orderId, lines } = input
    return { asked: 'check out', input, decide: state => checkOut(state, cartId, orderId, lines) }
  })

function expectSane(line: CartLine) {
  expect(line.quantity).toBeGreaterThan(0)
  expect(line.quantity).toBeLessThanOrEqual(cartLimits.quantity)
}

const openedByGuest: CartEvent = { type: 'CartOpened', data: { cartId, customerId: null } }

/** Never more comes in of a guest's cart than was in it. */
function expectTakenOnce(events: readonly CartEvent[]) {
  const merges = events.flatMap(event => (event.type === 'CartMerged' ? [event.data] : []))
  for (const { from } of merges) {
    const own = merges.filter(merge => merge.from === from)
    for (const { productId, quantity } of own.at(-1)?.taken ?? []) {
      const lines = own.flatMap(merge => merge.lines).filter(line => line.productId === productId)
      const came = lines.reduce((total, line) => total + line.quantity, 0)
      expect(came).toBeLessThanOrEqual(quantity)
    }
  }
}

aggregateProperties('a cart', {
  aggregate: cart,
  ids,
  begin: fc.boolean().map(isGuest => (isGuest ? [openedByGuest] : [])),
  asks: fc.oneof(
    { arbitrary: adding, weight: 4 },
    changing,
    removing,
    clearing,
    checkingOut,
    merging,
    closing,
  ),
  invariant(state, events) {
    const lines = linesOf(state)
    for (const line of lines) expectSane(line)
    expect(new Set(lines.map(line => line.productId)).size).toBe(lines.length)
    const orders = events.flatMap(event => {
      return event.type === 'CartCheckedOut' ? [event.data.orderId] : []
    })
    expect(new Set(orders).size).toBe(orders.length)
    expectTakenOnce(events)
    const opened = events.filter(event => event.type === 'CartOpened')
    expect(opened.length).toBeLessThanOrEqual(1)
  },
  settled(state) {
    if (state.status === 'none') return []
    if (state.status === 'closed') return ['opened', 'closed']
    // Guests do not order: nothing but its end is settled of a guest's cart.
    if (state.customerId === null) return ['opened']
    return ['opened', ...state.checkedOut, ...state.merged.map(({ from }) => from)]
  },
})
