// Stock under any sequence of requests: no piece is promised twice, none appears or vanishes.
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  adjust,
  adjustmentReasons,
  commit,
  countPieces,
  release,
  reserve,
  type Stock,
  type StockEvent,
  stock,
} from '../../src/domain/stock/stock.ts'
import { type Ask, aggregateProperties } from '../support/aggregateProperties.ts'
import { productId, sampleId } from '../support/samples.ts'

const orderIds = [11, 12, 13, 14].map(sampleId)
const orders = fc.constantFrom(...orderIds)

type StockAsk = Ask<Stock, StockEvent>
const asks = fc.oneof(
  fc
    .record({
      productId: fc.constant(productId),
      delta: fc.integer({ min: -12, max: 12 }),
      reason: fc.constantFrom(...adjustmentReasons),
    })
    .map((input): StockAsk => {
      return { asked: 'adjust', input, decide: state => adjust(state, input), addsUp: true }
    }),
  fc.nat(20).map((counted): StockAsk => {
    const decide: StockAsk['decide'] = state => countPieces(state, { productId, counted })
    return { asked: 'count', input: counted, decide, addsUp: true }
  }),
  fc
    .record({ productId: fc.constant(productId), counted: fc.integer({ min: 0, max: 20 }) })
    .map((input): StockAsk => {
      return { asked: 'count', input, decide: state => countPieces(state, input), addsUp: true }
    }),
  fc
    .record({
      productId: fc.constant(productId),
      orderId: orders,
      quantity: fc.integer({ min: 1, max: 9 }),
    })
    .map((input): StockAsk => {
      return { asked: 'reserve', input, decide: state => reserve(state, input) }
    }),
  orders.map((input): StockAsk => {
    return { asked: 'release', input, decide: state => release(state, productId, input) }
  }),
  orders.map((input): StockAsk => {
    return { asked: 'commit', input, decide: state => commit(state, productId, input) }
  }),
)

/** What is in the house follows from the movements alone. */
function piecesOf(event: StockEvent): number {
  if (event.type === 'StockAdjusted' || event.type === 'StockCounted') return event.data.delta
  return event.type === 'ReservationCommitted' ? -event.data.quantity : 0
}

function promisedBy(event: StockEvent): number {
  if (event.type === 'StockReserved') return event.data.quantity
  const isEnd = event.type === 'ReservationReleased' || event.type === 'ReservationCommitted'
  return isEnd ? -event.data.quantity : 0
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)

aggregateProperties('stock', {
  aggregate: stock,
  ids: orderIds,
  asks,
  invariant(state, events) {
    expect(state.reservedTotal).toBeGreaterThanOrEqual(0)
    expect(state.onHand).toBeGreaterThanOrEqual(state.reservedTotal)
    expect(state.onHand).toBe(total(events.map(piecesOf)))
    expect(state.reservedTotal).toBe(total(events.map(promisedBy)))
    expect(state.reservedTotal).toBe(total([...state.reserved.values()]))
    for (const orderId of state.settled) expect(state.reserved.has(orderId)).toBe(false)
  },
  settled: state => state.settled,
})
