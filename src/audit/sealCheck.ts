// Checks what was signed against what the shop has sealed: events by their seals, checkpoints by
// the high-water mark. Neither can be made without SECRET_KEY.

import { startOfLog } from '../kit/position.ts'
import type { AuditServices, Authenticity, StoredCheckpoint } from '../ports/audit.ts'
import type { EventStore, RecordedEvent } from '../ports/eventStore.ts'
import type { Fault } from './chainFault.ts'

export interface SealDeps extends Pick<AuditServices, 'seals'> {
  eventStore: Pick<EventStore, 'readAll'>
}

/** What is wrong with the seal of an event, if anything. */
export type SealFault = (event: RecordedEvent) => Fault | undefined

/**
 * Looks at the seals of events in the order of the log. From the first event that has one on, each
 * has to have one: only what was written before there were seals may be without.
 */
export function watchSeals(seals: Authenticity | undefined, isLate = false): SealFault {
  let isSealed = isLate
  return event => {
    const state = seals?.stateOf(event) ?? 'sealed'
    const { position } = event
    if (state === 'forged') {
      const detail = 'Its seal is not right: this is not what the shop has appended here.'
      return { position, problem: 'unsealed', detail }
    }
    if (state === 'unsealed' && isSealed) {
      const detail = 'It has no seal: the shop has not appended it.'
      return { position, problem: 'unsealed', detail }
    }
    isSealed ||= state === 'sealed'
    return undefined
  }
}

/**
 * Checks that the checkpoints reach as far as has been signed at some time, with the same hash: who
 * deletes the newest ones, or puts others in their place, is found by the high-water mark.
 */
export async function checkMark({
  book,
  signer,
  marks,
}: Pick<AuditServices, 'book' | 'signer' | 'marks'>): Promise<Fault | undefined> {
  const mark = await marks?.newest()
  if (mark === undefined) return undefined
  const stored = await book.upTo(mark.position)
  const checkpoint =
    stored?.position === mark.position ? await signer.open(stored.signed) : undefined
  if (checkpoint?.hash === mark.hash && checkpoint.count === mark.count) return undefined
  const { position } = mark
  const when = mark.at.toISOString()
  const detail = `${mark.count} events were signed up to here at ${when}: it is not there any more.`
  return { position, problem: 'went-back', detail }
}

/** Events after the last signature. */
export interface Tail {
  events: number
  fault: Fault | undefined
}

/** Checks the seals of events that are not signed yet, at most `max` of them. */
export async function checkTail(
  deps: SealDeps,
  last: StoredCheckpoint | undefined,
  max = Number.POSITIVE_INFINITY,
): Promise<Tail> {
  const sealFault = await watchFrom(deps, last)
  let events = 0
  for await (const event of deps.eventStore.readAll({ after: last?.position ?? startOfLog })) {
    events += 1
    const fault = sealFault(event)
    if (fault !== undefined || events >= max) return { events, fault }
  }
  return { events, fault: undefined }
}

/** Checks the seals of events after a checkpoint, from which on events have seals. */
export async function watchFrom(
  { eventStore, seals }: SealDeps,
  last: StoredCheckpoint | undefined,
): Promise<SealFault> {
  if (seals === undefined || last === undefined) return watchSeals(seals)
  for await (const event of eventStore.readAll({ after: last.after })) {
    if (event.position > last.position) break
    if (seals.stateOf(event) === 'sealed') return watchSeals(seals, true)
  }
  return watchSeals(seals)
}
