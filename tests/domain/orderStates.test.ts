// The order's state machine against a table written by hand: every state × every step.
import { describe, expect, it } from 'vitest'
import { type Decision, fold } from '../../src/domain/kernel/aggregate.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { roles } from '../../src/domain/kernel/types.ts'
import { type Order, type OrderEvent, order } from '../../src/domain/order/order.ts'
import {
  cancel,
  capture,
  conclude,
  deliver,
  refund,
  returnItems,
  ship,
} from '../../src/domain/order/orderDecisions.ts'
import { acceptLatePayment, expire } from '../../src/domain/order/orderPayments.ts'
import {
  allowedTransitions,
  mayMove,
  type OrderStatus,
  orderStatuses,
  transitions,
} from '../../src/domain/order/orderStates.ts'
import { gbp, orderEvents, orderId, orderLine, productId, sampleId } from '../support/samples.ts'

const {
  submitted,
  placed,
  rejected,
  paid,
  shipped,
  delivered,
  cancelled,
  refunded,
  expired,
  latePayment,
} = orderEvents

const lateId = latePayment.data.paymentId
const deadline: OrderEvent = {
  type: 'PaymentDeadlineSet',
  data: { orderId, expiresAt: 10 },
}

/** One history that leads to each status. */
const histories: Record<OrderStatus, readonly OrderEvent[]> = {
  submitted: [submitted],
  rejected: [submitted, rejected],
  pending: [submitted, placed, deadline],
  paid: [submitted, placed, paid],
  shipped: [submitted, placed, paid, shipped],
  delivered: [submitted, placed, paid, shipped, delivered],
  cancelled: [submitted, placed, cancelled],
  expired: [submitted, placed, deadline, expired, latePayment],
  refunded: [submitted, placed, paid, refunded],
}

const payment = { paymentId: sampleId(52), provider: 'manual', reference: 'BANK-1' }
const whole = { refundId: sampleId(62), amount: gbp(850), reason: 'Broken' }

/** The decisions that move an order to each status; nothing moves it back to `submitted`. */
const steps: Record<Exclude<OrderStatus, 'submitted'>, (state: Order) => Decision<OrderEvent>> = {
  pending: state => conclude(state, new Set()),
  rejected: state => conclude(state, new Set([productId])),
  paid: state =>
    state.status === 'expired' ? acceptLatePayment(state, lateId) : capture(state, payment),
  expired: state => expire(state, 10),
  shipped: state => ship(state, undefined),
  delivered: state => deliver(state),
  cancelled: state => cancel(state, 'Changed my mind'),
  refunded: state => refund(state, whole),
}

/** What may follow each status. */
const next: Record<OrderStatus, readonly OrderStatus[]> = {
  submitted: ['pending', 'rejected'],
  rejected: [],
  pending: ['paid', 'expired', 'cancelled'],
  // Money that arrives too late, for goods that are still available.
  expired: ['paid'],
  paid: ['cancelled', 'shipped', 'refunded'],
  shipped: ['delivered', 'refunded'],
  delivered: ['refunded'],
  cancelled: [],
  refunded: [],
}

const pairs = orderStatuses.flatMap(from =>
  Object.entries(steps).map(([to, step]) => ({ from, to, step })),
)
const inTable = ({ from, to }: { from: OrderStatus; to: string }) =>
  next[from].some(status => status === to)

const statusOf = (state: Order) => state.status
const stateOf = (from: OrderStatus) => fold(order, histories[from])

describe('a step that the table has', () => {
  it.each(pairs.filter(inTable))('moves an order from $from to $to', ({ from, to, step }) => {
    const decision = step(stateOf(from))
    expect(isRejection(decision)).toBe(false)
    if (isRejection(decision)) return
    expect(decision).toHaveLength(1)
    expect(statusOf(fold(order, decision, stateOf(from)))).toBe(to)
  })

  it.each(orderStatuses)('is offered from %s', from =>
    expect(allowedTransitions(from)).toEqual(next[from]),
  )
})

