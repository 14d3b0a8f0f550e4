// A cart: products and quantities, at the prices that were shown when they were added.
import Type, { type Static } from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { refuseMixed } from '../kernel/oneCurrency.ts'
import { reject } from '../kernel/rejection.ts'
import { Id, Money, Payload, Quantity, ShortText, Sku } from '../kernel/types.ts'

/** The most pieces of one product, and the most products. */
export const cartLimits = { quantity: 10_000, lines: 200 } as const

const Line = {
  productId: Id,
  sku: Sku,
  name: ShortText,
  unitPrice: Money,
  quantity: Quantity,
}

// Names and payloads are the storage format: they are versioned, never renamed.
export const CartEvents = {
  CartOpened: Payload({ cartId: Id, customerId: Type.Union([Id, Type.Null()]) }),
  ItemAddedToCart: Payload({ cartId: Id, ...Line }),
  CartItemQuantityChanged: Payload({ cartId: Id, productId: Id, quantity: Quantity }),
  ItemRemovedFromCart: Payload({ cartId: Id, productId: Id }),
  CartCleared: Payload({ cartId: Id }),
  CartCheckedOut: Payload({
    cartId: Id,
    orderId: Id,
    lines: Type.Array(Type.Object({ productId: Id, quantity: Quantity }), { maxItems: 1_000 }),
  }),
  CartMerged: Payload({
    cartId: Id,
    /** The guest's cart. */
    from: Id,
    /** What came in, within the limits of that day. */
    lines: Type.Array(Type.Object(Line), { maxItems: 1_000 }),
    /** What of the guest's cart has been merged so far. */
    taken: Type.Array(Type.Object({ productId: Id, quantity: Quantity }), { maxItems: 1_000 }),
  }),
  CartClosed: Payload({ cartId: Id, into: Id }),
}
export type CartEvent = EventOf<typeof CartEvents>
export const CartLine = Type.Object(Line)
export type CartLine = Static<typeof CartLine>

export type Cart =
  | { status: 'none' }
  | {
      status: 'open'
      customerId: string | null
      lines: readonly CartLine[]
      /** The last orders that were made of this cart. */
      checkedOut: readonly string[]
      /** What the last guests' carts that came in have given. */
      merged: readonly Merged[]
    }
  /** A guest's cart that was merged into a customer's. */
  | { status: 'closed'; into: string }

interface Merged {
  from: string
  taken: readonly Bought[]
}

export const cart: Aggregate<Cart, CartEvent> = {
  category: 'cart',
  events: CartEvents,
  initial: { status: 'none' },
  evolve(state, event) {
    if (state.status === 'closed') return state
    if (event.type === 'CartOpened') {
      const { customerId } = event.data
      return { status: 'open', customerId, lines: [], checkedOut: [], merged: [] }
    }
    if (state.status === 'none') return state
    switch (event.type) {
      case 'ItemAddedToCart': {
        const { cartId: _, ...line } = event.data
        return { ...state, lines: added(state.lines, line) }
      }
      case 'CartItemQuantityChanged': {
        const { productId, quantity } = event.data
        const change = (line: CartLine) =>
          line.productId === productId ? { ...line, quantity } : line
        return { ...state, lines: state.lines.map(change) }
      }
      case 'ItemRemovedFromCart': {
        const { productId } = event.data
        return { ...state, lines: state.lines.filter(line => line.productId !== productId) }
      }
      case 'CartCleared':
        return { ...state, lines: [] }
      case 'CartCheckedOut':
        return {
          ...state,
          lines: without(state.lines, event.data.lines),
          // A customer checks out one order after the other; a repeat comes within seconds.
          checkedOut: [...state.checkedOut.slice(-49), event.data.orderId],
        }
      case 'CartMerged': {
        const { from, lines, taken } = event.data
        const others = state.merged.filter(each => each.from !== from)
        return {
          ...state,
          lines: lines.reduce<readonly CartLine[]>(added, state.lines),
          merged: [...others.slice(-49), { from, taken }],
        }
      }
      case 'CartClosed':
        return { status: 'closed', into: event.data.into }
    }
  },
}

/** Quantities add up, at the price that is shown now. */
export function added(lines: readonly CartLine[], line: CartLine): CartLine[] {
  const found = lines.find(other => other.productId === line.productId)
  if (found === undefined) return [...lines, line]
  const merged = { ...line, quantity: found.quantity + line.quantity }
  return lines.map(other => (other === found ? merged : other))
}

export interface Bought {
  productId: string
  quantity: number
}

