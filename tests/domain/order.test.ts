// What may happen to an order, from its submission to its end.
import { describe, expect, it } from 'vitest'
import { demand, type OrderEvent, order } from '../../src/domain/order/order.ts'
import {
  cancel,
  capture,
  changeDelivery,
  conclude,
  deliver,
  failPayment,
  requestPayment,
  ship,
  submit,
} from '../../src/domain/order/orderDecisions.ts'
import {
  gbp,
  orderEvents,
  orderId,
  orderLine,
  otherProductId,
  productId,
  sampleId,
  submission,
} from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenOrder = given(order)
const {
  submitted,
  placed,
  rejected,
  paymentRequested,
  paid,
  paymentFailed,
  shipped,
  delivered,
  cancelled,
  cancelledPaid,
} = orderEvents
const payment = { paymentId: sampleId(51), provider: 'simulated', method: 'card' }
const captured = { paymentId: sampleId(51), provider: 'simulated', reference: 'CH-1' }

describe('submitting an order', () => {
  it('records the intent to buy', () =>
    givenOrder()
      .when(state => submit(state, submission()))
      .then([submitted]))

  it('may be about money without goods', () => {
    const charges = [{ code: 'POST', name: 'Postage', amount: gbp(1_800) }]
    const postage = submission({ lines: [], charges, total: gbp(1_800), cartId: null })
    givenOrder()
      .when(state => submit(state, postage))
      .then([{ type: 'OrderSubmitted', data: postage }])
  })

  it('is refused when there is nothing to order', () =>
    givenOrder()
      .when(state => submit(state, submission({ lines: [] })))
      .thenRejected('cart/empty'))

  it('is refused above what a number can say exactly, in pieces and in money', () => {
    const most = submission({ total: gbp(9_007_199_254_740_991) })
    givenOrder()
      .when(state => submit(state, most))
      .then([{ type: 'OrderSubmitted', data: most }])
    const lines = [orderLine({ quantity: 1_000_000 }), orderLine({ quantity: 1 })]
    for (const changes of [{ total: gbp(9_007_199_254_740_992) }, { lines }]) {
      givenOrder()
        .when(state => submit(state, submission(changes)))
        .thenRejected('cart/quantity-limit', { limit: 1_000_000 })
    }
  })

  it('happens once', () =>
    givenOrder(submitted)
      .when(state => submit(state, submission({ total: gbp(1) })))
      .thenNothing())
})

describe('the demand of an order', () => {
  it('is summed per product over all its lines', () => {
    const lines = [
      orderLine({ quantity: 2 }),
      orderLine({ productId: otherProductId, quantity: 5 }),
      orderLine({ quantity: 3, unitPrice: gbp(399) }),
    ]
    expect([...demand({ lines })]).toEqual([
      [productId, 5],
      [otherProductId, 5],
    ])
  })
})

describe('concluding the placing', () => {
  it('places an order that nothing is missing from', () =>
    givenOrder(submitted)
      .when(state => conclude(state, new Set()))
      .then([placed]))

  it('rejects one that some product is short for, with the whole demand of it', () => {
    const lines = [orderLine({ quantity: 2 }), orderLine({ quantity: 3 })]
    givenOrder({ type: 'OrderSubmitted', data: submission({ lines }) })
      .when(state => conclude(state, new Set([productId])))
      .then([
        {
          type: 'OrderRejected',
          data: { orderId, short: [{ productId, sku: 'LANTERN', wanted: 5 }] },
        },
      ])
  })

  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => conclude(state, new Set()))
      .thenRejected('order/not-found'))

  it('keeps the first conclusion, whichever comes after it', () => {
    givenOrder(submitted, placed)
      .when(state => conclude(state, new Set([productId])))
      .thenNothing()
    givenOrder(submitted, rejected)
      .when(state => conclude(state, new Set()))
      .thenNothing()
  })
})

