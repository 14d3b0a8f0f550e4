// What the provider tells of refunds and disputes is recorded once, in whatever order it comes.
import { describe, expect, it } from 'vitest'
import { type OrderEvent, order } from '../../src/domain/order/order.ts'
import { archive, cancel } from '../../src/domain/order/orderDecisions.ts'
import { requestRefund } from '../../src/domain/order/orderPayments.ts'
import {
  type ProviderDispute,
  recordDispute,
  recordRefund,
} from '../../src/domain/order/providerMoney.ts'
import { gbp, orderEvents, orderId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenOrder = given(order)
const { submitted, placed, paid, shipped, delivered, cancelledPaid, latePayment, expired } =
  orderEvents
/** 8.50, captured by the simulated provider. */
const bought = [submitted, placed, paid]
const paymentId = sampleId(51)
const disputeId = sampleId(91)

const told = (amount: number, more: { hasFailed?: boolean; refundId?: string } = {}) => ({
  refundId: sampleId(62),
  ...{ paymentId, provider: 'simulated', reference: 're_1' },
  amount: gbp(amount),
  hasFailed: false,
  ...more,
})
const made = (amount: number, refundId = sampleId(62)): OrderEvent => ({
  type: 'OrderRefunded',
  data: {
    ...{ orderId, refundId, amount: gbp(amount), reference: 're_1', provider: 'simulated' },
    reason: 'Refunded at the payment provider.',
  },
})
const announced = (amount: number, refundId = sampleId(62)): OrderEvent => ({
  type: 'RefundRequested',
  data: { orderId, refundId, amount: gbp(amount), reason: 'Broken' },
})
const didNot = 'The payment provider could not pay it back.'

describe('a refund made in the dashboard', () => {
  it('is booked, and the order ends when nothing is left', () => {
    givenOrder(...bought)
      .when(state => recordRefund(state, told(300)))
      .then([made(300)])
    const { state } = givenOrder(...bought, made(300), made(550, sampleId(63)))
    expect(state).toMatchObject({ status: 'refunded', refunded: 850 })
  })

  it('is booked once', () =>
    givenOrder(...bought, made(300))
      .when(state => recordRefund(state, told(300)))
      .thenNothing())

  it('is refused above what is left, to the penny, and takes what is set aside for another', () => {
    const situation = givenOrder(...bought, made(300), announced(500, sampleId(63)))
    const more = { refundId: sampleId(64) }
    situation
      .when(state => recordRefund(state, told(551, more)))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(550) })
    situation.when(state => recordRefund(state, told(550, more))).then([made(550, sampleId(64))])
  })

  it('is refused in another currency, for another payment and of another provider', () => {
    const situation = givenOrder(...bought)
    const euro = { ...told(300), amount: { amount: 300, currency: 'EUR' } }
    situation.when(state => recordRefund(state, euro)).thenRejected('payment/mismatch')
    const other = { ...told(300), paymentId: sampleId(52) }
    situation.when(state => recordRefund(state, other)).thenRejected('payment/unknown')
    const foreign = { ...told(300), provider: 'stripe' }
    situation.when(state => recordRefund(state, foreign)).thenRejected('payment/unknown')
    givenOrder()
      .when(state => recordRefund(state, told(300)))
      .thenRejected('payment/unknown')
  })
})

describe('a refund that the shop has asked for', () => {
  it('is finished by what the provider tells, with its own reason', () =>
    givenOrder(...bought, announced(300))
      .when(state => recordRefund(state, told(300)))
      .then([
        {
          type: 'OrderRefunded',
          data: { orderId, refundId: sampleId(62), amount: gbp(300), reason: 'Broken' },
        },
      ]))

  it('fails by it', () =>
    givenOrder(...bought, announced(300))
      .when(state => recordRefund(state, told(300, { hasFailed: true })))
      .then([{ type: 'RefundFailed', data: { orderId, refundId: sampleId(62), reason: didNot } }]))
})

