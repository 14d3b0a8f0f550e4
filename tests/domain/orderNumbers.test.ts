// Order numbers: reserved block after block, and written so that a wrong digit is found.
import { describe, expect, it } from 'vitest'
import {
  isOrderNumber,
  type OrderNumberEvent,
  orderNumberOf,
  orderNumbers,
  reserveNumbers,
} from '../../src/domain/order/orderNumbers.ts'
import { given } from '../support/specification.ts'

const givenNumbers = given(orderNumbers)
const reserved = (from: number, to: number): OrderNumberEvent => ({
  type: 'OrderNumbersReserved',
  data: { from, to },
})

describe('reserving numbers', () => {
  it('begins with 100001', () =>
    givenNumbers()
      .when(state => reserveNumbers(state, 3))
      .then([reserved(100_001, 100_003)]))

  it('goes on behind the last block', () =>
    givenNumbers(reserved(100_001, 100_003), reserved(100_004, 100_004))
      .when(state => reserveNumbers(state, 2))
      .then([reserved(100_005, 100_006)]))

  it('goes on from a snapshot, if it is one', () => {
    expect(orderNumbers.snapshot?.read({ next: 100_009 })).toEqual({ next: 100_009 })
    for (const wrong of [null, {}, { next: '100009' }, { next: 1.5 }]) {
      expect(orderNumbers.snapshot?.read(wrong)).toBeUndefined()
    }
  })
})

describe('an order number', () => {
  // Check digits by hand, from the table in Damm's thesis; 572 is its example.
  it.each([
    [572, '-5724'],
    [100_001, '100-0015'],
    [100_002, '100-0028'],
    [100_003, '100-0031'],
    [1_000_000, '1000-0004'],
  ])('of %i is %s', (serial, number) => {
    expect(orderNumberOf(serial)).toBe(number)
  })

  it('is not one of another shop, of a ledger or of an older release', () => {
    expect(isOrderNumber('100-0015')).toBe(true)
    expect(isOrderNumber('1000-0004')).toBe(true)
    const others = ['A1B2C-D3E4F', '12345-67890', '536365', '1000015', '100-0016', '000-0000', '']
    expect(others.filter(isOrderNumber)).toEqual([])
  })

  it('is none any more with one digit wrong, or two neighbours swapped', () => {
    for (let serial = 123_450; serial < 123_550; serial += 1) {
      const digits = orderNumberOf(serial).replace('-', '')
      const wrong = [...digits].flatMap((digit, at) => {
        const others = [...'0123456789'].filter(each => each !== digit)
        return others.map(other => digits.slice(0, at) + other + digits.slice(at + 1))
      })
      const swapped = [...digits].flatMap((digit, at) => {
        const next = digits[at + 1]
        if (next === undefined || next === digit) return []
        return [digits.slice(0, at) + next + digit + digits.slice(at + 2)]
      })
      const texts = [...wrong, ...swapped].map(each => `${each.slice(0, 3)}-${each.slice(3)}`)
      expect(texts.filter(isOrderNumber)).toEqual([])
    }
  })
})
