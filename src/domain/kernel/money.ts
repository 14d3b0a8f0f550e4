// Money: whole minor units of one currency, with the exponents of ISO 4217.
import type { Money } from './types.ts'

/** Currencies whose minor unit is not a hundredth. */
const exponents: Readonly<Record<string, number>> = {
  BHD: 3,
  BIF: 0,
  CLF: 4,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  IQD: 3,
  ISK: 0,
  JOD: 3,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  PYG: 0,
  RWF: 0,
  TND: 3,
  UGX: 0,
  UYI: 0,
  UYW: 4,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
}

/** Digits after the decimal point: GBP 2, JPY 0, KWD 3. */
export function exponentOf(currency: string): number {
  return exponents[currency] ?? 2
}

/** The price of several pieces. */
export function times(price: Money, quantity: number): Money {
  return { amount: price.amount * quantity, currency: price.currency }
}

/** Thrown where amounts of two currencies would be added or compared. */
export class MixedCurrencies extends Error {
  override readonly name = 'MixedCurrencies'
}

/** The sum of amounts in `currency`, zero when there are none. Throws MixedCurrencies. */
export function sum(amounts: readonly Money[], currency: string): Money {
  const zero = { amount: 0, currency }
  return amounts.reduce((total, money) => add(total, money), zero)
}

/** Two amounts together. Throws MixedCurrencies. */
export function add(one: Money, other: Money): Money {
  return { amount: one.amount + inCurrency(other, one.currency), currency: one.currency }
}

/** Negative where `one` is below `other`, positive where it is above. Throws MixedCurrencies. */
export function compare(one: Money, other: Money): number {
  return one.amount - inCurrency(other, one.currency)
}

/** The minor units of an amount that has to be in `currency`. Throws MixedCurrencies. */
export function inCurrency(money: Money, currency: string): number {
  if (money.currency === currency) return money.amount
  throw new MixedCurrencies(`${formatMoney(money)} is not an amount in ${currency}`)
}

/** Whether two amounts are the same amount in the same currency. */
export function isSameMoney(one: Money, other: Money): boolean {
  return one.amount === other.amount && one.currency === other.currency
}

/** The first of some amounts that is not in `currency`. */
export function foreignTo(currency: string, amounts: readonly Money[]): Money | undefined {
  return amounts.find(money => money.currency !== currency)
}

/** An amount as people write it, without a symbol: `1299.99 GBP`. */
export function formatMoney(money: Money): string {
  return `${decimalOf(money)} ${money.currency}`
}

/** An amount as a decimal number with all digits of its currency: `1299.99`, `-5.00`. */
export function decimalOf({ amount, currency }: Money): string {
  const exponent = exponentOf(currency)
  const digits = String(Math.abs(amount)).padStart(exponent + 1, '0')
  const whole = digits.slice(0, digits.length - exponent)
  const text = exponent === 0 ? whole : `${whole}.${digits.slice(-exponent)}`
  return `${amount < 0 ? '-' : ''}${text}`
}

/**
 * Shares an amount of minor units out by weight, by largest remainder: the parts add up to it. All
 * of it goes to the first where no weight is above zero.
 */
export function share(amount: number, weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + Math.max(0, weight), 0)
  if (total === 0) return weights.map((_, index) => (index === 0 ? amount : 0))
  // As big integers: an amount times a weight can be beyond what a number holds exactly.
  const exact = weights.map(weight => BigInt(amount) * BigInt(Math.max(0, weight)))
  const parts = exact.map(each => Number(each / BigInt(total)))
  const order = exact
    .map((each, index) => ({ index, rest: each % BigInt(total) }))
    .sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
  const missing = amount - parts.reduce((sum, part) => sum + part, 0)
  for (const { index } of order.slice(0, missing)) parts[index] = (parts[index] ?? 0) + 1
  return parts
}

/**
 * Reads a decimal such as `2.55` exactly, without binary fractions: the amount in minor units,
 * rounded half away from zero where it has more digits than the currency. Undefined when the text
 * is not a number.
 */
export function parseMinor(text: string, quantity: number, currency: string): number | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, sign = '', whole = '0', fraction = ''] = match
  const scale = 10n ** BigInt(fraction.length)
  const units = BigInt(whole + fraction) * BigInt(quantity) * (sign === '-' ? -1n : 1n)
  const scaled = units * 10n ** BigInt(exponentOf(currency))
  const half = (scaled < 0n ? -scale : scale) / 2n
  return Number((scaled + half) / scale)
}
