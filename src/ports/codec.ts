// Between domain events and the log: what the codec promises, and what it needs to encrypt.

import type { AppEvent } from '../domain/index.ts'
import type { DomainEvent } from '../domain/kernel/aggregate.ts'
import type { Actor } from '../domain/kernel/types.ts'
import type { Position } from '../kit/position.ts'
import type { Envelope } from './envelope.ts'
import type { NewEvent, RecordedEvent } from './eventStore.ts'

/** An event of the log that cannot be understood. */
export class PoisonEvent extends Error {
  readonly stream: string

  constructor(recorded: { type: string; position: Position; stream: string }, why: string) {
    super(`${recorded.type} at ${recorded.position} in ${recorded.stream}: ${why}`)
    this.name = 'PoisonEvent'
    this.stream = recorded.stream
  }
}

/** An event of a type or a version that only a newer release can read. */
export class UnknownEvent extends PoisonEvent {
  /** The `Type@version` that a release must know to read it. */
  readonly awaits: string

  constructor(
    recorded: { type: string; position: Position; stream: string; metadata: { v?: unknown } },
    why: string,
  ) {
    super(recorded, why)
    this.name = 'UnknownEvent'
    this.awaits = `${recorded.type}@${recorded.metadata.v}`
  }
}

/** An event as decoded from the log, with where and when it happened. */
export type Stored<Event extends DomainEvent> = Event & {
  id: string
  stream: string
  revision: number
  position: Position
  /** ISO 8601, in UTC, to the millisecond. */
  at: string
  commandId: string
  correlationId: string
  causationId: string
  actor: Actor
  source: string | undefined
  digest: string | undefined
}

/** Where an event is and who caused it: also known of an event that cannot be decoded. */
export interface EventHeader {
  position: Position
  stream: string
  revision: number
  type: string
  /** The id of the actor, or the role of one without an id. */
  actor: string
  correlationId: string
  at: string
}

/** An event of the log that could not be decoded. */
export interface Poison {
  type: string
  stream: string
  position: Position
  error: string
  /** `Type@version` that a newer release can read; null for what no release is expected to. */
  awaits: string | null
  /** What its metadata says, as far as it can be read. */
  place: EventHeader
}

/** Between domain events and the log: schemas, versions, encryption of personal fields. */
export interface Codec {
  /**
   * At once, unless personal text has to be encrypted first; `owner` is the person whom its stream
   * is about. Throws when the event does not match its schema, or when no person is known whose key
   * encrypts its personal text: a bug, never bad input.
   */
  encode(
    event: DomainEvent,
    id: string,
    envelope: Envelope,
    owner?: string,
  ): NewEvent | Promise<NewEvent>
  /** Whether events of this `Type@version` can be read. */
  knows(name: string): boolean
  /**
   * At once, unless it takes somebody's key. Rejects with PoisonEvent when the type is unknown or
   * the payload does not fit.
   */
  decode(recorded: RecordedEvent): Stored<AppEvent> | Promise<Stored<AppEvent>>
  /** The same for an event of one aggregate's stream. */
  decodeFor<Event extends DomainEvent>(
    aggregate: { events: Record<string, unknown> },
    recorded: RecordedEvent,
  ): Stored<Event> | Promise<Stored<Event>>
}

/** Encrypts and decrypts text with the key of a person. `open` returns undefined after erasure. */
export interface Seals {
  seal(subject: string, text: string): Promise<string>
  open(subject: string, sealed: string): Promise<string | undefined>
  /** Whether the key of a person has been erased. */
  isErased(subject: string): Promise<boolean>
  /**
   * Stops using the key of a person whose erasure is in the log, even if it is still cached or not
   * destroyed yet.
   */
  evict(subject: string): void
}

/** Whom a stream is about, as its first event says. */
export type OwnerOf = (stream: string) => Promise<string | undefined>
