// Payments and refunds that take their time: what expires, what comes late, what goes back.
import { describe, expect, it } from 'vitest'
import { type OrderEvent, order } from '../../src/domain/order/order.ts'
import { archive, cancel, refund, requestPayment } from '../../src/domain/order/orderDecisions.ts'
import {
  acceptLatePayment,
  confirmRefund,
  deadlineOf,
  expire,
  failRefund,
  receivePayment,
  refuseLatePayment,
  requestRefund,
  returnLatePayment,
} from '../../src/domain/order/orderPayments.ts'
import { gbp, orderEvents, orderId, sampleId, submission } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenOrder = given(order)
const { submitted, placed, paid, expired, latePayment, refundRequested, paymentRequested } =
  orderEvents
const { cancelledPaid, delivered, shipped } = orderEvents

const until: OrderEvent = { type: 'PaymentDeadlineSet', data: { orderId, expiresAt: 1_000 } }
const pending = [submitted, placed, until]
const { paymentId } = latePayment.data
const received = { paymentId, provider: 'simulated', reference: 'CH-1' }
const payment = { paymentId, provider: 'simulated', method: 'card' }
const wish = (amount: number, id = 62) => ({
  refundId: sampleId(id),
  amount: gbp(amount),
  reason: 'Broken',
})

describe('an order that is not paid', () => {
  it('expires when its time has come, and not a millisecond before', () => {
    givenOrder(...pending)
      .when(state => expire(state, 999))
      .thenNothing()
    givenOrder(...pending)
      .when(state => expire(state, 1_000))
      .then([expired])
  })

  it('is not paid any more once its time has come, recorded or not', () => {
    givenOrder(...pending)
      .when(state => requestPayment(state, payment, 1_000))
      .thenRejected('order/expired')
    givenOrder(...pending, expired)
      .when(state => requestPayment(state, payment, 0))
      .thenRejected('order/expired')
  })

  it('never expires once a payment got there first, or without a deadline', () => {
    givenOrder(...pending, paid)
      .when(state => expire(state, 2_000))
      .thenNothing()
    givenOrder(submitted, placed)
      .when(state => expire(state, 2_000))
      .thenNothing()
  })

  it.each([
    ['card', 15],
    ['invoice', 75],
    ['bank_transfer', 75],
    ['ledger', null],
  ])('by %s waits until %s', (paymentMethod, until) => {
    const data = submission({ paymentMethod })
    const { state } = givenOrder({ type: 'OrderSubmitted', data })
    expect(deadlineOf(state, 5, { orderExpiryMs: 10, manualPaymentMs: 70 })).toBe(until)
  })
})

describe('money that comes late', () => {
  const late = [...pending, paymentRequested, expired, latePayment]

  it('is recorded, once', () => {
    givenOrder(...pending, paymentRequested, expired)
      .when(state => receivePayment(state, received))
      .then([latePayment])
    givenOrder(...late)
      .when(state => receivePayment(state, received))
      .thenNothing()
  })

  it('pays the order after all when its goods can be had', () => {
    givenOrder(...late)
      .when(state => acceptLatePayment(state, paymentId))
      .then([paid])
    expect(givenOrder(...late, paid).state).toMatchObject({ status: 'paid', captured: 850 })
  })

  it('goes back otherwise, and then cannot pay it any more', () => {
    const back = { paymentId, refundId: sampleId(71), reason: 'Late' }
    const refused: OrderEvent = {
      type: 'LatePaymentRefused',
      data: { orderId, ...back, amount: gbp(850) },
    }
    givenOrder(...late)
      .when(state => refuseLatePayment(state, back))
      .then([refused])
    givenOrder(...late, refused)
      .when(state => acceptLatePayment(state, paymentId))
      .thenNothing()
    const { reason: _, ...returned } = refused.data
    givenOrder(...late, refused)
      .when(state => returnLatePayment(state, paymentId))
      .then([{ type: 'LatePaymentReturned', data: returned }])
  })

  it('from a second card is not a second payment', () => {
    givenOrder(...pending, paid)
      .when(state => receivePayment(state, { ...received, paymentId: sampleId(52) }))
      .then([
        { type: 'LatePaymentReceived', data: { ...latePayment.data, paymentId: sampleId(52) } },
      ])
  })
})

