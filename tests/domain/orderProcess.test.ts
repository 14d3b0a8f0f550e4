// The order process as a table: which steps each state calls for, written down by hand.
import { describe, expect, it } from 'vitest'
import { fold } from '../../src/domain/kernel/aggregate.ts'
import { type OrderEvent, order } from '../../src/domain/order/order.ts'
import { nextSteps } from '../../src/domain/order/orderProcess.ts'
import { orderStatuses } from '../../src/domain/order/orderStates.ts'
import { gbp, orderEvents, orderId, sampleId } from '../support/samples.ts'

const { submitted, placed, rejected, paid, paymentRequested, paymentFailed, shipped } = orderEvents
const { delivered, cancelled, cancelledPaid, expired, latePayment, refundRequested } = orderEvents
const { refunded } = orderEvents

const { paymentId, provider } = paid.data
const { refundId } = refundRequested.data
const deadline: OrderEvent = { type: 'PaymentDeadlineSet', data: { orderId, expiresAt: 1_000 } }
const payment = { paymentId, provider, method: 'card' }
const requested = [submitted, placed, deadline, paymentRequested]

const lateRefused: OrderEvent = {
  type: 'LatePaymentRefused',
  data: { orderId, paymentId, refundId: sampleId(71), amount: gbp(850), reason: 'Too late' },
}
const lateReturned: OrderEvent = {
  type: 'LatePaymentReturned',
  data: { orderId, paymentId, refundId: sampleId(71), amount: gbp(850) },
}
const secondLate: OrderEvent = {
  type: 'LatePaymentReceived',
  data: { ...latePayment.data, paymentId: sampleId(72) },
}
const dispute = { orderId, disputeId: sampleId(81), amount: gbp(850), asOf: 5 }
const disputed: OrderEvent = {
  type: 'DisputeOpened',
  data: {
    ...dispute,
    ...{ paymentId, provider, reference: 'DP-1', reason: 'fraudulent' },
    ...{ stage: 'needs_response', dueBy: null },
  },
}
const disputeWon: OrderEvent = { type: 'DisputeClosed', data: { ...dispute, outcome: 'won' } }
const refundFailed: OrderEvent = {
  type: 'RefundFailed',
  data: { orderId, refundId, reason: 'Account closed' },
}

const place = { type: 'place', id: 'place' }
const expire = { type: 'expire', id: 'expire' }
const release = { type: 'release', id: 'release', round: 0 }
const releaseOfRound1 = { type: 'release', id: 'release-1', round: 1 }
const commit = { type: 'commit', id: 'commit', round: 0 }
const charge = { type: 'charge', id: `charge/${paymentId}`, payment }
const cancelPayment = { type: 'cancelPayment', id: `cancelPayment/${paymentId}`, payment }
const acceptLate = { type: 'acceptLatePayment', id: `acceptLatePayment/${paymentId}`, paymentId }
const refuseLate = { type: 'refuseLatePayment', id: `refuseLatePayment/${paymentId}`, paymentId }
const returnLate = {
  type: 'returnLatePayment',
  id: `late-returned/${paymentId}`,
  ...{ refundId: sampleId(71), paymentId, provider, amount: gbp(850), reason: '' },
}
const refund = {
  type: 'refund',
  id: `refund/${refundId}`,
  ...{ refundId, paymentId, provider, amount: gbp(850), reason: 'Broken' },
}
const requestRefund = {
  type: 'requestRefund',
  id: 'owe',
  ...{ amount: gbp(850), refundName: 'refund/cancelled' },
}

/** What has happened, and the steps that follow from it one millisecond before the deadline. */
const table: [state: string, events: readonly OrderEvent[], steps: readonly object[]][] = [
  ['submitted', [submitted], [place]],
  ['rejected', [submitted, rejected], [release]],
  ['placed', [submitted, placed, deadline], []],
  ['placed without a deadline', [submitted, placed], []],
  ['with a payment that was requested', requested, [charge]],
  ['with a payment that failed', [...requested, paymentFailed], []],
  ['paid', [...requested, paid], []],
  ['paid and shipped', [...requested, paid, shipped], [commit]],
  ['delivered', [...requested, paid, shipped, delivered], [commit]],
  ['cancelled before payment', [submitted, placed, deadline, cancelled], [release]],
  ['cancelled after payment', [...requested, paid, cancelledPaid], [release, requestRefund]],
  [
    'cancelled, its refund requested',
    [...requested, paid, cancelledPaid, refundRequested],
    [release, refund],
  ],
  [
    'cancelled, its refund failed',
    [...requested, paid, cancelledPaid, refundRequested, refundFailed],
    [release],
  ],
  [
    'cancelled and paid back',
    [...requested, paid, cancelledPaid, refundRequested, refunded],
    [release],
  ],
  [
    'cancelled, with a dispute that is open',
    [...requested, paid, cancelledPaid, disputed],
    [release],
  ],
  [
    'cancelled, with a dispute that was won',
    [...requested, paid, cancelledPaid, disputed, disputeWon],
    [release, { ...requestRefund, id: 'owe/1', refundName: 'refund/cancelled/1' }],
  ],
  ['paid, with a refund requested', [...requested, paid, refundRequested], [refund]],
  [
    'shipped, with a refund requested',
    [...requested, paid, shipped, refundRequested],
    [commit, refund],
  ],
  ['refunded before it was shipped', [...requested, paid, refundRequested, refunded], [release]],
  [
    'refunded after it was shipped',
    [...requested, paid, shipped, refundRequested, refunded],
    [commit],
  ],
  ['expired', [submitted, placed, deadline, expired], [release]],
  ['expired with a payment under way', [...requested, expired], [release, cancelPayment]],
  ['expired with a late payment', [...requested, expired, latePayment], [acceptLate]],
  [
    'expired with two late payments',
    [...requested, expired, latePayment, secondLate],
    [
      acceptLate,
      { ...acceptLate, id: `acceptLatePayment/${sampleId(72)}`, paymentId: sampleId(72) },
    ],
  ],
  [
    'expired, its late payment refused',
    [...requested, expired, latePayment, lateRefused],
    [releaseOfRound1, returnLate],
  ],
  [
    'expired, its late payment returned',
    [...requested, expired, latePayment, lateRefused, lateReturned],
    [releaseOfRound1],
  ],
  ['paid by a late payment', [...requested, expired, latePayment, paid], []],
  [
    'cancelled, with a late payment',
    [submitted, placed, deadline, cancelled, latePayment],
    [release, refuseLate],
  ],
]

function stepsAfter(events: readonly OrderEvent[], now: number) {
  const state = fold(order, events)
  if (state.status === 'none') throw new Error('no order')
  return { status: state.status, steps: nextSteps(state, now) }
}

describe('the next steps of an order', () => {
  it.each(table)('that is %s', (_, events, steps) => {
    expect(stepsAfter(events, 999).steps).toEqual(steps)
  })

  it('are known for every status', () => {
    const statuses = new Set(table.map(([, events]) => stepsAfter(events, 0).status))
    expect([...statuses].sort()).toEqual([...orderStatuses].sort())
  })

  it.each([
    ['placed', [submitted, placed, deadline]],
    ['with a payment that was requested', requested],
    ['with a payment that failed', [...requested, paymentFailed]],
  ])('are to expire one that is %s at its deadline', (_, events) => {
    expect(stepsAfter(events, 1_000).steps).toEqual([expire])
  })

  it('do not change with time once it is paid', () => {
    expect(stepsAfter([...requested, paid], 10_000).steps).toEqual([])
  })
})
