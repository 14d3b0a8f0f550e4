// Events as projections and reactions read them.

import { type AppEvent, eventSchemas } from '../../domain/index.ts'
import type { Actor } from '../../domain/kernel/types.ts'
import type { Position } from '../../kit/position.ts'

/** An event as projections see it: decoded, with where and when it happened. */
export type ReadEvent = AppEvent & {
  id: string
  stream: string
  revision: number
  position: Position
  at: string
  actor: Actor
  correlationId: string
  commandId: string
  source: string | undefined
  /** Some of its text reads otherwise in the log, because PostgreSQL cannot hold it. */
  isReplaced?: true
}

export type EventType = AppEvent['type']
export type EventOf<Type extends EventType> = Extract<ReadEvent, { type: Type }>

/** Whether this release knows a type of event. */
export function isEventType(name: string): name is EventType {
  return Object.hasOwn(eventSchemas, name)
}
