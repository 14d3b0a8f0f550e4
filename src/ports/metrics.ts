// What the shop counts and times. Rooms speak to this port; what exports it is wired in app.ts.

export interface Metrics {
  /** One write to the log: how long it took, its events, and the requests that left together. */
  append(seconds: number, events: number, requests: number): void
  /** An append met another revision than it expected. */
  conflict(): void
  /** A projection or reaction has committed a batch. */
  projectionBatch(name: string, events: number, seconds: number): void
  /** Text in so many events was replaced for a projection: PostgreSQL cannot hold it. */
  textReplaced(name: string, events: number): void
  /** A cache was asked, once or more; `kind` is one of a few words such as `listing` or `order`. */
  cache(kind: string, hit: boolean, times?: number): void
  /** An answer was to be kept in the cache that processes share. */
  cacheWrite(result: 'stored' | 'outdated' | 'full' | 'failed'): void
  /** An HTTP request was answered; `route` is the pattern, never the address. */
  request(on: { method: string; route: string; status: number }, seconds: number): void
  /** The payment provider has answered, or could not be asked (`unavailable`). */
  payment(kind: 'charge' | 'cancel' | 'refund', result: string): void
  /** A mail was given to the mail server, was not taken, or will not be tried again. */
  mail(template: string, result: 'sent' | 'failed' | 'undeliverable'): void
  /** Whether a server or a part of it works: `postgres`, `disk`, `redis` and the like. */
  dependency(name: string, isUp: boolean): void
  /** A webhook was delivered, or was not taken. */
  webhook(result: 'delivered' | 'failed'): void
  /** Whether the signer refuses to sign the log because it was tampered with. */
  auditAlarm(isOn: boolean): void
  /** A stream cannot be read whole, as `fault` says; without one, it can be again. */
  brokenStream(stream: string, fault: string | undefined): void
}

/** Counts nothing: for scripts, and for tests that look elsewhere. */
export const noMetrics: Metrics = {
  append: () => undefined,
  conflict: () => undefined,
  projectionBatch: () => undefined,
  textReplaced: () => undefined,
  cache: () => undefined,
  cacheWrite: () => undefined,
  request: () => undefined,
  payment: () => undefined,
  mail: () => undefined,
  dependency: () => undefined,
  webhook: () => undefined,
  auditAlarm: () => undefined,
  brokenStream: () => undefined,
}
