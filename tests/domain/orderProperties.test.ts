// An order under any sequence of requests: money and goods are conserved, and an end is an end.
import fc from 'fast-check'
import { expect } from 'vitest'
import { fold } from '../../src/domain/kernel/aggregate.ts'
import { sum, times } from '../../src/domain/kernel/money.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import {
  demand,
  type Order,
  type OrderEvent,
  type OrderLine,
  order,
} from '../../src/domain/order/order.ts'
import {
  archive,
  cancel,
  capture,
  changeDelivery,
  conclude,
  deliver,
  failPayment,
  refund,
  requestPayment,
  returnItems,
  ship,
  submit,
} from '../../src/domain/order/orderDecisions.ts'
import { disputeOutcomes, disputeStages } from '../../src/domain/order/orderEvents.ts'
import {
  acceptLatePayment,
  expire,
  failRefund,
  receivePayment,
  refuseLatePayment,
  requestRefund,
  returnLatePayment,
} from '../../src/domain/order/orderPayments.ts'
import { allowedTransitions } from '../../src/domain/order/orderStates.ts'
import { recordDispute, recordRefund } from '../../src/domain/order/providerMoney.ts'
import { type Ask, aggregateProperties } from '../support/aggregateProperties.ts'
import { cartLine, gbp, sampleId, submission } from '../support/samples.ts'

const ids = [1, 2, 3].map(sampleId)
const productIds = fc.constantFrom(...ids)
const paymentIds = fc.constantFrom(...[51, 52].map(sampleId))
const refundIds = fc.constantFrom(...[61, 62, 63].map(sampleId))
const returnIds = fc.constantFrom(...[81, 82, 83].map(sampleId))
const amounts = fc.oneof(fc.nat(20), fc.nat(4_000))

const lines = fc.array(
  fc
    .record({
      productId: productIds,
      quantity: fc.integer({ min: 1, max: 4 }),
      price: fc.constantFrom(0, 1, 255, 425),
    })
    .map(({ productId, quantity, price }): OrderLine => {
      const line = cartLine({ productId, quantity, unitPrice: gbp(price) })
      return { ...line, total: times(line.unitPrice, quantity) }
    }),
  { maxLength: 3 },
)
const charges = fc.array(
  amounts.map(amount => ({ code: 'POST', name: 'Postage', amount: gbp(amount) })),
  { maxLength: 1 },
)
const submissions = fc.record({ lines, charges }).map(parts => {
  const totals = [...parts.lines.map(line => line.total), ...parts.charges.map(all => all.amount)]
  return submission({ ...parts, total: sum(totals, 'GBP') })
})

type OrderAsk = Ask<Order, OrderEvent>
type Decide<Input> = (state: Order, input: Input) => ReturnType<OrderAsk['decide']>

const ask = <Input>(asked: string, inputs: fc.Arbitrary<Input>, decide: Decide<Input>) =>
  inputs.map((input): OrderAsk => ({ asked, input, decide: state => decide(state, input) }))

const deliveries = fc.record({
  shippingAddress: fc.constantFrom('1 High Street', '2 Low Street'),
  phoneNumber: fc.constantFrom('1', '2'),
})

const refunds = fc.record({
  refundId: refundIds,
  amount: fc.record({ amount: amounts, currency: fc.constantFrom('GBP', 'GBP', 'GBP', 'EUR') }),
  reason: fc.constant('Broken'),
})

const returns = fc.record({ returnId: returnIds, reference: fc.constant('C1'), lines, charges })

const told = fc
  .record({ refundId: refundIds, amount: fc.nat(20), hasFailed: fc.boolean() })
  .map(({ amount, ...input }) => {
    const fixed = { paymentId: sampleId(51), provider: 'manual', reference: 're_1' }
    return { ...input, ...fixed, amount: gbp(amount) }
  })
const disputes = fc
  .record({
    disputeId: fc.constantFrom(...[91, 91, 92].map(sampleId)),
    paymentId: fc.constantFrom(...[51, 51, 52].map(sampleId)),
    amount: amounts,
    stage: fc.constantFrom(...disputeStages),
    outcome: fc.constantFrom(null, null, null, ...disputeOutcomes),
    asOf: fc.nat(9),
  })
  .map(({ amount, ...input }) => {
    const fixed = { provider: 'manual', reference: 'du_1', reason: 'fraudulent', dueBy: null }
    return { ...input, ...fixed, amount: gbp(amount) }
  })

