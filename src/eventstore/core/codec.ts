// Between domain events and the log: schemas checked on write and on read, versions, and personal
// fields sealed with the key of the person they are about.
import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import type { AppEvent } from '../../domain/index.ts'
import type { DomainEvent, EventSchemas } from '../../domain/kernel/aggregate.ts'
import { personalPaths, personalTexts, withTexts } from '../../domain/kernel/personal.ts'
import { isAllStorable } from '../../domain/kernel/text.ts'
import { type Actor, actorOfEvent, erasedText, ownerOfStream } from '../../domain/kernel/types.ts'
import { isTransient } from '../../kit/transient.ts'
import type { OwnerOf, Seals } from '../../ports/codec.ts'
import { type Codec, PoisonEvent, type Stored, UnknownEvent } from '../../ports/codec.ts'
import type { Envelope } from '../../ports/envelope.ts'
import type { JsonObject, NewEvent, RecordedEvent } from '../../ports/eventStore.ts'
import { assertUpcasters, type Kind, upcast } from './eventKinds.ts'
import { isMetadata, type Metadata } from './eventMetadata.ts'
import { upcasters as shopUpcasters, type Upcaster } from './upcasters.ts'

const nobody: OwnerOf = async () => undefined

/** What a personal field reads once its person has been erased. */
export const erased = erasedText

/**
 * The codec of a set of event types; `upcasters` are keyed `Type@version`. Throws where one of them
 * is missing: events of that version could not be read. `ownerOf` is asked about events of before
 * their text was sealed, which do not say whom they are about.
 */
export function createCodec(
  schemas: EventSchemas,
  seals: Seals,
  upcasters: Readonly<Record<string, Upcaster>> = shopUpcasters,
  ownerOf: OwnerOf = nobody,
): Codec {
  const kinds = new Map(Object.entries(schemas).map(([type, schema]) => [type, kindOf(schema)]))
  for (const [type, { version }] of kinds) assertUpcasters(type, version, upcasters)

  const decode = decoder({ kinds, seals, upcasters, ownerOf })

  return {
    encode(event, id, envelope, owner) {
      const kind = kinds.get(event.type)
      if (kind === undefined) throw new Error(`no schema for the event type ${event.type}`)
      if (!kind.check(event.data)) {
        throw new Error(`${event.type} does not fit its schema: ${kind.faults(event.data)}`)
      }
      // Nobody could read it: PostgreSQL's json holds neither NUL nor lone surrogates.
      if (!isAllStorable(event.data))
        throw new Error(`${event.type} holds text that is not Unicode`)
      return encodeChecked(kind, event, { id, envelope, owner, seals })
    },
    knows: name => isKnown(kinds, name),
    decode: recorded => decode(recorded) as Decoded<AppEvent>,
    decodeFor<Event extends DomainEvent>(
      { events }: { events: Record<string, unknown> },
      recorded: RecordedEvent,
    ) {
      if (recorded.type in events) return decode(recorded) as Decoded<Event>
      return Promise.reject(new UnknownEvent(recorded, 'this type does not belong in this stream'))
    },
  }
}

type Decoded<Event extends DomainEvent> = Stored<Event> | Promise<Stored<Event>>

interface Reading {
  kinds: ReadonlyMap<string, Kind>
  seals: Seals
  upcasters: Readonly<Record<string, Upcaster>>
  ownerOf: OwnerOf
}

/** Every failure that is not transient is a PoisonEvent. */
function decoder({ kinds, seals, upcasters, ownerOf }: Reading) {
  /** What can be had without a key: its kind and its payload in the newest version. */
  function unpack(recorded: RecordedEvent): Unpacked {
    const kind = kinds.get(recorded.type)
    if (kind === undefined) throw new UnknownEvent(recorded, 'this type is not known')
    const { metadata } = recorded
    if (!isMetadata(metadata)) throw new PoisonEvent(recorded, 'its metadata is not of the shop')
    if (metadata.v > kind.version) {
      throw new UnknownEvent(recorded, `version ${metadata.v} is not known`)
    }
    const data = upcast(recorded, metadata.v, kind, upcasters)
    if (kind.erases !== undefined) seals.evict(String(data[kind.erases]))
    return { kind, metadata, data }
  }

  async function decrypted(recorded: RecordedEvent, unpacked: Unpacked) {
    try {
      return await opened({ seals, ownerOf }, recorded, unpacked)
    } catch (error) {
      throw asPoison(recorded, error)
    }
  }

  return (recorded: RecordedEvent): Decoded<DomainEvent> => {
    try {
      const unpacked = unpack(recorded)
      if (takesKey(unpacked)) return decrypted(recorded, unpacked)
      return checked(recorded, unpacked.kind, unpacked.data)
    } catch (error) {
      return Promise.reject(asPoison(recorded, error))
    }
  }
}

/** Whether an event has personal text, encrypted or from before it was, of a known person. */
function takesKey({ kind, metadata, data }: Unpacked): boolean {
  if (metadata.sealed === undefined && openTexts(kind, data).length === 0) return false
  return kind.subject === ownerOfStream || subjectOf(kind, metadata, data) !== undefined
}

function isKnown(kinds: ReadonlyMap<string, Kind>, name: string): boolean {
  const [type = '', version] = name.split('@')
  return Number(version) <= (kinds.get(type)?.version ?? 0)
}

/** What passes by itself stays what it is; whatever else decoding throws is about the event. */
function asPoison(recorded: RecordedEvent, error: unknown): unknown {
  if (error instanceof PoisonEvent || isTransient(error)) return error
  return new PoisonEvent(recorded, error instanceof Error ? error.message : 'it cannot be read')
}

