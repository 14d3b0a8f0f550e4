// Money and goods that go back: never more than was captured, never more than was sold.
import { describe, expect, it } from 'vitest'
import { type OrderEvent, order } from '../../src/domain/order/order.ts'
import { refund, returnItems } from '../../src/domain/order/orderDecisions.ts'
import {
  gbp,
  orderEvents,
  orderId,
  orderLine,
  otherProductId,
  sampleId,
} from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenOrder = given(order)
const { submitted, placed, paid, shipped, cancelledPaid } = orderEvents

const back = (amount: number, refundId = sampleId(62)) => ({
  refundId,
  amount: gbp(amount),
  reason: 'Broken',
})

const refunded = (amount: number, refundId = sampleId(62)): OrderEvent => ({
  type: 'OrderRefunded',
  data: { orderId, ...back(amount, refundId) },
})

const goods = (quantity: number, returnId = sampleId(81)) => ({
  returnId,
  reference: 'C536379',
  lines: [orderLine({ quantity })],
  charges: [],
})

const returned = (quantity: number, returnId = sampleId(81)): OrderEvent => ({
  type: 'ItemsReturned',
  data: { orderId, ...goods(quantity, returnId), amount: gbp(425 * quantity) },
})

const sold = [submitted, placed, paid, shipped]

describe('refunding', () => {
  it('pays a part back, and the order goes on', () => {
    const bought = [submitted, placed, paid, shipped]
    givenOrder(...bought)
      .when(state => refund(state, back(300)))
      .then([refunded(300)])
    const { state } = givenOrder(...bought, refunded(300))
    expect(state).toMatchObject({ status: 'shipped', refunded: 300 })
  })

  it('ends the order when the whole is paid back, in however many parts', () => {
    const { state } = givenOrder(
      submitted,
      placed,
      paid,
      refunded(300),
      refunded(550, sampleId(63)),
    )
    expect(state).toMatchObject({ status: 'refunded', refunded: 850 })
  })
})

describe('the limit of refunds', () => {
  it('is refused above the capture', () =>
    givenOrder(submitted, placed, paid)
      .when(state => refund(state, back(851)))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(850) }))

  it('is refused above the capture by two refunds, to the penny', () => {
    const once = givenOrder(submitted, placed, paid, refunded(300))
    once.when(state => refund(state, back(550, sampleId(63)))).then([refunded(550, sampleId(63))])
    once
      .when(state => refund(state, back(551, sampleId(63))))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(550) })
  })

  it('is refused above what is left beside a refund that is under way', () => {
    const requested: OrderEvent = {
      type: 'RefundRequested',
      data: { orderId, ...back(800, sampleId(63)) },
    }
    const other = givenOrder(submitted, placed, paid, requested)
    other
      .when(state => refund(state, back(51)))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(50) })
    other.when(state => refund(state, back(50))).then([refunded(50)])
    other.when(state => refund(state, back(800, sampleId(63)))).then([refunded(800, sampleId(63))])
  })

  it('is refused in another currency', () =>
    givenOrder(submitted, placed, paid)
      .when(state => refund(state, { ...back(1), amount: { amount: 1, currency: 'EUR' } }))
      .thenRejected('order/refund-exceeds-capture'))
})

describe('a refund that was asked for', () => {
  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => refund(state, back(1)))
      .thenRejected('order/not-found'))

  it('happens once for a refund id, also once the order has ended', () => {
    givenOrder(submitted, placed, paid, refunded(300))
      .when(state => refund(state, back(300)))
      .thenNothing()
    givenOrder(submitted, placed, paid, refunded(850))
      .when(state => refund(state, back(850)))
      .thenNothing()
  })

  it('settles what a cancelled order owes, which stays cancelled', () => {
    const owing = [submitted, placed, paid, cancelledPaid]
    givenOrder(...owing)
      .when(state => refund(state, back(850)))
      .then([refunded(850)])
    const { state } = givenOrder(...owing, refunded(850))
    expect(state).toMatchObject({ status: 'cancelled', refundDue: 0, refunded: 850 })
  })

  it('owes only the rest when more goes back than was announced', () => {
    const announced: OrderEvent = {
      type: 'RefundRequested',
      data: { orderId, ...back(100) },
    }
    const { state } = givenOrder(submitted, placed, paid, cancelledPaid, announced, refunded(300))
    const { state: before } = givenOrder(submitted, placed, paid, cancelledPaid)
    if (state.status === 'none' || before.status === 'none') throw new Error('no order')
    expect(state.refundDue).toBe(before.refundDue - 300)
  })
})

describe('taking goods back', () => {
  it('owes the price they were sold for', () =>
    givenOrder(...sold)
      .when(state => returnItems(state, goods(1)))
      .then([returned(1)]))

  it('counts charges that are given back in', () => {
    const charges = [{ code: 'POST', name: 'Postage', amount: gbp(100) }]
    givenOrder(...sold)
      .when(state => returnItems(state, { ...goods(1), charges }))
      .then([{ type: 'ItemsReturned', data: { orderId, ...goods(1), charges, amount: gbp(525) } }])
  })

  it('ends the order when everything has come back', () => {
    const { state } = givenOrder(...sold, returned(1), returned(1, sampleId(82)))
    expect(state).toMatchObject({ status: 'refunded', refunded: 850 })
  })
})

describe('the limit of returns', () => {
  it('is refused above what was sold', () =>
    givenOrder(...sold)
      .when(state => returnItems(state, goods(3)))
      .thenRejected('order/refund-exceeds-capture'))

  it('is refused above what was sold by two returns, whatever they cost', () => {
    const cheap = { ...goods(2, sampleId(82)), lines: [{ ...orderLine(), total: gbp(1) }] }
    givenOrder(...sold, returned(1))
      .when(state => returnItems(state, cheap))
      .thenRejected('order/refund-exceeds-capture')
  })

  it('sums the lines of one product before it compares', () =>
    givenOrder(...sold)
      .when(state => returnItems(state, { ...goods(1), lines: [orderLine(), orderLine()] }))
      .thenRejected('order/refund-exceeds-capture'))

  it('is refused for goods that the order never had', () => {
    const lines = [orderLine({ productId: otherProductId, quantity: 1 })]
    givenOrder(...sold)
      .when(state => returnItems(state, { ...goods(1), lines }))
      .thenRejected('order/refund-exceeds-capture')
  })

  it('is refused above the capture together with refunds', () =>
    givenOrder(...sold, {
      type: 'OrderRefunded',
      data: { orderId, refundId: sampleId(62), amount: gbp(426), reason: 'Late' },
    })
      .when(state => returnItems(state, goods(1)))
      .thenRejected('order/refund-exceeds-capture', { refundable: gbp(424) }))
})

describe('a return that was asked for', () => {
  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => returnItems(state, goods(1)))
      .thenRejected('order/not-found'))

  it('happens once for a return', () =>
    givenOrder(...sold, returned(1))
      .when(state => returnItems(state, goods(1)))
      .thenNothing())
})
