// The envelope of a command, and the clock that dates it.

import type { Actor } from '../domain/kernel/types.ts'

export interface Clock {
  now(): Date
}

/** What goes with every event of a command into the log. */
export interface Envelope {
  commandId: string
  correlationId: string
  causationId: string
  actor: Actor
  at: Date
  /** Where history was brought in from; reactions such as mails leave such events alone. */
  source?: string
  /** Of the input, so that a retry can be told from another request with the same id. */
  digest?: string
  /** The revision that the caller has seen (If-Match). */
  expectedRevision?: number
  /** The cart of somebody who has not signed in. */
  guestCartId?: string
}
