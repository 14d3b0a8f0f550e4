// What stands in a stream behind a state, folded onto it.
import { type Aggregate, type DomainEvent, fold } from '../../domain/kernel/aggregate.ts'
import type { Codec, Stored } from '../../ports/codec.ts'
import type { EventStore } from '../../ports/eventStore.ts'
import type { Loaded } from './plan.ts'

interface Reading<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: Pick<EventStore, 'readPage' | 'readStream'>
  codec: Codec
}

/**
 * Folds all that is behind a state, or at least the next `max` events of it. Throws Unavailable,
 * and PoisonEvent where the stream holds what cannot be read.
 */
export async function catchUp<State, Event extends DomainEvent>(
  reading: Reading<State, Event>,
  stream: string,
  known: Loaded<State>,
  max = Number.POSITIVE_INFINITY,
): Promise<Loaded<State>> {
  const { aggregate, eventStore, codec } = reading
  const from = known.revision + 1
  const events: Stored<Event>[] = []
  const page = await eventStore.readPage(stream, from)
  for (const recorded of page.events) {
    const decoded = codec.decodeForNow<Event>(aggregate, recorded)
    events.push(decoded ?? (await codec.decodeFor<Event>(aggregate, recorded)))
  }
  if (!page.isLast && events.length < max) {
    for await (const recorded of eventStore.readStream(stream, { from: from + events.length })) {
      events.push(await codec.decodeFor<Event>(aggregate, recorded))
      if (events.length >= max) break
    }
  }
  const last = events.at(-1)
  if (last === undefined) return known
  const { processed } = known
  for (const event of events) processed.add(event.commandId, event)
  return {
    state: fold(aggregate, events, known.state),
    revision: last.revision,
    position: last.position,
    correlationId: known.correlationId ?? events[0]?.correlationId,
    processed,
  }
}
