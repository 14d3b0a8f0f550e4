// What the codec writes beside the payload of an event.
import type { Actor } from '../../domain/kernel/types.ts'
import type { JsonObject } from '../../ports/eventStore.ts'

/** The metadata of an event, without its seal. */
export interface Metadata extends JsonObject {
  v: number
  commandId: string
  correlationId: string
  causationId: string
  actor: Actor
  at: string
  source?: string
  digest?: string
  sealed?: string
  /** With whose key, where neither the payload nor the actor says so. */
  subject?: string
}

/** Whether metadata is what `encode` writes: another application may write events of our types. */
export function isMetadata(metadata: JsonObject): metadata is Metadata {
  const { v, commandId, correlationId, causationId, actor, at } = metadata
  const texts = [commandId, correlationId, causationId, at]
  if (!Number.isInteger(v) || texts.some(each => typeof each !== 'string')) return false
  return typeof actor === 'object' && actor !== null && 'role' in actor
}
