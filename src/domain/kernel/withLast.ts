// Lists that grow by one and are kept for long.

/**
 * A copy with one more at its end, and with no room for others: `[...all, last]` leaves room for
 * half as many again and sixteen, which for short lists is most of what they take.
 */
export function withLast<Item>(all: readonly Item[], last: Item): Item[] {
  return all.concat([last])
}
