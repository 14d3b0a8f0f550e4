// Translates between EventStoreDB's events, positions and filters and the port's.
import { type Position as ClientPosition, START } from '@eventstore/db-client'
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { type Position, startOfLog } from '../kit/position.ts'
import type { JsonObject, RecordedEvent } from './port.ts'
import { toNumber, toPosition } from './positionNumbers.ts'

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

const ticksPerMillisecond = 10_000n

/** An event as the protocol has it, in the shape in which the client would hand it over. */
export function clientEvent(event: streamsPb.ReadResp.ReadEvent.RecordedEvent): ClientEvent {
  const metadata = event.getMetadataMap()
  const isJson = metadata.get('content-type') === 'application/json'
  const data = event.getData_asU8()
  const custom = event.getCustomMetadata_asU8()
  const commit = BigInt(event.getCommitPosition())
  const prepare = BigInt(event.getPreparePosition())
  return {
    streamId: textOf(event.getStreamIdentifier()?.getStreamName_asU8() ?? nothing),
    id: event.getId()?.getString() ?? '',
    revision: BigInt(event.getStreamRevision()),
    type: metadata.get('type') ?? '',
    data: isJson ? parsed(data, textOf) : data,
    metadata: custom.length === 0 ? undefined : parsed(custom, bytes => bytes),
    created: new Date(Number(BigInt(metadata.get('created') ?? 0) / ticksPerMillisecond)),
    position: { commit, prepare },
  }
}

const nothing = new Uint8Array()

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

/** JSON, or what stands for what is none. */
function parsed(bytes: Uint8Array, otherwise: (bytes: Uint8Array) => unknown): unknown {
  try {
    return JSON.parse(textOf(bytes))
  } catch {
    return otherwise(bytes)
  }
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

/** The client's name for a position of the port, where `startOfLog` is the beginning. */
export function toClientPosition(position: Position): ClientPosition | typeof START {
  if (position === startOfLog) return START
  const offset = toNumber(position)
  return { commit: offset, prepare: offset }
}
