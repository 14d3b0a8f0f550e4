// Reads the events of a stream that a state does not have yet, and folds them onto it.
import { type Aggregate, type DomainEvent, fold } from '../../domain/kernel/aggregate.ts'
import type { Codec, Stored } from '../../ports/codec.ts'
import type { EventStore, RecordedEvent } from '../../ports/eventStore.ts'
import type { Loaded } from './plan.ts'

interface Reading<State, Event extends DomainEvent> {
  aggregate: Aggregate<State, Event>
  eventStore: Pick<EventStore, 'read'>
  codec: Codec
}

/**
 * Folds all events after a state, or at least the next `max` of them. Throws Unavailable, and
 * PoisonEvent where the stream holds an event that cannot be read.
 */
export async function catchUp<State, Event extends DomainEvent>(
  reading: Reading<State, Event>,
  stream: string,
  known: Loaded<State>,
  max = Number.POSITIVE_INFINITY,
): Promise<Loaded<State>> {
  let loaded = known
  for (;;) {
    const [page] = await reading.eventStore.read([{ stream, after: loaded.revision }])
    if (page === undefined) throw new Error('the event store gave no page')
    loaded = await foldPage(reading, loaded, page.events)
    if (page.isLast || loaded.revision - known.revision >= max) return loaded
  }
}

async function foldPage<State, Event extends DomainEvent>(
  { aggregate, codec }: Reading<State, Event>,
  known: Loaded<State>,
  page: readonly RecordedEvent[],
): Promise<Loaded<State>> {
  const events: Stored<Event>[] = []
  for (const recorded of page) events.push(await codec.decodeFor<Event>(aggregate, recorded))
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
