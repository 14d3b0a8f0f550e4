// The envelopes of commands that follow from another one, or that no person has asked for.

import type { Envelope } from '../../ports/envelope.ts'
import { derivedId, newId } from './ids.ts'

/** The envelope of a command that the shop gives itself. */
export function systemEnvelope(id: string, at: Date, commandId = newId()): Envelope {
  return {
    commandId,
    correlationId: commandId,
    causationId: commandId,
    actor: { role: 'system', id },
    at,
  }
}

/** The envelope of one step of a larger command: its own id, always the same for the same step. */
export function step(envelope: Envelope, ...names: readonly string[]): Envelope {
  const { expectedRevision: _, ...rest } = envelope
  return {
    ...rest,
    commandId: derivedId(envelope.commandId, names.join('/')),
    causationId: envelope.commandId,
  }
}

/** The envelope of a step of a process: its id follows from its subject, in every process. */
export function processStep(cause: Envelope, subjectId: string, name: string): Envelope {
  const { correlationId, commandId, actor, at, source } = cause
  const envelope: Envelope = {
    commandId: derivedId(subjectId, name),
    correlationId,
    causationId: commandId,
    actor,
    at,
  }
  if (source !== undefined) envelope.source = source
  return envelope
}
