// What the codec knows of each type of event, and its way from older versions to the newest.
import { PoisonEvent } from '../../ports/codec.ts'
import type { JsonObject, RecordedEvent } from '../../ports/eventStore.ts'
import type { Upcaster } from './upcasters.ts'

/** One type of event. */
export interface Kind {
  version: number
  subject: string | undefined
  /** The field with the id of the person whom such an event erases. */
  erases: string | undefined
  personal: readonly (readonly string[])[]
  check(data: unknown): boolean
  faults(data: unknown): string
  /** A copy without the fields that this release does not know. */
  known(data: JsonObject): JsonObject
}

/** Throws where an upcaster is missing: events of that version could not be read. */
export function assertUpcasters(
  type: string,
  newest: number,
  upcasters: Readonly<Record<string, Upcaster>>,
): void {
  for (let version = 1; version < newest; version += 1) {
    const name = `${type}@${version}`
    if (upcasters[name] === undefined) throw new Error(`there is no upcaster ${name}`)
  }
}

/** The payload of an event in the newest version of its type. Throws PoisonEvent. */
export function upcast(
  recorded: RecordedEvent,
  from: number,
  kind: Kind,
  upcasters: Readonly<Record<string, Upcaster>>,
): JsonObject {
  let data = recorded.data
  for (let version = from; version < kind.version; version += 1) {
    const next = upcasters[`${recorded.type}@${version}`]
    if (next === undefined) throw new PoisonEvent(recorded, `no upcaster from version ${version}`)
    data = next(data)
  }
  return data
}