/** What was added while the order was being placed stays in. */
function without(lines: readonly CartLine[], bought: readonly Bought[]): CartLine[] {
  const checkedOut = new Map(bought.map(item => [item.productId, item.quantity]))
  return lines
    .map(line => ({ ...line, quantity: line.quantity - (checkedOut.get(line.productId) ?? 0) }))
    .filter(line => line.quantity > 0)
}

/** The lines of a cart; one that was never opened, or has gone into another, has none. */
export function linesOf(state: Cart): readonly CartLine[] {
  return state.status === 'open' ? state.lines : []
}

export interface CartKey {
  cartId: string
  customerId: string | null
}

/** Puts pieces of a product in; `available` is what the shop could sell now. May be repeated. */
export function addItem(
  state: Cart,
  key: CartKey,
  line: CartLine,
  available: number,
): Decision<CartEvent> {
  if (state.status === 'closed') return refuseClosed()
  const lines = linesOf(state)
  const before = lines.find(other => other.productId === line.productId)?.quantity ?? 0
  const others = lines.filter(other => other.productId !== line.productId)
  const refusal =
    refuseMixed(
      others.map(other => other.unitPrice),
      line.unitPrice.currency,
    ) ?? refuseQuantity(before + line.quantity, available)
  if (refusal !== undefined) return refusal
  if (before === 0 && lines.length >= cartLimits.lines) {
    return reject('cart/quantity-limit', `A cart holds at most ${cartLimits.lines} products.`)
  }
  const opening: CartEvent[] = state.status === 'none' ? [{ type: 'CartOpened', data: key }] : []
  return [...opening, { type: 'ItemAddedToCart', data: { cartId: key.cartId, ...line } }]
}

const refuseClosed = () => reject('cart/closed', 'What was in this cart is in a customer’s now.')

function refuseQuantity(quantity: number, available: number) {
  if (quantity > cartLimits.quantity) {
    return reject(
      'cart/quantity-limit',
      `A cart holds at most ${cartLimits.quantity} pieces of a product.`,
      { limit: cartLimits.quantity },
    )
  }
  if (quantity > available) {
    return reject('stock/insufficient', `Only ${available} pieces can be had.`, { available })
  }
  return undefined
}

export interface QuantityChange {
  cartId: string
  productId: string
  quantity: number
}

/** Sets how many pieces of a product are in the cart. */
export function changeQuantity(
  state: Cart,
  input: QuantityChange,
  available: number,
): Decision<CartEvent> {
  if (state.status === 'closed') return refuseClosed()
  const line = linesOf(state).find(other => other.productId === input.productId)
  if (line === undefined) return reject('cart/item-not-found', 'This product is not in the cart.')
  if (line.quantity === input.quantity) return []
  const refusal = refuseQuantity(input.quantity, available)
  return refusal ?? [{ type: 'CartItemQuantityChanged', data: input }]
}

/** Takes a product out; nothing happens when it is not in. */
export function removeItem(state: Cart, cartId: string, productId: string): Decision<CartEvent> {
  if (state.status === 'closed') return refuseClosed()
  const isIn = linesOf(state).some(line => line.productId === productId)
  return isIn ? [{ type: 'ItemRemovedFromCart', data: { cartId, productId } }] : []
}

/** Empties a cart; nothing happens when it is empty. */
export function clear(state: Cart, cartId: string): Decision<CartEvent> {
  if (state.status === 'closed') return refuseClosed()
  return linesOf(state).length > 0 ? [{ type: 'CartCleared', data: { cartId } }] : []
}

/**
 * Takes out the lines of an order, once an order. Refused where the cart does not hold them any
 * more: of two orders of one cart, only the first gets its lines.
 */
export function checkOut(
  state: Cart,
  cartId: string,
  orderId: string,
  lines: readonly Bought[],
): Decision<CartEvent> {
  if (state.status === 'open' && state.checkedOut.includes(orderId)) return []
  if (state.status !== 'open' || !hasPieces(state, lines)) {
    const detail = 'What was in the cart has been ordered or changed meanwhile: look at it again.'
    return reject('cart/changed', detail)
  }
  const bought = lines.map(({ productId, quantity }) => ({ productId, quantity }))
  return [{ type: 'CartCheckedOut', data: { cartId, orderId, lines: bought } }]
}

function hasPieces(state: Cart, lines: readonly Bought[]): boolean {
  const held = new Map(linesOf(state).map(line => [line.productId, line.quantity]))
  return lines.every(({ productId, quantity }) => (held.get(productId) ?? 0) >= quantity)
}
