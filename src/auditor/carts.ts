// Carts: what was put in is bought once, and an order empties its cart once.
import {
  amount,
  type Check,
  type LogEvent,
  named,
  piecesOf,
  type Report,
  text,
} from './evidence.ts'

interface Line {
  /** Pieces that were ever put in. */
  put: number
  /** Pieces that have left it for an order, or for a customer's cart. */
  taken: number
  held: number
}

export function cartChecks(report: Report): Check {
  return new CartChecks(report)
}

class CartChecks implements Check {
  readonly #report: Report
  readonly #carts = new Map<string, Map<string, Line>>()
  readonly #checkedOut = new Map<string, string>()

  constructor(report: Report) {
    this.#report = report
  }

  see(event: LogEvent): void {
    if (!event.stream.startsWith('cart-')) return
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
        this.#merge(event)
        return
      case 'CartCheckedOut':
        this.#checkOut(event)
    }
  }

  #lineOf(stream: string, productId: string): Line {
    const lines = this.#carts.get(stream) ?? new Map<string, Line>()
    this.#carts.set(stream, lines)
    const line = lines.get(productId) ?? { put: 0, taken: 0, held: 0 }
    lines.set(productId, line)
    return line
  }

  #merge(event: LogEvent): void {
    for (const { productId, quantity } of piecesOf(event)) {
      put(this.#lineOf(event.stream, productId), quantity)
      const guest = this.#lineOf(`cart-${text(event, 'from')}`, productId)
      guest.taken += quantity
      if (guest.taken <= guest.put) continue
      this.#report(
        'a cart is merged once',
        `${named(event)} brings in ${guest.taken} pieces of product ${productId} from a guest's ` +
          `cart into which ${guest.put} have been put.`,
      )
    }
  }

  #checkOut(event: LogEvent): void {
    const orderId = text(event, 'orderId')
    const before = this.#checkedOut.get(orderId)
    this.#checkedOut.set(orderId, named(event))
    if (before !== undefined) {
      this.#report('a cart is emptied once an order', `${named(event)} comes after ${before}.`)
    }
    for (const { productId, quantity } of piecesOf(event)) {
      const line = this.#lineOf(event.stream, productId)
      line.taken += quantity
      line.held = Math.max(0, line.held - quantity)
      if (line.taken <= line.put) continue
      this.#report(
        'no line of a cart is bought twice',
        `With ${named(event)} ${line.taken} pieces of product ${productId} were bought from a ` +
          `cart into which ${line.put} have been put.`,
      )
    }
  }
}

function put(line: Line, pieces: number): void {
  line.held += pieces
  line.put += Math.max(0, pieces)
}
