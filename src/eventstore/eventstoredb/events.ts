// Translates between EventStoreDB's events, positions and filters and the port's.
import type { Position as ClientPosition } from '@eventstore/db-client'
import type { Position } from '../../kit/position.ts'
import type { JsonObject, RecordedEvent } from '../../ports/eventStore.ts'
import { toPosition } from '../core/positionNumbers.ts'
import { type Sent, type SentEvent, textOf } from './messages.ts'

/** What the client hands over for one event, whichever way it was read. */
export interface ClientEvent {
  streamId: string
  id: string
  revision: bigint
  type: string
  data: unknown
  metadata?: unknown
  created: Date
  position?: ClientPosition
}

/** The event that was sent, if one was. */
export function eventOf(sent: Sent): ClientEvent | undefined {
  return 'event' in sent ? clientEvent(sent.event) : undefined
}

/** An event as it was sent, in the shape in which the client would hand it over. */
export function clientEvent(sent: SentEvent): ClientEvent {
  const { bytes, id, stream, revision, type, commit, prepare } = sent
  const isJson = sent.contentType === 'application/json'
  const text = isJson ? textOf(bytes, sent.data) : undefined
  return {
    streamId: stream,
    id,
    revision,
    type,
    data: text === undefined ? copyOf(bytes, sent.data) : parsed(text, () => text),
    metadata: metadataOf(sent),
    created: new Date(millisecondsOf(sent.created)),
    position: { commit, prepare },
  }
}

function metadataOf({ bytes, metadata }: SentEvent): unknown {
  if (metadata.from === metadata.to) return undefined
  return parsed(textOf(bytes, metadata), () => copyOf(bytes, metadata))
}

/** JSON, or what stands for what is none. */
function parsed(text: string, otherwise: () => unknown): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return otherwise()
  }
}

/** Not a view: that would keep the whole message in memory. */
function copyOf(bytes: Buffer, { from, to }: SentEvent['data']): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to))
}

/** 10,000 ticks are a millisecond. */
function millisecondsOf(ticks: string): number {
  return Number(ticks.slice(0, -4))
}

/** A server from before 22.6 gives this instead of a position when a stream is read. */
const noPosition = 2n ** 64n - 1n

/** Streams and events of the server itself start with a dollar; the log does not show them. */
export function isSystem(event: { streamId: string; type: string }): boolean {
  return event.streamId.startsWith('$') || event.type.startsWith('$')
}

/**
 * The port's event, of a stream that the port knows by this name. Throws when the event has no
 * single position: then the server is older than 22.6, or the event was written in an explicit
 * transaction over the retired TCP protocol.
 */
export function recorded(event: ClientEvent, stream: string): RecordedEvent {
  return {
    id: event.id,
    type: event.type,
    data: jsonObject(event.data),
    metadata: jsonObject(event.metadata ?? {}),
    stream,
    revision: Number(event.revision),
    position: positionOf(event),
    recordedAt: event.created,
  }
}

/** The position of an event; see `recorded` for when it throws. */
export function positionOf({ position, id }: ClientEvent): Position {
  // Everything written over gRPC commits itself, so commit and prepare are one number.
  if (position === undefined || position.commit === noPosition) {
    throw new Error(`event ${id} came without a position: EventStoreDB 22.6 or newer is needed`)
  }
  if (position.commit !== position.prepare) {
    throw new Error(`event ${id} is part of an explicit transaction and has no position of its own`)
  }
  return toPosition(position.commit)
}

/** Events of other applications may hold anything: what is no JSON object is wrapped in one. */
function jsonObject(value: unknown): JsonObject {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  return isJsonObject(value) ? value : { value }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Where any record of the server is, also one that has no position in the log. */
export function placeOf({ position, id }: ClientEvent): Position {
  if (position === undefined) throw new Error(`event ${id} came without a position`)
  return toPosition(position.commit)
}
