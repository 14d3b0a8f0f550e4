// Carts: what was put in is bought once, and an order empties its cart once.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  type Observations,
  piecesOf,
  type Report,
  type Scope,
  text,
} from './evidence.ts'
import { isBeforeCutoff, type OrderBook } from './orders.ts'

interface Line {
  /** Pieces that were ever put in. */
  added: number
  /** Pieces that have left it for an order, or for a customer's cart. */
  removed: number
  held: number
}

const emptiedOnce = 'a cart is emptied once an order'
const mergedOnce = 'a cart is merged once'
const boughtOnce = 'no line of a cart is bought twice'

export function cartChecks(book: OrderBook, report: Report, scope: Scope): Check {
  return new CartChecks(book, report, scope)
}

class CartChecks implements Check {
  readonly #book: OrderBook
  readonly #report: Report
  readonly #scope: Scope
  readonly #carts = new Map<string, Map<string, Line>>()
  readonly #checkedOut = new Map<string, string>()
  #merges = 0
  #bought = 0

  constructor(book: OrderBook, report: Report, scope: Scope) {
    this.#book = book
    this.#report = report
    this.#scope = scope
  }

  see(event: LogEvent): void {
    if (!event.stream.startsWith('cart-')) return
    if (event.type === 'CartCheckedOut') this.#checkOut(event)
    if (event.type === 'CartMerged') this.#take(event)
    if (!this.#scope.hasStream(event.stream)) return
    const line = () => this.#lineOf(event.stream, text(event, 'productId'))
    switch (event.type) {
      case 'ItemAddedToCart':
        added(line(), amount(event, 'quantity'))
        return
      case 'CartItemQuantityChanged':
        added(line(), amount(event, 'quantity') - line().held)
        return
      case 'ItemRemovedFromCart':
        line().held = 0
        return
      case 'CartCleared':
        for (const each of this.#carts.get(event.stream)?.values() ?? []) each.held = 0
        return
      case 'CartMerged':
        for (const { productId, quantity } of piecesOf(event)) {
          added(this.#lineOf(event.stream, productId), quantity)
        }
        return
      case 'CartCheckedOut':
        this.#buy(event)
    }
  }

  /** What is ordered from a cart has left it. */
  conclude(observations: Observations): void {
    if (!observations.isAtRest) return
    for (const order of this.#book.orders.values()) {
      const { orderId, cartId, status } = order
      if (cartId === null || !placed.has(status) || this.#checkedOut.has(orderId)) continue
      if (!isBeforeCutoff(observations, order) || observations.unreadable?.has(`cart-${cartId}`))
        continue
      const bought = `its cart ${cartId} still has what it bought`
      this.#report(emptiedOnce, `Order ${orderId} is ${status}, and ${bought}.`)
    }
  }

  examined(): Record<string, number> {
    return {
      [emptiedOnce]: this.#checkedOut.size,
      [mergedOnce]: this.#merges,
      [boughtOnce]: this.#bought,
    }
  }

  #lineOf(stream: string, productId: string): Line {
    const lines = this.#carts.get(stream) ?? new Map<string, Line>()
    this.#carts.set(stream, lines)
    const line = lines.get(productId) ?? { added: 0, removed: 0, held: 0 }
    lines.set(productId, line)
    return line
  }

  #take(event: LogEvent): void {
    if (!this.#scope.has(text(event, 'from'))) return
    this.#merges += 1
    for (const { productId, quantity } of piecesOf(event)) {
      const guest = this.#lineOf(`cart-${text(event, 'from')}`, productId)
      guest.removed += quantity
      if (guest.removed <= guest.added) continue
      this.#report(
        mergedOnce,
        `${named(event)} brings in ${guest.removed} pieces of product ${productId} from a ` +
          `guest's cart into which ${guest.added} have been put.`,
      )
    }
  }

  #checkOut(event: LogEvent): void {
    const orderId = text(event, 'orderId')
    if (!this.#scope.has(orderId)) return
    const before = this.#checkedOut.get(orderId)
    this.#checkedOut.set(orderId, named(event))
    if (before !== undefined) {
      this.#report(emptiedOnce, `${named(event)} comes after ${before}.`)
    }
  }

  #buy(event: LogEvent): void {
    this.#bought += 1
    for (const { productId, quantity } of piecesOf(event)) {
      const line = this.#lineOf(event.stream, productId)
      line.removed += quantity
      line.held = Math.max(0, line.held - quantity)
      if (line.removed <= line.added) continue
      this.#report(
        boughtOnce,
        `With ${named(event)} ${line.removed} pieces of product ${productId} were bought from a ` +
          `cart into which ${line.added} have been put.`,
      )
    }
  }
}

/** Orders for which a cart was emptied: others may have ended before. */
const placed = new Set(['pending', 'paid', 'shipped', 'delivered'])

function added(line: Line, pieces: number): void {
  line.held += pieces
  line.added += Math.max(0, pieces)
}
