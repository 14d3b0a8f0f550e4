// The first of what comes one after the other.

/** The first item, and undefined where there is none; the rest is not asked for. */
export async function firstOf<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item
  return undefined
}
