// Reading the next batch while the one before is being worked on.

/** Yields what `source` yields, and asks it for one more before that is needed. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]()
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = items.next()
      // It is awaited in its turn; a failure meanwhile must not count as unhandled.
      next.catch(() => undefined)
      yield value
    }
  } finally {
    // Not awaited: a source that waits for news ends with its own signal.
    items.return?.().catch(() => undefined)
  }
}
