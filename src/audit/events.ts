// Events as auditors see them: decoded where that is possible, as they are kept where it is not.

import type { AppEvent } from '../domain/index.ts'
import type { Actor } from '../domain/kernel/types.ts'
import type { Position } from '../kit/position.ts'
import { isTransient } from '../kit/transient.ts'
import type { Codec, Stored } from '../ports/codec.ts'
import { type EventStore, type RecordedEvent, readStream } from '../ports/eventStore.ts'

export interface AuditedEvent {
  position: string
  stream: string
  revision: number
  id: string
  type: string
  /** Personal data of erased people reads [erased]. */
  data: object
  /** When it happened; null where it cannot be read. */
  at: string | null
  recordedAt: string
  actor: { role: Actor['role']; id: string | null } | null
  commandId: string | null
  correlationId: string | null
  causationId: string | null
  source: string | null
  /** False for what the shop cannot understand: its data is shown as it is kept. */
  readable: boolean
}

export interface LogReader {
  eventStore: Pick<EventStore, 'readAll' | 'read'>
  codec: Pick<Codec, 'decode'>
}

/** Shows events, without what the shop keeps about a request (its digest) and what is sealed. */
export function showEvents(
  codec: LogReader['codec'],
  events: readonly RecordedEvent[],
): Promise<AuditedEvent[]> {
  return Promise.all(events.map(event => show(codec, event)))
}

async function show(codec: LogReader['codec'], recorded: RecordedEvent): Promise<AuditedEvent> {
  const event = await Promise.resolve(codec.decode(recorded)).catch(error => {
    // A key that cannot be fetched now can be later; an event that does not decode never will.
    if (isTransient(error)) throw error
    return undefined
  })
  const { stream, revision, id, type, recordedAt } = recorded
  const location = { position: String(recorded.position), stream, revision, id, type }
  const when = { recordedAt: recordedAt.toISOString() }
  return event === undefined
    ? { ...location, ...when, ...unreadable, data: recorded.data }
    : { ...location, ...when, ...eventText(event), readable: true }
}

const unreadable = {
  at: null,
  actor: null,
  commandId: null,
  correlationId: null,
  causationId: null,
  source: null,
  readable: false,
}

function eventText({ data, at, actor, ...event }: Stored<AppEvent>) {
  return {
    data,
    at,
    actor: { role: actor.role, id: actor.role === 'anonymous' ? null : actor.id },
    commandId: event.commandId,
    correlationId: event.correlationId,
    causationId: event.causationId,
    source: event.source ?? null,
  }
}

/** The first events of a sequence. */
export async function firstOf(
  events: AsyncIterable<RecordedEvent>,
  limit: number,
): Promise<RecordedEvent[]> {
  const found: RecordedEvent[] = []
  if (limit === 0) return found
  for await (const event of events) {
    found.push(event)
    if (found.length >= limit) break
  }
  return found
}

interface Run {
  stream: string
  from: number
  to: number
}

/** Reading this many extra events is cheaper than another round trip. */
const gapMax = 10

/**
 * The events at some places, in log order. The port reads streams, so places of one stream that
 * are close to each other are read together, and different streams at the same time.
 */
export async function eventsAt(
  { eventStore }: LogReader,
  locations: readonly { position: Position; stream: string; revision: number }[],
): Promise<RecordedEvent[]> {
  const positions = new Set(locations.map(location => location.position))
  const found = await Promise.all(
    runsOf(locations).map(({ stream, from, to }) =>
      firstOf(readStream(eventStore, stream, { from, to }), to - from + 1),
    ),
  )
  return found
    .flat()
    .filter(event => positions.has(event.position))
    .sort((a, b) => (a.position < b.position ? -1 : 1))
}

function runsOf(locations: readonly { stream: string; revision: number }[]): Run[] {
  const runs = new Map<string, Run[]>()
  for (const { stream, revision } of locations) {
    const known = runs.get(stream) ?? []
    const last = known.at(-1)
    if (last !== undefined && revision - last.to <= gapMax) last.to = revision
    else known.push({ stream, from: revision, to: revision })
    runs.set(stream, known)
  }
  return [...runs.values()].flat()
}
