// The shapes that events had in earlier releases, each turned into the next one.
import type { JsonObject } from '../../ports/eventStore.ts'

/** Turns the payload of one version of an event type into the next version's. */
export type Upcaster = (data: JsonObject) => JsonObject

/**
 * Keyed `Type@version`: `OrderPlaced@1` makes version 2 of version 1. The codec does not start
 * without one for each version that there has been. See docs/decisions/0025-event-versions.md.
 */
export const upcasters: Readonly<Record<string, Upcaster>> = {
  'OrderShipped@1': data => ({ ...data, tracking: data.tracking ?? null }),
}