interface Unpacked {
  kind: Kind
  metadata: Metadata
  data: JsonObject
}

/** With its personal text, where the key is there; what was never sealed reads like what was. */
async function opened(
  { seals, ownerOf }: { seals: Seals; ownerOf: OwnerOf },
  recorded: RecordedEvent,
  { kind, metadata, data }: Unpacked,
): Promise<Stored<DomainEvent>> {
  const named = subjectOf(kind, metadata, data)
  if (named !== undefined && metadata.sealed !== undefined) {
    const clear = await seals.open(named, metadata.sealed)
    if (clear === undefined) return checked(recorded, kind, data)
    return checked(recorded, kind, withTexts(data, textsOf(clear)))
  }
  const open = openTexts(kind, data)
  if (open.length === 0) return checked(recorded, kind, data)
  const isOwners = kind.subject === ownerOfStream
  const subject = named ?? (isOwners ? await ownerOf(recorded.stream) : undefined)
  const isGone = subject !== undefined && (await seals.isErased(subject))
  return checked(recorded, kind, isGone ? blanked(data, open) : data)
}

/** Fields that a newer release has added are left out: it may only add what can be left out. */
function checked(recorded: RecordedEvent, kind: Kind, given: JsonObject): Stored<DomainEvent> {
  const data = kind.check(given) ? given : kind.known(given)
  if (!kind.check(data)) throw new PoisonEvent(recorded, kind.faults(data))
  const metadata = recorded.metadata as Metadata
  return {
    type: recorded.type,
    data,
    id: recorded.id,
    stream: recorded.stream,
    revision: recorded.revision,
    position: recorded.position,
    at: metadata.at,
    commandId: metadata.commandId,
    correlationId: metadata.correlationId,
    causationId: metadata.causationId,
    actor: metadata.actor,
    source: metadata.source,
    digest: metadata.digest,
  }
}

/** At once, unless personal text has to be encrypted first. */
function encodeChecked(
  kind: Kind,
  event: DomainEvent,
  on: { id: string; envelope: Envelope; owner: string | undefined; seals: Seals },
): NewEvent | Promise<NewEvent> {
  const { id, envelope, seals } = on
  const { commandId, correlationId, causationId, actor, at, source, digest } = envelope
  const metadata: Metadata = {
    v: kind.version,
    commandId,
    correlationId,
    causationId,
    actor: publicActor(actor),
    at: at.toISOString(),
  }
  if (source !== undefined) metadata.source = source
  if (digest !== undefined) metadata.digest = digest
  const data = event.data as JsonObject
  const encoded = { id, type: event.type, data, metadata }
  const personal = personalTexts(data, kind.personal)
  if (Object.keys(personal).length === 0) return encoded
  if (kind.subject === ownerOfStream) {
    if (on.owner === undefined) throw new Error(`nobody is known whom ${event.type} is about`)
    metadata.subject = on.owner
  }
  const subject = subjectOf(kind, metadata, data)
  // Text that the shop itself has written is not personal.
  return subject === undefined ? encoded : sealed(encoded, { personal, subject, seals })
}

async function sealed(
  encoded: NewEvent,
  on: { personal: Readonly<Record<string, string>>; subject: string; seals: Seals },
): Promise<NewEvent> {
  const { personal, subject, seals } = on
  const text = await seals.seal(subject, JSON.stringify(personal))
  return {
    ...encoded,
    data: blanked(encoded.data, Object.keys(personal)),
    metadata: { ...encoded.metadata, sealed: text },
  }
}

function blanked(data: JsonObject, paths: readonly string[]): JsonObject {
  return withTexts(data, Object.fromEntries(paths.map(path => [path, erased])))
}

/** Where an event holds personal text that is not sealed, as events of before its sealing do. */
function openTexts({ personal }: Kind, data: JsonObject): string[] {
  if (personal.length === 0) return []
  const texts = Object.entries(personalTexts(data, personal))
  return texts.flatMap(([path, text]) => (text === erased ? [] : [path]))
}

function textsOf(clear: string): Record<string, string> {
  return JSON.parse(clear) as Record<string, string>
}

/** The person whose key encrypts the text of an event; undefined where there is none. */
function subjectOf(kind: Kind, metadata: Metadata, data: JsonObject): string | undefined {
  if (kind.subject === undefined) return undefined
  if (kind.subject === ownerOfStream) return metadata.subject
  if (kind.subject !== actorOfEvent) return String(data[kind.subject])
  const { actor } = metadata
  return actor.role === 'anonymous' || actor.role === 'system' ? undefined : actor.id
}

/** The log has the role of an action, not all roles that the account had. */
function publicActor(actor: Actor): Actor {
  if (actor.role === 'anonymous') return { role: 'anonymous' }
  return { role: actor.role, id: actor.id } as Actor
}

function kindOf(schema: TObject): Kind {
  const settings = schema as TObject & { subject?: string; version?: number; erases?: string }
  const compiled = Compile(schema)
  const personal = personalPaths(schema)
  if (personal.length > 0 && settings.subject === undefined) {
    throw new Error('a payload with personal fields names its subject')
  }
  return {
    version: settings.version ?? 1,
    subject: settings.subject,
    erases: settings.erases,
    personal,
    check: data => compiled.Check(data),
    known: data => Value.Clean(schema, structuredClone(data)) as JsonObject,
    faults: data =>
      [...compiled.Errors(data)]
        .slice(0, 3)
        .map(fault => `${fault.instancePath} ${fault.message}`)
        .join('; '),
  }
}
