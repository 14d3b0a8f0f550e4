// Ids that follow from the ledger, so that a second import finds what the first has made.
import { idOf } from '../../../commands/core/ids.ts'

/** The id of the order that a document is, or of a further one when it is too long for one. */
export function orderIdOf(document: string, index: number): string {
  return idOf('retail', 'order', document, ...(index === 0 ? [] : [`${index}`]))
}

/** The id of what a document brings back to an order. */
export function returnIdOf(document: string, orderId: string): string {
  return idOf('retail', 'return', document, orderId)
}

/** Rows that name no customer belong to one walk-in customer. */
export function customerIdOf(number: string): string {
  return idOf('retail', 'customer', number === '' ? 'walk-in' : number)
}
