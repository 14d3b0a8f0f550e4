// Amounts as Stripe writes them: not every currency has the exponent there that ISO 4217 gives it.
import { exponentOf } from '../../domain/kernel/money.ts'
import type { Money } from '../../domain/kernel/types.ts'

/** Whole units at Stripe. UGX and ISK have no decimals either, and are hundredths there. */
const wholeUnits: readonly string[] = [
  ...['BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA'],
  ...['PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
]
/** Thousandths at Stripe, in steps of ten. */
const thousandths: readonly string[] = ['BHD', 'JOD', 'KWD', 'OMR', 'TND']

function digitsOf(currency: string): number {
  if (wholeUnits.includes(currency)) return 0
  return thousandths.includes(currency) ? 3 : 2
}

/** What Stripe calls an amount; undefined when it has no number for exactly that much. */
export function toStripe({ amount, currency }: Money): number | undefined {
  const exact = scale(amount, digitsOf(currency) - exponentOf(currency))
  const isStep = !thousandths.includes(currency) || (exact ?? 0) % 10 === 0
  return isStep ? exact : undefined
}

/** What we call an amount of Stripe; a fraction of our minor unit is rounded to the nearest. */
export function fromStripe(amount: number, currency: string): Money {
  const code = currency.toUpperCase()
  const factor = 10 ** Math.abs(exponentOf(code) - digitsOf(code))
  const isFiner = digitsOf(code) > exponentOf(code)
  return { amount: isFiner ? Math.round(amount / factor) : amount * factor, currency: code }
}

function scale(amount: number, digits: number): number | undefined {
  const factor = 10 ** Math.abs(digits)
  const scaled = digits >= 0 ? amount * factor : amount / factor
  return Number.isSafeInteger(scaled) ? scaled : undefined
}
