// Merges a guest's cart into a customer's: its lines are merged once, then it is closed.
import type { Decision } from '../kernel/aggregate.ts'
import { times } from '../kernel/money.ts'
import {
  added,
  type Bought,
  type Cart,
  type CartEvent,
  type CartLine,
  cartLimits,
  linesOf,
} from './cart.ts'

export interface GuestCart {
  cartId: string
  lines: readonly CartLine[]
}

/**
 * Merges the lines of a guest's cart that were not merged before, so that a repeat adds nothing.
 * Quantities add up, at the guest's price, which was shown last; what exceeds the limits of a cart
 * is left out.
 */
export function merge(state: Cart, customerId: string, guest: GuestCart): Decision<CartEvent> {
  if (state.status === 'closed') return []
  const before = state.status === 'open' ? takenFrom(state.merged, guest.cartId) : new Map()
  const fresh = guest.lines.flatMap(line => {
    const quantity = line.quantity - (before.get(line.productId) ?? 0)
    return quantity > 0 ? [{ ...line, quantity }] : []
  })
  if (fresh.length === 0) return []
  const taken = new Map(before)
  for (const { productId, quantity } of guest.lines) {
    taken.set(productId, Math.max(quantity, taken.get(productId) ?? 0))
  }
  const opening: CartEvent[] =
    state.status === 'none'
      ? [{ type: 'CartOpened', data: { cartId: customerId, customerId } }]
      : []
  const data = {
    cartId: customerId,
    from: guest.cartId,
    lines: withinLimits(linesOf(state), fresh),
    taken: [...taken].map(([productId, quantity]) => ({ productId, quantity })),
  }
  return [...opening, { type: 'CartMerged', data }]
}

function takenFrom(
  merged: readonly { from: string; taken: readonly Bought[] }[],
  from: string,
): Map<string, number> {
  const known = merged.find(each => each.from === from)?.taken ?? []
  return new Map(known.map(({ productId, quantity }) => [productId, quantity]))
}

/** As much of each line as a cart may hold and a total can count. */
function withinLimits(lines: readonly CartLine[], incoming: readonly CartLine[]): CartLine[] {
  let held = lines
  const accepted: CartLine[] = []
  for (const line of incoming) {
    if (held.some(other => other.unitPrice.currency !== line.unitPrice.currency)) continue
    const there = held.find(other => other.productId === line.productId)
    if (there === undefined && held.length >= cartLimits.lines) continue
    const room = cartLimits.quantity - (there?.quantity ?? 0)
    const fitting = { ...line, quantity: Math.min(line.quantity, room) }
    const next = fitting.quantity > 0 ? added(held, fitting) : held
    if (next === held || !isCountable(next)) continue
    held = next
    accepted.push(fitting)
  }
  return accepted
}

function isCountable(lines: readonly CartLine[]): boolean {
  const amounts = lines.map(line => times(line.unitPrice, line.quantity).amount)
  return Number.isSafeInteger(amounts.reduce((total, amount) => total + amount, 0))
}

/**
 * Closes a guest's cart that has gone into a customer's. It stays open when something has been put
 * in since `seen`: that has to be taken over first.
 */
export function close(
  state: Cart,
  cartId: string,
  into: string,
  seen: readonly CartLine[],
): Decision<CartEvent> {
  if (state.status !== 'open' || state.customerId !== null) return []
  const known = new Map(seen.map(({ productId, quantity }) => [productId, quantity]))
  const hasMore = state.lines.some(line => line.quantity > (known.get(line.productId) ?? 0))
  return hasMore ? [] : [{ type: 'CartClosed', data: { cartId, into } }]
}
