// What is different from run to run beside faults and commands: how many processes there are, and
// how much they remember.
import type { Random } from '../support/random.ts'

export interface Setting {
  apis: number
  workers: number
  /** Streams of each kind that a process remembers. */
  cachedStreams: number
  /** Commands of a stream that it remembers. */
  commandsMax: number
  /** How long an order waits to be paid. */
  orderExpiryMs: number
  /** The most unpaid orders of one customer; 0 is no bound. */
  unpaidOrders: number
  /**
   * The store takes events that it has for a repeat wherever they stand, as PostgreSQL did before
   * migration 0023: processes must not go on from what they would have written there.
   */
  hasLenientStore: boolean
  /** How many of the requests are sent to two processes at a time, as impatient clients do. */
  doubled: number
  /** In how many virtual milliseconds the commands are sent. */
  busyMs: number
}

/** A setting at random: mostly small, since trouble needs few to meet. */
export function settingFrom(random: Random): Setting {
  return {
    apis: random.pick([1, 2, 2, 2, 3, 4]),
    workers: random.pick([1, 1, 2, 2, 3]),
    cachedStreams: random.pick([2, 8, 1_000, 1_000]),
    commandsMax: random.pick([2, 10_000, 10_000]),
    orderExpiryMs: random.pick([3_000, 8_000, 30_000, 60_000]),
    unpaidOrders: random.pick([0, 0, 2]),
    hasLenientStore: random.next() < 0.4,
    doubled: random.pick([0, 0.05, 0.4]),
    busyMs: random.pick([4_000, 15_000, 40_000]),
  }
}
