// Amounts as people read and type them: whole minor units, with as many decimals as ISO 4217 says.
import { exponentOf } from '../../src/domain/kernel/money.ts'
import type { Money } from './api/shapes.ts'

/** £1,299.99, ¥1,300, KWD 1.234 */
export function formatMoney({ amount, currency }: Money): string {
  const digits = exponentOf(currency)
  return new Intl.NumberFormat(undefined, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount / 10 ** digits)
}

/** The amount for an input field: 129999 GBP is "1299.99". */
export function typedMoney({ amount, currency }: Money): string {
  return (amount / 10 ** exponentOf(currency)).toFixed(exponentOf(currency))
}

/** What was typed as minor units, or undefined when it is not an amount of this currency. */
export function readMoney(typed: string, currency: string): Money | undefined {
  const digits = exponentOf(currency)
  const [, whole = '', rest = ''] = /^\s*(\d{1,12})(?:[.,](\d+))?\s*$/.exec(typed) ?? []
  if (whole === '' || rest.length > digits) return undefined
  return { amount: Number(whole + rest.padEnd(digits, '0')), currency }
}

/** Whether something is an amount. */
export function isMoney(value: unknown): value is Money {
  return typeof value === 'object' && value !== null && 'amount' in value && 'currency' in value
}
