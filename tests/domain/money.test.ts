// Money is exact: whole minor units, the exponents of ISO 4217, rounded once.
import { describe, expect, it } from 'vitest'
import { exponentOf, formatMoney, parseMinor, sum, times } from '../../src/domain/kernel/money.ts'
import { gbp } from '../support/samples.ts'

describe('the exponent of a currency', () => {
  it.each([
    ['GBP', 2],
    ['EUR', 2],
    ['JPY', 0],
    ['KRW', 0],
    ['KWD', 3],
    ['BHD', 3],
    ['CLF', 4],
  ])('of %s is %i', (currency, exponent) => expect(exponentOf(currency)).toBe(exponent))
})

describe('an amount as people write it', () => {
  it.each([
    [129_999, 'GBP', '1299.99 GBP'],
    [5, 'GBP', '0.05 GBP'],
    [0, 'GBP', '0.00 GBP'],
    [-5, 'GBP', '-0.05 GBP'],
    [-129_900, 'GBP', '-1299.00 GBP'],
    [1_300, 'JPY', '1300 JPY'],
    [0, 'JPY', '0 JPY'],
    [-7, 'JPY', '-7 JPY'],
    [1, 'KWD', '0.001 KWD'],
    [12_345, 'KWD', '12.345 KWD'],
    [9_007_199_254_740_991, 'GBP', '90071992547409.91 GBP'],
  ])('of %i minor units of %s is %s', (amount, currency, text) =>
    expect(formatMoney({ amount, currency })).toBe(text),
  )
})

describe('reading a decimal', () => {
  it.each([
    ['2.55', 1, 'GBP', 255],
    ['2.55', 12, 'GBP', 3_060],
    ['0.1', 3, 'GBP', 30],
    ['1.005', 1, 'GBP', 101],
    ['1.004999999', 1, 'GBP', 100],
    ['-1.005', 1, 'GBP', -101],
    ['1.005', -1, 'GBP', -101],
    ['-1.005', -1, 'GBP', 101],
    ['0.004', 1, 'GBP', 0],
    ['-0.004', 1, 'GBP', 0],
    ['0.005', 1, 'GBP', 1],
    ['1300', 1, 'JPY', 1_300],
    ['1300.5', 1, 'JPY', 1_301],
    ['1300.49', 1, 'JPY', 1_300],
    ['1.2345', 1, 'KWD', 1_235],
    ['1.2344', 1, 'KWD', 1_234],
    ['  2.55 ', 1, 'GBP', 255],
    ['00.50', 2, 'GBP', 100],
  ])('takes %j × %i in %s for %i', (text, quantity, currency, amount) =>
    expect(parseMinor(text, quantity, currency)).toBe(amount),
  )

  it('rounds the product once, not each piece', () =>
    expect(parseMinor('0.001', 1_000, 'GBP')).toBe(100))

  it.each(['', ' ', '.', '1.', '.5', '1,50', '1e3', '0x10', '+1', '--1', 'NaN', 'Infinity', '1 0'])(
    'knows that %j is not a number',
    text => expect(parseMinor(text, 1, 'GBP')).toBeUndefined(),
  )
})

describe('arithmetic', () => {
  it('multiplies a price by a quantity', () => expect(times(gbp(255), 12)).toEqual(gbp(3_060)))

  it('adds amounts up', () => expect(sum([gbp(1), gbp(2), gbp(3)], 'GBP')).toEqual(gbp(6)))

  it('knows the currency of nothing at all', () =>
    expect(sum([], 'JPY')).toEqual({ amount: 0, currency: 'JPY' }))
})
