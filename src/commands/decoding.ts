// Recorded events as domain events, or as what is known of those that cannot be decoded.
import type { ShopEvent } from '../domain/events.ts'
import type { RecordedEvent } from '../eventstore/port.ts'
import { holdable, isHoldable } from '../kit/holdable.ts'
import { isTransient } from '../kit/transient.ts'
import type { Codec, Stored } from './ports.ts'

/** An event of the log that could not be decoded. */
export interface Poison {
  type: string
  stream: string
  position: bigint
  error: string
}
export type Decoded = { event: Stored<ShopEvent> & { isReplaced?: true } } | { poison: Poison }

/**
 * Decodes events for those who write them to PostgreSQL; what cannot be decoded is poison. Text
 * that PostgreSQL cannot hold is replaced here and nowhere else: what a log holds must neither stop
 * a reader nor depend on the statement that it uses. Throws Unavailable.
 */
export async function decodeAll(
  codec: Codec,
  events: readonly RecordedEvent[],
): Promise<Decoded[]> {
  const items: Decoded[] = []
  for (const recorded of events) {
    try {
      // Nine of ten events are about nobody: they need not wait for each other.
      const event = codec.decodeNow(recorded) ?? (await codec.decode(recorded))
      items.push({ event: isHoldable(event) ? event : { ...holdable(event), isReplaced: true } })
    } catch (error) {
      // A key that cannot be fetched now can be later; a seal that does not open never will.
      if (isTransient(error)) throw error
      const { type, stream, position } = recorded
      items.push({ poison: holdable({ type, stream, position, error: String(error) }) })
    }
  }
  return items
}