describe('a step that the table does not have', () => {
  it.each(pairs.filter(pair => !inTable(pair)))(
    'leaves an order that is $from where it is when it is asked to be $to',
    ({ from, step }) => {
      const decision = step(stateOf(from))
      if (isRejection(decision)) {
        expect(decision.rejected).toMatch(/^order\/(illegal-transition|refund-exceeds-capture)$/)
      } else expect(decision).toEqual([])
    },
  )

  it.each(pairs.filter(pair => !inTable(pair) && pair.from === pair.to && pair.to !== 'paid'))(
    'adds nothing to an order that is $to already',
    ({ from, to, step }) => {
      if (to !== 'refunded') expect(step(stateOf(from))).toEqual([])
      else expect(step(stateOf(from))).toMatchObject({ rejected: 'order/refund-exceeds-capture' })
    },
  )

  it.each(['paid', 'shipped', 'delivered', 'cancelled'] as const)(
    'says where the order may go instead of %s',
    to => {
      for (const from of orderStatuses) {
        const decision = steps[to](stateOf(from))
        if (!isRejection(decision)) continue
        expect(decision.extra).toEqual({
          status: from,
          allowedTransitions: next[from],
        })
      }
    },
  )
})

describe('an order that nobody has paid', () => {
  const nothing = { refundId: sampleId(63), amount: gbp(0), reason: 'Nothing' }
  const free = [{ ...orderLine({ unitPrice: gbp(0), quantity: 1 }), total: gbp(0) }]
  const unpaid = ['submitted', 'rejected', 'pending', 'cancelled'] as const

  it.each(unpaid)('is not ended by a refund of nothing when it is %s', from =>
    expect(refund(stateOf(from), nothing)).toMatchObject({ rejected: 'order/illegal-transition' }),
  )

  it.each(unpaid)('takes nothing back when it is %s', from => {
    for (const lines of [[], free]) {
      const input = { returnId: sampleId(81), reference: 'R-1', lines, charges: [] }
      expect(returnItems(stateOf(from), input)).toMatchObject({
        rejected: 'order/illegal-transition',
      })
    }
  })
})

describe('an order that never was', () => {
  it.each(Object.entries(steps))('cannot be %s', (_, step) =>
    expect(step(order.initial)).toMatchObject({ rejected: 'order/not-found' }),
  )
})

describe('the table', () => {
  it('leads from the submission to every status', () => {
    const reached = new Set<OrderStatus>(['submitted'])
    for (const from of reached) for (const to of allowedTransitions(from)) reached.add(to)
    expect([...reached].sort()).toEqual([...orderStatuses].sort())
  })

  it('holds every step once', () => {
    const names = transitions.map(({ from, to }) => `${from}-${to}`)
    expect(new Set(names).size).toBe(names.length)
  })

  it('never leads back', () => {
    const seen = (from: OrderStatus): OrderStatus[] =>
      allowedTransitions(from).flatMap(to => [to, ...seen(to)])
    for (const status of orderStatuses) expect(seen(status)).not.toContain(status)
  })

  it.each([
    ['submitted', 'customer', []],
    ['pending', 'customer', ['paid', 'cancelled']],
    ['expired', 'admin', []],
    ['pending', 'support', ['cancelled']],
    ['pending', 'warehouse', []],
    ['paid', 'customer', ['cancelled']],
    ['paid', 'warehouse', ['shipped']],
    ['paid', 'admin', ['cancelled', 'shipped', 'refunded']],
    ['shipped', 'customer', []],
    ['shipped', 'support', ['delivered']],
    ['delivered', 'admin', ['refunded']],
  ] as const)('lets an order that is %s be moved by %s to %j', (from, role, to) =>
    expect(allowedTransitions(from, role)).toEqual(to),
  )

  it.each(orderStatuses)('gives auditors and strangers no step from %s', from => {
    expect(allowedTransitions(from, 'auditor')).toEqual([])
    expect(allowedTransitions(from, 'anonymous')).toEqual([])
  })

  it.each(orderStatuses)('gives the shop itself every step from %s', from => {
    expect(allowedTransitions(from, 'system')).toEqual(next[from])
    for (const role of roles) {
      for (const to of allowedTransitions(from, role)) expect(mayMove(from, to)).toBe(true)
    }
  })
})
