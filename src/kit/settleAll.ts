// Work that goes on side by side, of which nothing may go on behind its end.

/** What each of them has come to. All have to be done before anyone hears of the trouble of one. */
export async function settleAll<const T extends readonly Promise<unknown>[]>(working: T) {
  await Promise.allSettled(working)
  return Promise.all(working)
}
