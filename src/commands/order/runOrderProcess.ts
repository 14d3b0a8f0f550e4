// The process of an order: from what its stream says to what other streams must know of it.

import { checkOut, claimLines } from '../../domain/cart/cart.ts'
import { isRejection } from '../../domain/kernel/rejection.ts'
import { isDue, type Order, type PlacedOrder } from '../../domain/order/order.ts'
import { conclude } from '../../domain/order/orderDecisions.ts'
import { deadlineOf, expire, undecidedLate } from '../../domain/order/orderPayments.ts'
import { latest, type Position, startOfLog } from '../../kit/position.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { ChargeAnswer } from '../../ports/payments.ts'
import type { App } from '../core/app.ts'
import { isUnreadable, type Unreadable, unlessUnreadable } from '../core/brokenStream.ts'
import { isClosed } from '../core/openAccount.ts'
import type { Done, Outcome } from '../core/plan.ts'
import { completePayment, completeRefunds, oweRefund, settleLate } from './orderMoney.ts'
import { positionsOf, type Step, stepOf } from './orderStep.ts'
import { promiseStock, settleStock } from './orderStock.ts'
import { claimOpen } from './unpaidLimits.ts'

/** Where an order has got to, and the last position that its process has written. */
export interface Advanced {
  order: PlacedOrder
  revision: number
  position: Position
  /** What the provider said of a payment that is still open. */
  payment: ChargeAnswer | undefined
  /** Why a step waits whose stream cannot be read; the others have been taken. */
  blockedBy: Unreadable | undefined
}

interface Process extends Step {
  /** Takes a step; where a stream of it cannot be read, it waits and has come to `otherwise`. */
  attempt<T>(step: Promise<T>, otherwise: T): Promise<T>
}

/** Due → expired → late money → reserved anew → paid, and refunds: no order needs more rounds. */
const roundsMax = 24

/** The state of an order and where its stream was then. */
type Seen = Pick<Done<Order>, 'state' | 'revision' | 'position'>

/**
 * Drives an order to where its stream says it has to be: reserves and concludes a submitted one,
 * expires one that was not paid in its time, ends an open payment, releases, commits or pays back
 * what an ended one owes, takes its lines out of the cart. Every step has an id of its own and is
 * recorded once, so whoever finds an order half-way — the request that placed it, or a worker after
 * a crash — calls this, as often as they like and at the same time. It begins with what was `seen`
 * last, or with what the log has. A provider that does not answer leaves its step open, and so does
 * another stream that cannot be read. Throws Unavailable when the store cannot be reached.
 */
export async function runOrderProcess(
  app: App,
  orderId: string,
  cause: Envelope,
  seen?: Seen,
): Promise<Advanced | undefined> {
  let position = startOfLog
  let now = seen ?? (await app.orders.load(orderId))
  let met: readonly Position[] | undefined
  let blockedBy: Unreadable | undefined
  const attempt: Process['attempt'] = async (step, otherwise) => {
    const taken = await unlessUnreadable(step)
    if (!isUnreadable(taken)) return taken
    blockedBy = taken
    return otherwise
  }
  for (let round = 1; round <= roundsMax; round += 1) {
    const { state, revision } = now
    if (state.status === 'none') return undefined
    const at: Process = { app, order: state, cause, attempt }
    position = latest(position, now.position, ...(met ?? (await attempt(runDueSteps(at), []))))
    const step = await attempt(runStep(at), { goesOn: false })
    const { payment } = step
    if (!step.goesOn) return { order: state, revision, position, payment, blockedBy }
    now = step.now ?? (await app.orders.load(orderId))
    met = step.met
  }
  throw new Error(`order ${orderId} does not come to rest`)
}

/** What the order owes to other streams in the state it is in. */
async function runDueSteps(at: Step): Promise<Position[]> {
  const { order } = at
  if (order.handedOver) return settleStock(at, 'commit')
  switch (order.status) {
    case 'expired':
      // Late money may still get the goods.
      return undecidedLate(order).length > 0 ? [] : settleStock(at, 'release')
    case 'rejected':
    case 'cancelled':
    case 'refunded':
      return settleStock(at, 'release')
    case 'pending':
    case 'paid':
      // Releases before this one placed an order before they emptied its cart.
      return (await leaveCart(at, checkOut)) ?? []
    default:
      return []
  }
}

interface Taken {
  goesOn: boolean
  /** Where the order is now, if the step has seen it. */
  now?: Seen
  /** What it owes there has been met already; where that has ended. */
  met?: readonly Position[]
  payment?: ChargeAnswer
}

/** Moves the order itself, or says that it is where it can stay. */
async function runStep(at: Process): Promise<Taken> {
  const { order, cause } = at
  if (order.status === 'submitted') return place(at)
  if (isDue(order, cause.at.getTime())) return runOut(at)
  // Late money may need goods; what is owed beside it does not wait for those.
  if (await at.attempt(settleLate(at), false)) return { goesOn: true }
  if (await completeRefunds(at)) return { goesOn: true }
  if (order.status === 'cancelled' && order.refundDue > 0) return { goesOn: await oweRefund(at) }
  if (order.openPayment === null) return { goesOn: false }
  const payment = await completePayment(at, order.openPayment)
  return { goesOn: payment.status === 'captured' || payment.status === 'declined', payment }
}

async function place(at: Step): Promise<Taken> {
  const { app, order, cause } = at
  // Looked at once the order is in the log: an erasure that it has missed finds it there.
  const isImported = cause.source !== undefined
  const [promised, isGone, isClaimed] = await Promise.all([
    promiseStock(at),
    isImported ? false : isClosed(app, order.customerId),
    claimOpen(at),
  ])
  const everything = new Set(order.lines.map(line => line.productId))
  const short = isGone || !isClaimed ? everything : promised
  // Of two orders from one cart only the first gets its lines: decided before either stands.
  const met = short.size === 0 ? await leaveCart(at, claimLines) : undefined
  const refused = short.size === 0 && met === undefined ? everything : short
  const concluded = await app.orders.decide(order.orderId, stepOf(at, 'conclude'), state => {
    const deadline = deadlineOf(state, cause.at.getTime(), app)
    return conclude(state, refused, deadline)
  })
  const taken = takenBy(concluded)
  return met !== undefined && isPlaced(taken.now?.state.status) ? { ...taken, met } : taken
}

/** Where an order is whose stock is promised: nobody else has moved it on yet. */
function isPlaced(status: Order['status'] | undefined): boolean {
  return status === 'pending' || status === 'paid'
}

async function runOut(at: Step): Promise<Taken> {
  const { app, order, cause } = at
  const outcome = await app.orders.decide(order.orderId, stepOf(at, 'expire'), state =>
    expire(state, cause.at.getTime()),
  )
  return takenBy(outcome)
}

function takenBy(outcome: Outcome<Order>): Taken {
  return isRejection(outcome) ? { goesOn: false } : { goesOn: true, now: outcome }
}

/** Takes the lines of an order out of its cart; undefined where that refuses. */
async function leaveCart(at: Step, leave: typeof checkOut): Promise<Position[] | undefined> {
  const { cartId, orderId, lines } = at.order
  if (cartId === null) return []
  const outcome = await at.app.carts.decide(cartId, stepOf(at, 'check-out'), state =>
    leave(state, cartId, orderId, lines),
  )
  return isRejection(outcome) ? undefined : positionsOf([outcome])
}
