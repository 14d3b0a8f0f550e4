// Ends what a benchmark has started, in the reverse order, whether it went well or not.

export type Closers = (() => Promise<unknown>)[]

/** Runs `work`, which adds to `closers` what is to be ended after it. */
export async function closing<T>(work: (closers: Closers) => Promise<T>): Promise<T> {
  const closers: Closers = []
  try {
    return await work(closers)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}
