// Reads the next batch while the current one is processed.

/** Yields the items of `source`, requesting each one before it is needed. */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]()
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = items.next()
      // Awaited in the next iteration; a failure before that must not count as unhandled.
      next.catch(() => undefined)
      yield value
    }
  } finally {
    // Not awaited: a source that waits for events ends with its own signal.
    items.return?.().catch(() => undefined)
  }
}