describe('a refund that failed', () => {
  const reversed: OrderEvent = {
    type: 'RefundReversed',
    data: { orderId, refundId: sampleId(62), amount: gbp(300), reason: didNot },
  }

  it('takes back what was booked, so that it can be paid back another way', () => {
    givenOrder(...bought, made(300))
      .when(state => recordRefund(state, told(300, { hasFailed: true })))
      .then([reversed])
    const after = givenOrder(...bought, made(300), reversed)
    expect(after.state).toMatchObject({ refunded: 0 })
    after
      .when(state => requestRefund(state, { refundId: sampleId(65), reason: 'By bank' }))
      .then([
        {
          type: 'RefundRequested',
          data: { orderId, refundId: sampleId(65), amount: gbp(850), reason: 'By bank' },
        },
      ])
  })

  it('is refused where it was more than has been paid back', () =>
    givenOrder(...bought, made(300))
      .when(state => recordRefund(state, told(301, { hasFailed: true })))
      .thenRejected('payment/mismatch'))

  it('stays failed, whatever comes after', () => {
    for (const hasFailed of [false, true]) {
      givenOrder(...bought, made(300), reversed)
        .when(state => recordRefund(state, told(300, { hasFailed })))
        .thenNothing()
    }
  })

  it('is shown when it is heard of for the first time, and books nothing', () => {
    const { state } = givenOrder(...bought)
    const decision = recordRefund(state, told(300, { hasFailed: true }))
    expect(decision).toMatchObject([{ type: 'RefundRequested' }, { type: 'RefundFailed' }])
    const after = givenOrder(...bought, ...(decision as OrderEvent[]))
    expect(after.state).toMatchObject({ refunded: 0, failedRefunds: [sampleId(62)] })
    after.when(then => recordRefund(then, told(300))).thenNothing()
  })
})

describe('a late payment', () => {
  const late = [submitted, placed, expired, latePayment]
  it('that goes back in the dashboard has gone back', () =>
    givenOrder(...late)
      .when(state => recordRefund(state, told(850)))
      .then([
        {
          type: 'LatePaymentRefused',
          data: {
            ...{ orderId, paymentId, refundId: sampleId(62), amount: gbp(850) },
            reason: 'Refunded at the payment provider.',
          },
        },
        {
          type: 'LatePaymentReturned',
          data: { orderId, paymentId, refundId: sampleId(62), amount: gbp(850) },
        },
      ]))

  it('does not go back in parts', () =>
    givenOrder(...late)
      .when(state => recordRefund(state, told(849)))
      .thenRejected('payment/mismatch'))
})

const dispute = (more: Partial<ProviderDispute> = {}): ProviderDispute => ({
  ...{ disputeId, paymentId, provider: 'simulated', reference: 'du_1', reason: 'fraudulent' },
  amount: gbp(850),
  stage: 'needs_response',
  outcome: null,
  dueBy: 9_000,
  asOf: 1_000,
  ...more,
})
const opened = (more: Partial<ProviderDispute> = {}): OrderEvent => {
  const { outcome: _, ...data } = dispute(more)
  return { type: 'DisputeOpened', data: { orderId, ...data } }
}
const closed = (outcome: 'won' | 'lost' | 'dropped', asOf = 2_000): OrderEvent => ({
  type: 'DisputeClosed',
  data: { orderId, disputeId, amount: gbp(850), outcome, asOf },
})

