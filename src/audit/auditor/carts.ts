// Carts: what was put in is bought once, and an order empties its cart once.
import {
  amount,
  type Beside,
  type Check,
  type LogEvent,
  named,
  piecesOf,
  type Report,
  type Scope,
  text,
} from './evidence.ts'
import { isSettled, type OrderBook } from './orders.ts'

interface Line {
  /** Pieces that were ever put in. */
  put: number
  /** Pieces that have left it for an order, or for a customer's cart. */
  taken: number
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
        put(line(), amount(event, 'quantity'))
        return
      case 'CartItemQuantityChanged':
        put(line(), amount(event, 'quantity') - line().held)
        return
      case 'ItemRemovedFromCart':
        line().held = 0
        return
      case 'CartCleared':
        for (const each of this.#carts.get(event.stream)?.values() ?? []) each.held = 0
        return
      case 'CartMerged':
        for (const { productId, quantity } of piecesOf(event)) {
          put(this.#lineOf(event.stream, productId), quantity)
        }
        return
      case 'CartCheckedOut':
        this.#buy(event)
    }
  }

  /** What is ordered from a cart has left it. */
  conclude(beside: Beside): void {
    if (!beside.isAtRest) return
    for (const order of this.#book.orders.values()) {
      const { orderId, cartId, status } = order
      if (cartId === null || !placed.has(status) || this.#checkedOut.has(orderId)) continue
      if (!isSettled(beside, order) || beside.unreadable?.has(`cart-${cartId}`)) continue
      const says = `Order ${orderId} is ${status}, and its cart ${cartId} still has what it bought.`
      this.#report(emptiedOnce, says)
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
    const line = lines.get(productId) ?? { put: 0, taken: 0, held: 0 }
    lines.set(productId, line)
    return line
  }

  #take(event: LogEvent): void {
    if (!this.#scope.has(text(event, 'from'))) return
    this.#merges += 1
    for (const { productId, quantity } of piecesOf(event)) {
      const guest = this.#lineOf(`cart-${text(event, 'from')}`, productId)
      guest.taken += quantity
      if (guest.taken <= guest.put) continue
      this.#report(
        mergedOnce,
        `${named(event)} brings in ${guest.taken} pieces of product ${productId} from a guest's ` +
          `cart into which ${guest.put} have been put.`,
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
      line.taken += quantity
      line.held = Math.max(0, line.held - quantity)
      if (line.taken <= line.put) continue
      this.#report(
        boughtOnce,
        `With ${named(event)} ${line.taken} pieces of product ${productId} were bought from a ` +
          `cart into which ${line.put} have been put.`,
      )
    }
  }
}

/** Orders for which a cart was emptied: others may have ended before. */
const placed = new Set(['pending', 'paid', 'shipped', 'delivered'])

function put(line: Line, pieces: number): void {
  line.held += pieces
  line.put += Math.max(0, pieces)
}
