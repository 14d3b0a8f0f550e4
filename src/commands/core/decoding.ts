// Recorded events as domain events, or as poison where they cannot be decoded.

import type { AppEvent } from '../../domain/index.ts'
import type { Position } from '../../kit/position.ts'
import { isStorableValue, storableValue } from '../../kit/storableText.ts'
import { isTransient } from '../../kit/transient.ts'
import { type Codec, type Poison, type Stored, UnknownEvent } from '../../ports/codec.ts'
import { type EventStore, type RecordedEvent, readStream } from '../../ports/eventStore.ts'

export type Decoded = { event: Stored<AppEvent> & { isReplaced?: true } } | { poison: Poison }

/**
 * Decodes events for read models; events that cannot be decoded are poison. Text
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
      const event = await codec.decode(recorded)
      items.push({
        event: isStorableValue(event) ? event : { ...storableValue(event), isReplaced: true },
      })
    } catch (error) {
      // A key that cannot be fetched now can be later; a seal that does not open never will.
      if (isTransient(error)) throw error
      items.push({ poison: storableValue(poisonOf(recorded, error)) })
    }
  }
  return items
}

/** The events of a stream at these positions, decoded. Throws Unavailable. */
export async function decodeAt(
  { eventStore, codec }: { eventStore: Pick<EventStore, 'read'>; codec: Codec },
  stream: string,
  positions: readonly Position[],
): Promise<Decoded[]> {
  const wanted = new Set(positions)
  const found: RecordedEvent[] = []
  for await (const event of readStream(eventStore, stream)) {
    if (wanted.has(event.position)) found.push(event)
  }
  return decodeAll(codec, found)
}

function poisonOf(recorded: RecordedEvent, error: unknown): Poison {
  const { type, stream, position, revision, metadata, recordedAt } = recorded
  const { actor, correlationId, at } = metadata
  const place = {
    position,
    stream,
    revision,
    type,
    actor: actorOf(actor),
    correlationId: typeof correlationId === 'string' ? correlationId : '',
    at: momentOf(at) ?? recordedAt.toISOString(),
  }
  const awaits = error instanceof UnknownEvent ? error.awaits : null
  return { type, stream, position, error: String(error), awaits, place }
}

function actorOf(actor: unknown): string {
  if (typeof actor !== 'object' || actor === null) return 'unknown'
  const { role, id } = { role: undefined, id: undefined, ...actor }
  if (role === 'anonymous') return 'anonymous'
  return typeof id === 'string' ? id : 'unknown'
}

/** A time as events have it; undefined for anything else. */
function momentOf(at: unknown): string | undefined {
  const isTime = typeof at === 'string' && /^\d{4}-\d\d-\d\dT/.test(at)
  return isTime && !Number.isNaN(Date.parse(at)) ? new Date(at).toISOString() : undefined
}
