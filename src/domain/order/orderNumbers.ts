// Order numbers: reserved in blocks in one stream of the shop, so that no two orders share one.
import Type from 'typebox'
import type { Aggregate, Decision, EventOf } from '../kernel/aggregate.ts'
import { Payload } from '../kernel/types.ts'

const serialMax = 999_999_999_999
const Serial = Type.Integer({ minimum: 1, maximum: serialMax })

// Names and payloads are the storage format: they are versioned, never renamed.
export const OrderNumberEvents = {
  /** One process has these serials, both ends included; it need not use all of them. */
  OrderNumbersReserved: Payload({ from: Serial, to: Serial }),
}
export type OrderNumberEvent = EventOf<typeof OrderNumberEvents>
/** `next` is the lowest serial that is not reserved. */
export type OrderNumbers = { next: number }

/** The first serial has six digits, so that the first 899,999 numbers are equally long. */
const firstSerial = 100_001

export const orderNumbers: Aggregate<OrderNumbers, OrderNumberEvent> = {
  category: 'orderNumbers',
  events: OrderNumberEvents,
  initial: { next: firstSerial },
  evolve: (_, { data }) => ({ next: data.to + 1 }),
  snapshot: {
    version: 1,
    write: state => state,
    read: written => (isWritten(written) ? { next: written.next } : undefined),
  },
}

function isWritten(written: unknown): written is OrderNumbers {
  return (
    typeof written === 'object' &&
    written !== null &&
    'next' in written &&
    Number.isSafeInteger(written.next)
  )
}

/** Reserves the next serials, `count` of them. */
export function reserveNumbers({ next }: OrderNumbers, count: number): Decision<OrderNumberEvent> {
  return [{ type: 'OrderNumbersReserved', data: { from: next, to: next + count - 1 } }]
}

/**
 * What people read: the serial and its check digit, as 100-0015. Serials are dense, so that a digit
 * misheard on the telephone would otherwise name another order.
 */
export function orderNumberOf(serial: number): string {
  const digits = `${serial}${checkDigitOf(`${serial}`)}`
  return `${digits.slice(0, -4)}-${digits.slice(-4)}`
}

/** Whether a text could be a number of this shop: of its form, with the right check digit. */
export function isOrderNumber(text: string): boolean {
  return /^[1-9]\d{2,8}-\d{4}$/.test(text) && checkDigitOf(text.replace('-', '')) === 0
}

/**
 * A totally anti-symmetric quasigroup of order 10 (Damm, 2004): with its zeros on the diagonal, a
 * number followed by its check digit comes to 0.
 */
const quasigroup = [
  [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
  [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
  [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
  [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
  [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
  [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
  [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
  [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
  [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
  [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
]

/** The Damm check digit: it finds every wrong digit and every two neighbours that have swapped. */
function checkDigitOf(digits: string): number {
  let interim = 0
  for (const digit of digits) interim = quasigroup[interim]?.[Number(digit)] ?? 0
  return interim
}