describe('a refund under way', () => {
  it('counts as paid back for everybody else', () => {
    givenOrder(...pending, paid, refundRequested)
      .when(state => requestRefund(state, wish(1)))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(0) })
    givenOrder(...pending, paid, refundRequested)
      .when(state => cancel(state, 'Late'))
      .then([{ type: 'OrderCancelled', data: { orderId, reason: 'Late', refund: null } }])
  })

  it('is everything that is left when no amount is said', () =>
    givenOrder(...pending, paid)
      .when(state => requestRefund(state, { refundId: sampleId(61), reason: 'Broken' }))
      .then([refundRequested]))

  it('is asked for again after it has failed', () => {
    const failed: OrderEvent = {
      type: 'RefundFailed',
      data: { orderId, refundId: sampleId(61), reason: 'no' },
    }
    givenOrder(...pending, paid, refundRequested)
      .when(state => failRefund(state, sampleId(61), 'no'))
      .then([failed])
    const { state } = givenOrder(...pending, paid, refundRequested, failed)
    expect(requestRefund(state, wish(850))).toMatchObject([{ type: 'RefundRequested' }])
  })

  it('ends as it was announced, whatever was announced beside it', () => {
    const other: OrderEvent = { type: 'RefundRequested', data: { orderId, ...wish(400, 63) } }
    const first: OrderEvent = { type: 'RefundRequested', data: { orderId, ...wish(450, 62) } }
    givenOrder(...pending, paid, first, other)
      .when(state => refund(state, wish(400, 63)))
      .then([{ type: 'OrderRefunded', data: { orderId, ...wish(400, 63) } }])
  })

  it('of what a cancelled order owes is owed once', () => {
    const { state } = givenOrder(...pending, paid, cancelledPaid, refundRequested)
    expect(state).toMatchObject({ refundDue: 0 })
    expect(requestRefund(state, wish(1))).toMatchObject({
      rejected: 'order/refund-exceeds-capture',
    })
  })
})

describe('archiving', () => {
  it('takes finished orders out of the lists, once', () => {
    const archived: OrderEvent = { type: 'OrderArchived', data: { orderId } }
    const finished = [...pending, paid, shipped, delivered]
    givenOrder(...finished)
      .when(archive)
      .then([archived])
    givenOrder(...finished, archived)
      .when(archive)
      .thenNothing()
    givenOrder(...pending)
      .when(archive)
      .thenRejected('order/not-finished')
    givenOrder(...pending, paid, shipped, delivered, refundRequested)
      .when(archive)
      .thenRejected('order/not-finished')
  })
})

describe('a refund that somebody says was paid by hand', () => {
  const asked: OrderEvent = { type: 'RefundRequested', data: { orderId, ...wish(400) } }
  const done: OrderEvent = {
    type: 'OrderRefunded',
    data: { orderId, ...wish(400), reference: 'BANK-1' },
  }
  const confirmed = { refundId: sampleId(62), reference: 'BANK-1' }

  it('is paid back where the provider does not do that by itself, and once', () => {
    givenOrder(submitted, placed, paid, asked)
      .when(state => confirmRefund(state, confirmed, 'stripe'))
      .then([done])
    givenOrder(submitted, placed, paid, asked, done)
      .when(state => confirmRefund(state, confirmed, 'stripe'))
      .thenNothing()
  })

  it('is refused where the provider does, and where it was not asked for', () => {
    const situation = givenOrder(submitted, placed, paid, asked)
    situation
      .when(state => confirmRefund(state, confirmed, 'simulated'))
      .thenRejected('order/refund-automatic')
    const other = { ...confirmed, refundId: sampleId(63) }
    situation
      .when(state => confirmRefund(state, other, 'stripe'))
      .thenRejected('order/refund-not-found')
  })
})
