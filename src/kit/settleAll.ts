// Concurrent work of which no part may outlive the whole.

/** The results of all promises. Rejects with the first failure once all are settled. */
export async function settleAll<const T extends readonly Promise<unknown>[]>(working: T) {
  await Promise.allSettled(working)
  return Promise.all(working)
}
