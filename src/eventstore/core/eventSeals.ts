// Seals on events: a MAC in the metadata says that this shop has appended the event, there.
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type {
  EventStore,
  ExpectedRevision,
  NewEvent,
  RecordedEvent,
} from '../../ports/eventStore.ts'

/** `unsealed` is an event without a seal: from before there were any, or not appended by us. */
export type SealState = 'sealed' | 'unsealed' | 'forged'

export interface EventSeals {
  /** The event with its seal. `revision` is where it will be; unknown for some appends. */
  seal(stream: string, revision: number | undefined, event: NewEvent): NewEvent
  stateOf(event: RecordedEvent): SealState
}

/** 128 bits: nobody can try that many events. */
const macLength = 22

/** What every seal looks like: where it says that the event is, and the MAC. */
export const sealForm = /^[ar][\w-]{22}$/

/**
 * Seals events with HMAC-SHA-256 over stream, revision, id, type, data and metadata. The position
 * is not part of it: it is given by the store, and the chain covers it.
 */
export function createEventSeals(key: KeyObject): EventSeals {
  const macOf = (place: string, { id, type }: { id: string; type: string }, text: Text) =>
    createHmac('sha256', key)
      .update(`${place}\n${id.toLowerCase()}\n${type}\n${text.data}\n${text.metadata}`)
      .digest('base64url')
      .slice(0, macLength)
  return {
    seal(stream, revision, event) {
      // A copy from another store brings the seal that it had there.
      const { mac: _, ...metadata } = event.metadata
      const text = { data: JSON.stringify(event.data), metadata: JSON.stringify(metadata) }
      const kind = revision === undefined ? 'a' : 'r'
      const mac = `${kind}${macOf(placeOf(stream, revision), event, text)}`
      const sealed = { data: text.data, metadata: withMac(text.metadata, mac) }
      return { ...event, metadata: { ...metadata, mac }, text: sealed }
    },
    stateOf(event) {
      const { mac, ...metadata } = event.metadata
      if (mac === undefined) return 'unsealed'
      if (typeof mac !== 'string') return 'forged'
      const revision = mac.startsWith('r') ? event.revision : undefined
      const text = { data: JSON.stringify(event.data), metadata: JSON.stringify(metadata) }
      const expected = `${mac.slice(0, 1)}${macOf(placeOf(event.stream, revision), event, text)}`
      return isSame(mac, expected) && /^[ar]/.test(mac) ? 'sealed' : 'forged'
    },
  }
}

interface Text {
  data: string
  metadata: string
}

function placeOf(stream: string, revision: number | undefined): string {
  return `${JSON.stringify(stream)}\n${revision ?? ''}`
}

/** The text of the metadata with the seal as its last field, without writing it all again. */
function withMac(metadata: string, mac: string): string {
  const start = metadata === '{}' ? '{' : `${metadata.slice(0, -1)},`
  return `${start}"mac":"${mac}"}`
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

/** The same store, whose appends are sealed. */
export function sealedStore<Store extends EventStore>(store: Store, seals: EventSeals): Store {
  return {
    ...store,
    append(stream, expected, events) {
      const first = firstRevision(expected)
      const sealed = events.map((event, index) =>
        seals.seal(stream, first === undefined ? undefined : first + index, event),
      )
      return store.append(stream, expected, sealed)
    },
  }
}

function firstRevision(expected: ExpectedRevision): number | undefined {
  if (expected === 'no-stream') return 0
  return typeof expected === 'number' ? expected + 1 : undefined
}
