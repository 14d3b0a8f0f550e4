// Recorded events as domain events, or as what is known of those that cannot be decoded.
import type { ShopEvent } from '../domain/events.ts'
import { type RecordedEvent, Unavailable } from '../eventstore/port.ts'
import type { Codec, Stored } from './ports.ts'

/** An event of the log that could not be decoded. */
export interface Poison {
  type: string
  stream: string
  position: bigint
  error: string
}
export type Decoded = { event: Stored<ShopEvent> } | { poison: Poison }

/** Decodes events; what cannot be decoded is poison. Throws Unavailable. */
export async function decodeAll(
  codec: Codec,
  events: readonly RecordedEvent[],
): Promise<Decoded[]> {
  const items: Decoded[] = []
  for (const recorded of events) {
    try {
      // Nine of ten events are about nobody: they need not wait for each other.
      items.push({ event: codec.decodeNow(recorded) ?? (await codec.decode(recorded)) })
    } catch (error) {
      // A key that cannot be fetched now can be later; a seal that does not open never will.
      if (error instanceof Unavailable) throw error
      const { type, stream, position } = recorded
      items.push({ poison: { type, stream, position, error: String(error) } })
    }
  }
  return items
}
