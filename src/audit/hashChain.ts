// The hash chain over the log: the exact bytes of an event, and what each link adds to the one
// before. docs/audit.md defines both, so that others can verify them without this code.

import { createHash } from 'node:crypto'
import { startOfLog } from '../kit/position.ts'
import type { Link } from '../ports/audit.ts'
import type { RecordedEvent } from '../ports/eventStore.ts'

/** The chain before the first event. */
export const beginning: Link = { position: startOfLog, count: 0, hash: '0'.repeat(64) }

/** The chain with one more event: SHA-256(hash before, 32 bytes ‖ canonical bytes of the event). */
export function nextLink(before: Link, event: RecordedEvent): Link {
  const hash = createHash('sha256')
    .update(before.hash, 'hex')
    .update(canonicalEvent(event), 'utf8')
    .digest('hex')
  return { position: event.position, count: before.count + 1, hash }
}

/** An event as the log holds it, what is sealed still sealed, in the one form that is hashed. */
export function canonicalEvent(event: RecordedEvent): string {
  return canonicalJson(storedEvent(event))
}

/** An event as the log holds it, as JSON has it: this is what exports are made of. */
export function storedEvent(event: RecordedEvent) {
  return {
    position: String(event.position),
    stream: event.stream,
    revision: event.revision,
    id: event.id,
    type: event.type,
    recordedAt: event.recordedAt.toISOString(),
    data: event.data,
    metadata: event.metadata,
  }
}

/** JSON in the one form of RFC 8785: no spaces, names in the order of their UTF-16 code units. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  let fields = ''
  // A sort without a comparison is by UTF-16 code units.
  for (const name of Object.keys(value).sort()) {
    const field: unknown = Reflect.get(value, name)
    if (fields !== '') fields += ','
    fields += `${JSON.stringify(name)}:${canonicalJson(field)}`
  }
  return `{${fields}}`
}