const steps = {
  submit: ask('submit', submissions, submit),
  conclude: ask('conclude', fc.uniqueArray(productIds, { maxLength: 2 }), (state, refused) =>
    conclude(state, new Set(refused), 10),
  ),
  delivery: ask('change delivery', deliveries, changeDelivery),
  request: ask('request payment', paymentIds, (state, paymentId) =>
    requestPayment(state, { paymentId, provider: 'simulated', method: 'card' }),
  ),
  capture: ask('capture', paymentIds, (state, paymentId) =>
    capture(state, { paymentId, provider: 'simulated', reference: 'CH-1' }),
  ),
  fail: ask('fail payment', paymentIds, (state, id) => failPayment(state, id, 'declined')),
  ship: ask('ship', fc.option(fc.constant('RM 1'), { nil: undefined }), ship),
  deliver: ask('deliver', fc.constant(null), deliver),
  cancel: ask('cancel', fc.constant('Changed my mind'), cancel),
  refund: ask('refund', refunds, refund),
  requestRefund: ask('request refund', refunds, requestRefund),
  finishRefund: ask('finish refund', refundIds, (state, refundId) => {
    const open = state.status === 'none' ? undefined : state.openRefunds.get(refundId)
    return open === undefined ? [] : refund(state, { refundId, ...open })
  }),
  failRefund: ask('fail refund', refundIds, (state, id) => failRefund(state, id, 'no')),
  expire: ask('expire', fc.constantFrom(9, 10), expire),
  receive: ask('receive', paymentIds, (state, paymentId) =>
    receivePayment(state, { paymentId, provider: 'simulated', reference: 'CH-1' }),
  ),
  reinstate: ask('reinstate', paymentIds, acceptLatePayment),
  refuseLatePayment: ask('refuse late', paymentIds, (state, paymentId) =>
    refuseLatePayment(state, { paymentId, refundId: sampleId(71), reason: 'Late' }),
  ),
  returnLatePayment: ask('return late', paymentIds, returnLatePayment),
  archive: ask('archive', fc.constant(null), state => archive(state)),
  recordRefund: ask('record refund', told, recordRefund),
  recordDispute: ask('record dispute', disputes, recordDispute),
  recordNews: ask('record news', disputes, recordDispute),
  takeBack: ask('take back', returns, returnItems),
}

/** Orders that have got some way, so that the later steps are met as often as the first. */
const begun = fc.tuple(submissions, fc.nat(5)).map(([input, depth]) => {
  const way: ((state: Order) => ReturnType<OrderAsk['decide']>)[] = [
    state => submit(state, input),
    state => conclude(state, new Set(), 10),
    state => capture(state, { paymentId: sampleId(51), provider: 'manual', reference: 'CH-1' }),
    state => ship(state, undefined),
    deliver,
  ]
  const events: OrderEvent[] = []
  for (const decide of way.slice(0, depth)) {
    const decision = decide(fold(order, events))
    if (!isRejection(decision)) events.push(...decision)
  }
  return events
})

/** What the events say went back, added up without the fold. */
function paidBack(events: readonly OrderEvent[]): number {
  return events.reduce((total, event) => {
    const isMoneyBack = event.type === 'OrderRefunded' || event.type === 'ItemsReturned'
    if (event.type === 'RefundReversed') return total - event.data.amount.amount
    return isMoneyBack ? total + event.data.amount.amount : total
  }, 0)
}

function expectMoneyConserved(
  state: Exclude<Order, { status: 'none' }>,
  events: readonly OrderEvent[],
) {
  const paid = events.filter(event => event.type === 'OrderPaid')
  expect(paid.length).toBeLessThanOrEqual(1)
  expect(state.captured).toBe(paid[0]?.data.amount.amount ?? 0)
  expect(state.captured).toBe(paid.length === 1 ? state.total.amount : 0)
  expect(state.refunded).toBe(paidBack(events))
  expect(state.refunded).toBeLessThanOrEqual(state.captured)
  expect(state.refunded).toBeGreaterThanOrEqual(0)
  if (state.status !== 'cancelled') expect(state.refundDue).toBe(0)
  // The provider has paid back what was set aside for another refund, which cannot succeed now.
  if (events.some(event => event.type === 'OrderRefunded' && event.data.provider)) return
  const open = [...state.openRefunds.values()].reduce((sum, { amount }) => sum + amount.amount, 0)
  expect(state.refunded + open).toBeLessThanOrEqual(state.captured)
  const owed = events.some(({ type }) => type === 'RefundFailed') ? 0 : state.refundDue
  expect(owed).toBeLessThanOrEqual(state.captured - state.refunded - open)
}

aggregateProperties('an order', {
  aggregate: order,
  ids,
  asks: fc.oneof(...Object.values(steps)),
  begin: begun,
  invariant(state, events) {
    if (state.status === 'none') return
    expectMoneyConserved(state, events)
    const sold = demand(state)
    for (const [productId, quantity] of state.returned) {
      expect(quantity).toBeLessThanOrEqual(sold.get(productId) ?? 0)
    }
    if (state.openPayment !== null) expect(['pending', 'expired']).toContain(state.status)
    expect(new Set(state.refunds).size).toBe(state.refunds.length)
    const left = events.some(event => event.type === 'OrderShipped')
    expect(state.handedOver).toBe(left)
    if (left) expect(events.some(event => event.type === 'OrderPaid')).toBe(true)
  },
  settled(state) {
    if (state.status === 'none') return []
    const isOver = allowedTransitions(state.status).length === 0
    return [
      'submitted',
      ...(isOver ? [`over: ${state.status}`] : []),
      ...(state.handedOver ? ['handed over'] : []),
      ...(state.paidBy === null ? [] : [`paid by ${state.paidBy.paymentId}`]),
      ...state.refunds,
    ]
  },
})