describe('a dispute', () => {
  it('is opened once, and closed once', () => {
    givenOrder(...bought)
      .when(state => recordDispute(state, dispute()))
      .then([opened()])
    givenOrder(...bought, opened())
      .when(state => recordDispute(state, dispute()))
      .thenNothing()
    givenOrder(...bought, opened())
      .when(state => recordDispute(state, dispute({ outcome: 'lost', asOf: 2_000 })))
      .then([closed('lost')])
    givenOrder(...bought, opened(), closed('lost'))
      .when(state => recordDispute(state, dispute({ outcome: 'lost', asOf: 3_000 })))
      .thenNothing()
  })

  it('whose end comes first is opened and closed; its beginning is then no news', () => {
    givenOrder(...bought)
      .when(state => recordDispute(state, dispute({ outcome: 'won', asOf: 2_000 })))
      .then([opened({ asOf: 2_000 }), closed('won')])
    givenOrder(...bought, opened({ asOf: 2_000 }), closed('won'))
      .when(state => recordDispute(state, dispute()))
      .thenNothing()
  })

  it('takes news of its course that are newer, and no older ones', () => {
    const review = dispute({ stage: 'under_review', asOf: 1_500 })
    givenOrder(...bought, opened())
      .when(state => recordDispute(state, review))
      .then([
        {
          type: 'DisputeChanged',
          data: {
            ...{ orderId, disputeId, amount: gbp(850), stage: 'under_review' },
            ...{ dueBy: 9_000, asOf: 1_500 },
          },
        },
      ])
    const later = opened({ stage: 'under_review', asOf: 1_500 })
    for (const asOf of [1_499, 1_500]) {
      givenOrder(...bought, later)
        .when(state => recordDispute(state, dispute({ asOf })))
        .thenNothing()
    }
  })

  it('that was lost can be won by an appeal, and is not lost again by older news', () => {
    givenOrder(...bought, opened(), closed('lost'))
      .when(state => recordDispute(state, dispute({ outcome: 'won', asOf: 3_000 })))
      .then([closed('won', 3_000)])
    givenOrder(...bought, opened(), closed('lost'), closed('won', 3_000))
      .when(state => recordDispute(state, dispute({ outcome: 'lost', asOf: 2_000 })))
      .thenNothing()
  })

  it('is refused for a payment that the order does not have, or in another currency', () => {
    const situation = givenOrder(...bought)
    const other = dispute({ paymentId: sampleId(52) })
    situation.when(state => recordDispute(state, other)).thenRejected('payment/unknown')
    const euro = dispute({ amount: { amount: 850, currency: 'EUR' } })
    situation.when(state => recordDispute(state, euro)).thenRejected('payment/mismatch')
  })

  it('keeps its money from being paid back while it is open and when it is lost', () => {
    const asked = { refundId: sampleId(65), amount: gbp(1), reason: 'Broken' }
    for (const events of [[opened()], [opened(), closed('lost')]]) {
      givenOrder(...bought, ...events)
        .when(state => requestRefund(state, asked))
        .thenRejected('order/refund-exceeds-capture', { refundable: gbp(0) })
    }
    const ofLateMoney = [opened({ paymentId: sampleId(52) })]
    const free = [[opened(), closed('won')], [opened({ stage: 'inquiry' })], ofLateMoney, []]
    for (const events of free) {
      givenOrder(...bought, ...events)
        .when(state => requestRefund(state, asked))
        .then([announced(1, sampleId(65))].map(event => ({ ...event })))
    }
  })

  it('of an order that is then cancelled leaves nothing owed, unless it is won', () => {
    const cancelled = { ...orderEvents.cancelled }
    givenOrder(...bought, opened())
      .when(state => cancel(state, 'Changed my mind'))
      .then([cancelled])
    const after = givenOrder(...bought, opened(), cancelled)
    expect(after.state).toMatchObject({ refundDue: 0 })
    expect(givenOrder(...bought, opened(), cancelled, closed('won')).state).toMatchObject({
      refundDue: 850,
    })
    expect(givenOrder(...bought, opened(), cancelled, closed('lost')).state).toMatchObject({
      refundDue: 0,
    })
  })

  it('takes off what a cancelled order owes still', () => {
    const owing = [...bought, cancelledPaid, opened({ amount: gbp(300) })]
    expect(givenOrder(...owing).state).toMatchObject({ refundDue: 550 })
  })

  it('keeps an order from being archived while it is open', () => {
    const done = [...bought, shipped, delivered]
    givenOrder(...done, opened())
      .when(archive)
      .thenRejected('order/not-finished')
    givenOrder(...done, opened(), closed('lost'))
      .when(archive)
      .then([{ type: 'OrderArchived', data: { orderId } }])
  })
})
