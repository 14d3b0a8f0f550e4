// A deadline for what may never settle: a promise on a connection that has gone silent.

/** A promise did not settle in time. It may still do so later, which is ignored. */
export class Overdue extends Error {
  /** By which it is known to be transient. */
  readonly code = 'ETIMEDOUT'

  constructor(what: string, ms: number) {
    super(`${what}: no answer within ${ms} ms`)
    this.name = 'Overdue'
  }
}

/** Settles as `work` does, or throws Overdue after `ms`. What comes later is ignored. */
export function withDeadline<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Overdue(what, ms)), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Yields what `source` yields; throws Overdue where that keeps one waiting for more than `ms`. */
export async function* eachWithin<T>(
  ms: number,
  what: string,
  source: AsyncIterable<T>,
): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await withDeadline(ms, what, items.next())
      if (done) return
      yield value
    }
  } finally {
    // Not awaited: it may depend on the promise that has just timed out.
    items.return?.().catch(() => undefined)
  }
}