describe('changing the delivery', () => {
  const delivery = { shippingAddress: '2 Low Street, York', phoneNumber: '+44 190 400000' }
  const changed = {
    type: 'DeliveryDetailsChanged',
    data: { orderId, customerId: submission().customerId, delivery },
  } as const satisfies OrderEvent

  it.each([
    ['pending', [submitted, placed]],
    ['paid', [submitted, placed, paid]],
  ])('is possible while the order is %s', (_, events) =>
    givenOrder(...events)
      .when(state => changeDelivery(state, delivery))
      .then([changed]),
  )

  it('says to which country and why, where that was said', () => {
    const more = { country: 'FR', reason: 'A typo' }
    const { data } = changed
    const moved: OrderEvent = { ...changed, data: { ...data, ...more } }
    givenOrder(submitted, placed, paid)
      .when(state => changeDelivery(state, delivery, more))
      .then([moved])
    givenOrder(submitted, placed, paid, moved)
      .when(state => changeDelivery(state, delivery, { country: 'FR' }))
      .thenNothing()
  })

  it('gives an address to an order that had none', () =>
    givenOrder({ type: 'OrderSubmitted', data: submission({ delivery: null }) }, placed)
      .when(state => changeDelivery(state, delivery))
      .then([changed]))

  it.each([
    ['submitted', [submitted]],
    ['shipped', [submitted, placed, paid, shipped]],
    ['cancelled', [submitted, placed, cancelled]],
  ])('is refused once the order is %s', (status, events) =>
    givenOrder(...events)
      .when(state => changeDelivery(state, delivery))
      .thenRejected('order/illegal-transition', { status }),
  )

  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => changeDelivery(state, delivery))
      .thenRejected('order/not-found'))

  it('records nothing when nothing differs', () =>
    givenOrder(submitted, placed, changed)
      .when(state => changeDelivery(state, delivery))
      .thenNothing())
})

describe('requesting a payment', () => {
  it('announces the whole total before the provider is asked', () =>
    givenOrder(submitted, placed)
      .when(state => requestPayment(state, payment))
      .then([paymentRequested]))

  it('is refused while another payment is under way', () =>
    givenOrder(submitted, placed, paymentRequested)
      .when(state => requestPayment(state, { ...payment, paymentId: sampleId(52) }))
      .thenRejected('order/payment-in-progress'))

  it('is refused once the order is paid', () =>
    givenOrder(submitted, placed, paymentRequested, paid)
      .when(state => requestPayment(state, { ...payment, paymentId: sampleId(52) }))
      .thenRejected('order/illegal-transition', { status: 'paid' }))

  it('is refused before the order is placed', () =>
    givenOrder(submitted)
      .when(state => requestPayment(state, payment))
      .thenRejected('order/illegal-transition', { status: 'submitted' }))

  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => requestPayment(state, payment))
      .thenRejected('order/not-found'))

  it('announces a payment once, before and after its end', () => {
    givenOrder(submitted, placed, paymentRequested)
      .when(state => requestPayment(state, payment))
      .thenNothing()
    givenOrder(submitted, placed, paymentRequested, paid)
      .when(state => requestPayment(state, payment))
      .thenNothing()
  })

  it('is possible again after a payment has failed', () =>
    givenOrder(submitted, placed, paymentRequested, paymentFailed)
      .when(state => requestPayment(state, payment))
      .then([paymentRequested]))
})

describe('capturing a payment', () => {
  it('pays an order whose payment was announced', () =>
    givenOrder(submitted, placed, paymentRequested)
      .when(state => capture(state, captured))
      .then([paid]))

  it('pays an order whose money came in some other way', () =>
    givenOrder(submitted, placed)
      .when(state => capture(state, captured))
      .then([paid]))

  it('is refused while another payment is under way, so that nobody pays twice', () =>
    givenOrder(submitted, placed, paymentRequested)
      .when(state => capture(state, { ...captured, paymentId: sampleId(52) }))
      .thenRejected('order/payment-in-progress'))

  it('is refused once another payment has paid the order', () =>
    givenOrder(submitted, placed, paid)
      .when(state => capture(state, { ...captured, paymentId: sampleId(52) }))
      .thenRejected('order/illegal-transition', { status: 'paid' }))

  it('is refused for an order that is cancelled', () =>
    givenOrder(submitted, placed, cancelled)
      .when(state => capture(state, captured))
      .thenRejected('order/illegal-transition', { status: 'cancelled', allowedTransitions: [] }))

  it('happens once for a payment, also when its answer comes late', () => {
    for (const later of [[], [shipped], [shipped, delivered], [cancelledPaid]]) {
      givenOrder(submitted, placed, paymentRequested, paid, ...later)
        .when(state => capture(state, captured))
        .thenNothing()
    }
  })
})

