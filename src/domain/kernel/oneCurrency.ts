// One currency in one cart and one order: amounts in another one are refused, never added up.
import { foreignTo, formatMoney } from './money.ts'
import { type Rejection, reject } from './rejection.ts'
import type { Money } from './types.ts'

/** Why amounts cannot be in one cart or order in `currency`: one of them is in another one. */
export function refuseMixed(amounts: readonly Money[], currency: string): Rejection | undefined {
  const foreign = foreignTo(currency, amounts)
  if (foreign === undefined) return undefined
  return reject(
    'order/mixed-currencies',
    `Carts and orders are in one currency: ${formatMoney(foreign)} is not in ${currency}.`,
    { currency, found: foreign.currency },
  )
}
