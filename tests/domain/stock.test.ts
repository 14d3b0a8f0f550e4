// What may happen to the stock of a product: nothing is promised twice, nothing below the promises.
import { describe, expect, it } from 'vitest'
import { fold } from '../../src/domain/kernel/aggregate.ts'
import {
  adjust,
  available,
  commit,
  countPieces,
  isReserved,
  release,
  reserve,
  type StockEvent,
  stock,
} from '../../src/domain/stock/stock.ts'
import { orderId, otherOrderId, productId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenStock = given(stock)
const reservation = { productId, orderId, quantity: 4 }

const adjusted = (delta: number): StockEvent => ({
  type: 'StockAdjusted',
  data: { productId, delta, reason: delta < 0 ? 'damaged' : 'received' },
})
const received = adjusted(10)
const reserved: StockEvent = { type: 'StockReserved', data: reservation }
const released: StockEvent = { type: 'ReservationReleased', data: reservation }
const committed: StockEvent = { type: 'ReservationCommitted', data: reservation }
const refused: StockEvent = { type: 'ReservationRefused', data: { ...reservation, available: 3 } }

describe('counting stock', () => {
  const counted = (pieces: number, delta: number): StockEvent => ({
    type: 'StockCounted',
    data: { productId, counted: pieces, delta },
  })

  it('sets what is on hand, whatever was believed before', () =>
    givenStock(received, reserved)
      .when(state => countPieces(state, { productId, counted: 7 }))
      .then([counted(7, -3)]))

  it('is recorded where nothing differs, too', () =>
    givenStock(received)
      .when(state => countPieces(state, { productId, counted: 10 }))
      .then([counted(10, 0)]))

  it('goes down to what is reserved, and no further', () => {
    const held = givenStock(received, reserved)
    held.when(state => countPieces(state, { productId, counted: 4 })).then([counted(4, -6)])
    held
      .when(state => countPieces(state, { productId, counted: 3 }))
      .thenRejected('stock/below-reserved', { onHand: 10, reserved: 4, available: 6 })
  })

  it('counts from there on', () => {
    const state = fold(stock, [received, counted(7, -3), adjusted(-2)])
    expect(state.onHand).toBe(5)
  })
})

describe('adjusting stock', () => {
  const damage = (pieces: number) => adjusted(-pieces)

  it('books pieces in', () =>
    givenStock()
      .when(state => adjust(state, { productId, delta: 10, reason: 'received' }))
      .then([received]))

  it('books out what is free, to the last piece', () =>
    givenStock(received, reserved)
      .when(state => adjust(state, { productId, delta: -6, reason: 'damaged' }))
      .then([damage(6)]))

  it('refuses to book out what is promised to an order', () =>
    givenStock(received, reserved)
      .when(state => adjust(state, { productId, delta: -7, reason: 'damaged' }))
      .thenRejected('stock/below-reserved', { onHand: 10, reserved: 4, available: 6 }))

  it('refuses to book out what is not there', () =>
    givenStock()
      .when(state => adjust(state, { productId, delta: -1, reason: 'lost' }))
      .thenRejected('stock/below-reserved', { onHand: 0, reserved: 0, available: 0 }))

  it('records nothing for an adjustment by nothing', () =>
    givenStock(received)
      .when(state => adjust(state, { productId, delta: 0, reason: 'counted' }))
      .thenNothing())

  it('books again when it is asked again: two deliveries may be alike', () =>
    givenStock(received)
      .when(state => adjust(state, { productId, delta: 10, reason: 'received' }))
      .then([received]))
})

describe('reserving stock for an order', () => {
  it('promises what is free, to the last piece', () =>
    givenStock(adjusted(4))
      .when(state => reserve(state, reservation))
      .then([reserved]))

  it('records a refusal, with what there was, when there is too little', () =>
    givenStock(adjusted(3))
      .when(state => reserve(state, reservation))
      .then([refused]))

  it('refuses what is promised to another order', () =>
    givenStock(received, reserved)
      .when(state => reserve(state, { productId, orderId: otherOrderId, quantity: 7 }))
      .then([
        {
          type: 'ReservationRefused',
          data: { productId, orderId: otherOrderId, quantity: 7, available: 6 },
        },
      ]))

  it('refuses a product that was never in the house', () =>
    givenStock()
      .when(state => reserve(state, reservation))
      .then([{ type: 'ReservationRefused', data: { ...reservation, available: 0 } }]))

  it('promises once, however often it is asked', () =>
    givenStock(received, reserved)
      .when(state => reserve(state, reservation))
      .thenNothing())

  it('keeps its promise as it was when the order asks for another quantity', () =>
    givenStock(received, reserved)
      .when(state => reserve(state, { ...reservation, quantity: 9 }))
      .thenNothing())
})

describe('an order whose reservation has come to an end', () => {
  it('stays refused after new stock has come in', () => {
    const later = givenStock(adjusted(3), refused, adjusted(100))
    later.when(state => reserve(state, reservation)).thenNothing()
    expect(isReserved(later.state, orderId)).toBe(false)
  })

  it('is not served when its request straggles in after the release', () => {
    const later = givenStock(received, reserved, released)
    later.when(state => reserve(state, reservation)).thenNothing()
    expect(isReserved(later.state, orderId)).toBe(false)
  })

  it('is not served a second time after the goods were handed over', () =>
    givenStock(received, reserved, committed)
      .when(state => reserve(state, reservation))
      .thenNothing())

  it('is remembered over the two thousand that came to an end after it', () => {
    const others = Array.from({ length: 1_999 }, (_, index): StockEvent => {
      const other = sampleId(1_000 + index)
      return {
        type: 'ReservationRefused',
        data: { productId, orderId: other, quantity: 1, available: 0 },
      }
    })
    const state = fold(stock, [received, reserved, released, ...others])
    expect(reserve(state, reservation)).toEqual([])
    expect(state.settled).toHaveLength(2_000)
    const oneMore = fold(
      stock,
      [{ ...refused, data: { ...refused.data, orderId: otherOrderId } }],
      state,
    )
    expect(oneMore.settled).toHaveLength(2_000)
  })
})

describe('releasing a reservation', () => {
  it('gives the pieces back', () => {
    const held = givenStock(received, reserved)
    held.when(state => release(state, productId, orderId)).then([released])
    expect(available(held.state)).toBe(6)
    expect(available(fold(stock, [released], held.state))).toBe(10)
  })

  it('releases the quantity that was promised, whatever anyone thinks it was', () =>
    givenStock(received, { type: 'StockReserved', data: { ...reservation, quantity: 7 } })
      .when(state => release(state, productId, orderId))
      .then([{ type: 'ReservationReleased', data: { ...reservation, quantity: 7 } }]))

  it('does nothing for an order that holds none', () =>
    givenStock(received, reserved)
      .when(state => release(state, productId, otherOrderId))
      .thenNothing())

  it('gives back once', () =>
    givenStock(received, reserved, released)
      .when(state => release(state, productId, orderId))
      .thenNothing())

  it('does nothing once the goods are handed over', () =>
    givenStock(received, reserved, committed)
      .when(state => release(state, productId, orderId))
      .thenNothing())
})

describe('committing a reservation', () => {
  it('takes the pieces out of the house', () => {
    const held = givenStock(received, reserved)
    held.when(state => commit(state, productId, orderId)).then([committed])
    const after = fold(stock, [committed], held.state)
    expect(after).toMatchObject({ onHand: 6, reservedTotal: 0 })
    expect(available(after)).toBe(6)
  })

  it('does nothing for an order that was refused', () =>
    givenStock(adjusted(3), refused)
      .when(state => commit(state, productId, orderId))
      .thenNothing())

  it('hands over once', () =>
    givenStock(received, reserved, committed)
      .when(state => commit(state, productId, orderId))
      .thenNothing())

  it('does nothing once the pieces are released', () =>
    givenStock(received, reserved, released)
      .when(state => commit(state, productId, orderId))
      .thenNothing())
})
