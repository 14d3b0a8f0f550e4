// Merges a guest's cart into the customer's at sign-in: a process over two carts.

import { linesOf } from '../../domain/cart/cart.ts'
import { close, merge } from '../../domain/cart/cartMerge.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import type { Position } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { App } from '../core/app.ts'
import { step } from '../core/envelope.ts'

/** How often lines that are added meanwhile are merged too. */
const roundsMax = 5

/**
 * Moves what a guest's cart holds into a customer's and closes it. The customer's cart is first, so
 * that nothing is lost when it stops in between; it may be repeated at any time and adds up once.
 * Answers from where in the log the customer's cart has it, undefined when nothing came in. Throws
 * Unavailable: ask again.
 */
export async function mergeCart(
  app: Pick<App, 'carts'>,
  { from, customerId }: { from: string; customerId: string },
  envelope: Envelope,
): Promise<Position | undefined> {
  let position: Position | undefined
  for (let round = 1; round <= roundsMax; round += 1) {
    const { state } = await app.carts.load(from)
    if (state.status !== 'open' || state.customerId !== null) return position
    const seen = linesOf(state)
    const merging = step(envelope, 'merge', `${round}`)
    const merged = await app.carts.decide(customerId, merging, held =>
      merge(held, customerId, { cartId: from, lines: seen }),
    )
    if (isRejection(merged)) return position
    if (seen.length > 0) position = merged.position
    const closing = step(envelope, 'close', `${round}`)
    const closed = await app.carts.decide(from, closing, guest =>
      close(guest, from, customerId, seen),
    )
    if (isRejection(closed) || closed.state.status === 'closed') return position
  }
  return position
}
