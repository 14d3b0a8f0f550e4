// Whom streams are about: for events of before their text was sealed, which do not say so.
import { LRUCache } from 'lru-cache'
import type { OwnerOf } from '../../ports/codec.ts'
import { type EventStore, readStream } from '../../ports/eventStore.ts'

/** The `customerId` of the first event of a stream; of the last streams it is remembered. */
export function createStreamOwners(
  eventStore: Pick<EventStore, 'read'>,
  { streamsMax = 20_000 }: { streamsMax?: number } = {},
): OwnerOf {
  const known = new LRUCache<string, string>({ max: streamsMax })
  return async stream => {
    const before = known.get(stream)
    if (before !== undefined) return before
    for await (const { data } of readStream(eventStore, stream, { to: 0 })) {
      const { customerId } = data
      if (typeof customerId !== 'string') return undefined
      known.set(stream, customerId)
      return customerId
    }
    return undefined
  }
}
