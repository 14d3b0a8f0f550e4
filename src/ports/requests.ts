// What the edge needs to limit requests and to recognise repeated ones.
/** What is left after a request was counted. */
export interface Counted {
  allowed: boolean
  remaining: number
  resetSeconds: number
}

/** Counts what somebody does under one policy. */
export interface Counter {
  /** Counts once more, or `times`; never fails: without Redis this process counts for itself. */
  count(key: string, times?: number): Promise<Counted>
  /** Resets the count. */
  reset(key: string): Promise<void>
  /** Undoes one count. */
  refund(key: string): Promise<void>
}

/** `quota` in `windowSeconds`, from the first request on. */
export type Counters = (policy: string, quota: number, windowSeconds: number) => Counter

/**
 * Tells one text from another without telling what it says: keyed, because what people enter can be
 * guessed, and fingerprints stay in the log when a person is erased.
 */
export type Fingerprint = (text: string) => string

/** What belongs to a request that may come again: the same for the same parts, and secret. */
export interface RequestKeys {
  derive(...parts: readonly string[]): string
}