describe('failing a payment', () => {
  it('records why, and the order is still open', () => {
    const asked = givenOrder(submitted, placed, paymentRequested)
    asked.when(state => failPayment(state, payment.paymentId, 'declined')).then([paymentFailed])
    const { state } = givenOrder(submitted, placed, paymentRequested, paymentFailed)
    expect(state).toMatchObject({ status: 'pending', openPayment: null, captured: 0 })
  })

  it('does not end the payment of somebody else', () =>
    givenOrder(submitted, placed, paymentRequested)
      .when(state => failPayment(state, sampleId(52), 'declined'))
      .thenNothing())

  it('is refused for an order that never was', () =>
    givenOrder()
      .when(state => failPayment(state, payment.paymentId, 'declined'))
      .thenRejected('order/not-found'))

  it('does not undo a capture', () =>
    givenOrder(submitted, placed, paymentRequested, paid)
      .when(state => failPayment(state, payment.paymentId, 'declined'))
      .thenNothing())

  it('happens once', () =>
    givenOrder(submitted, placed, paymentRequested, paymentFailed)
      .when(state => failPayment(state, payment.paymentId, 'declined'))
      .thenNothing())
})

describe('shipping and delivering', () => {
  it('hands a paid order over, with a tracking number where there is one', () => {
    const ready = givenOrder(submitted, placed, paid)
    ready.when(state => ship(state, undefined)).then([shipped])
    ready
      .when(state => ship(state, 'RM 1234'))
      .then([{ type: 'OrderShipped', data: { orderId, tracking: 'RM 1234' } }])
  })

  it('refuses to ship what is not paid', () =>
    givenOrder(submitted, placed)
      .when(state => ship(state, undefined))
      .thenRejected('order/illegal-transition', {
        allowedTransitions: ['paid', 'expired', 'cancelled'],
      }))

  it('ships once', () =>
    givenOrder(submitted, placed, paid, shipped)
      .when(state => ship(state, undefined))
      .thenNothing())

  it('corrects a tracking number, once', () => {
    const changed: OrderEvent = { type: 'TrackingChanged', data: { orderId, tracking: 'RM 1' } }
    const sent = givenOrder(submitted, placed, paid, shipped)
    sent.when(state => ship(state, 'RM 1')).then([changed])
    sent.when(state => ship(state, undefined)).thenNothing()
    givenOrder(submitted, placed, paid, shipped, changed)
      .when(state => ship(state, 'RM 1'))
      .thenNothing()
  })

  it('delivers what is shipped', () =>
    givenOrder(submitted, placed, paid, shipped).when(deliver).then([delivered]))

  it('refuses to deliver what is not shipped', () =>
    givenOrder(submitted, placed, paid)
      .when(deliver)
      .thenRejected('order/illegal-transition', { status: 'paid' }))

  it('delivers once', () =>
    givenOrder(submitted, placed, paid, shipped, delivered).when(deliver).thenNothing())

  it('remembers that the goods have left, whatever comes after', () => {
    const { state } = givenOrder(submitted, placed, paid, shipped, orderEvents.refunded)
    expect(state).toMatchObject({ status: 'refunded', handedOver: true })
  })
})

describe('cancelling an order', () => {
  const reason = 'Changed my mind'

  it('owes nothing when nothing is paid', () => {
    givenOrder(submitted, placed)
      .when(state => cancel(state, reason))
      .then([cancelled])
    expect(givenOrder(submitted, placed, cancelled).state).toMatchObject({ refundDue: 0 })
  })

  it('owes back the whole capture of a paid order', () => {
    givenOrder(submitted, placed, paid)
      .when(state => cancel(state, reason))
      .then([cancelledPaid])
    const { state } = givenOrder(submitted, placed, paid, cancelledPaid)
    expect(state).toMatchObject({ status: 'cancelled', refundDue: 850, captured: 850 })
  })

  it('owes what was not paid back before', () => {
    const part = { ...orderEvents.refunded.data, amount: gbp(300) }
    givenOrder(submitted, placed, paid, { type: 'OrderRefunded', data: part })
      .when(state => cancel(state, reason))
      .then([{ type: 'OrderCancelled', data: { orderId, reason, refund: gbp(550) } }])
  })

  it('is refused while a payment is under way, whose answer nobody knows', () =>
    givenOrder(submitted, placed, paymentRequested)
      .when(state => cancel(state, reason))
      .thenRejected('order/payment-in-progress'))

  it('is possible once that payment has failed', () =>
    givenOrder(submitted, placed, paymentRequested, paymentFailed)
      .when(state => cancel(state, reason))
      .then([cancelled]))

  it('is refused once the order is shipped', () =>
    givenOrder(submitted, placed, paid, shipped)
      .when(state => cancel(state, reason))
      .thenRejected('order/illegal-transition', { allowedTransitions: ['delivered', 'refunded'] }))

  it('happens once', () =>
    givenOrder(submitted, placed, cancelled)
      .when(state => cancel(state, 'Again'))
      .thenNothing())
})
