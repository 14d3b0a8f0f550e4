// The list of erased people that is kept outside of the database: a restored backup is compared
// with it.

export interface ListedErasure {
  customerId: string
  at: Date
}

/** Each of these throws ListUnavailable where the list cannot be read or written. */
export interface ErasureList {
  /** Whether something could be written now: asked before an erasure begins. */
  assertWritable(): Promise<void>
  /** Adds those who are not on it yet; they survive a crash once this resolves. */
  add(erasures: readonly ListedErasure[]): Promise<void>
  has(customerId: string): Promise<boolean>
  /** In the order in which they were added. */
  all(): Promise<readonly ListedErasure[]>
  /** Lines that the shop has not written, or not to their end; they are not followed. */
  damaged(): Promise<number>
}

/** The list of erased people cannot be read or written now. */
export class ListUnavailable extends Error {
  /** By which it is known to be transient. */
  readonly code = 'UNAVAILABLE'
  /** What the file system said, such as ENOSPC. */
  readonly reason: string

  constructor(reason: string, options?: ErrorOptions) {
    super(`the list of erased people is not available: ${reason}`, options)
    this.name = 'ListUnavailable'
    this.reason = reason
  }
}
