// What an order's process does to stock: promises, promises anew, gives back, hands over.

import type { Decision } from '../../domain/kernel/aggregate.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import { demand } from '../../domain/order/order.ts'
import { deadlineOf } from '../../domain/order/orderPayments.ts'
import {
  commit,
  isReserved,
  release,
  reserve,
  reserveAgain,
  type Stock,
  type StockEvent,
} from '../../domain/stock/stock.ts'
import type { Position } from '../../kit/position.ts'
import { settleAll } from '../../kit/settleAll.ts'
import { positionsOf, type Step, stepOf } from './orderStep.ts'

/** Promises what the order wants. Answers the products of which there are too few. */
export async function promiseStock(at: Step): Promise<ReadonlySet<string>> {
  const { order } = at
  const isFirst = order.round === 0
  const decide = isFirst ? reserve : reserveAgain
  const deadline = deadlineOf(order, at.cause.at.getTime(), at.app)
  // What is promised anew has been paid already.
  const until = isFirst && deadline !== null ? { deadline } : {}
  const answers = await settleAll(
    [...demand(order)].map(async ([productId, quantity]) => {
      const input = { productId, orderId: order.orderId, quantity, ...until }
      const outcome = await onStock(at, `reserve${roundOf(order.round)}/${productId}`, {
        productId,
        decide: state => decide(state, input),
        // Stock knows for whom it is kept, and has been; of hot products these are most commands.
        evident: isFirst,
      })
      const isPromised = !isRejection(outcome) && isReserved(outcome.state, order.orderId)
      return isPromised ? [] : [productId]
    }),
  )
  return new Set(answers.flat())
}

/**
 * Ends the promises of a round. Each has its own ids: a straggler that gives back what an earlier
 * round had promised finds that done, and leaves the later round alone.
 */
export async function settleStock(
  at: Step,
  what: 'release' | 'commit',
  round = at.order.round,
): Promise<Position[]> {
  const { orderId } = at.order
  const settle = what === 'release' ? release : commit
  const outcomes = await settleAll(
    [...demand(at.order).keys()].map(productId =>
      onStock(at, `${what}${roundOf(round)}/${productId}`, {
        productId,
        decide: state => settle(state, productId, orderId),
      }),
    ),
  )
  return positionsOf(outcomes)
}

/** The first round has no number: its ids are those of orders from before there were rounds. */
function roundOf(round: number): string {
  return round === 0 ? '' : `-${round}`
}

function onStock(
  at: Step,
  name: string,
  on: { productId: string; decide(state: Stock): Decision<StockEvent>; evident?: boolean },
) {
  const step = stepOf(at, name)
  if (on.evident) step.evident = true
  return at.app.stock.decide(on.productId, step, on.decide)
}
