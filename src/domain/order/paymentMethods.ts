// How orders are paid: through the provider, or by hand, which the staff records.
import { type Rejection, reject } from '../kernel/rejection.ts'

/** Methods of which the staff records that the money has come. */
export const manualMethods: readonly string[] = ['invoice', 'bank_transfer']

/** The method of imported history; it cannot be chosen. */
export const importedMethod = 'ledger'

/** What customers can choose. One that ends with `*` stands for every id that begins like it. */
export type OfferedMethods = readonly string[]

/** Whether a method is paid to the shop directly, so that no provider is asked. */
export function isManual(method: string): boolean {
  return manualMethods.includes(method) || method === importedMethod
}

/** Whether customers can choose a method. */
export function isOffered(offered: OfferedMethods, method: string): boolean {
  return offered.some(each =>
    each.endsWith('*')
      ? method.length >= each.length && method.startsWith(each.slice(0, -1))
      : method === each,
  )
}

/** The method of an order that names none: the first that is a complete name. */
export function defaultMethod(offered: OfferedMethods): string | undefined {
  return offered.find(each => !each.endsWith('*'))
}

/** Refuses a method that is not offered, naming those that are. */
export function refuseNotOffered(offered: OfferedMethods, method: string): Rejection | undefined {
  if (isOffered(offered, method)) return undefined
  const detail = `must be one of: ${offered.join(', ')}`
  return reject('order/payment-method', 'This payment method is not offered: see errors.', {
    errors: [{ pointer: '/paymentMethod', detail }],
  })
}
