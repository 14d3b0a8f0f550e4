// Checks the log against the hash chain: what was signed, link by link, and where it first differs.

import { justBefore, type Position, startOfLog } from '../kit/position.ts'
import type {
  AuditServices,
  Checkpoint,
  Link,
  Mark,
  StoredCheckpoint,
  StoredSegment,
} from '../ports/audit.ts'
import type { EventStore, RecordedEvent } from '../ports/eventStore.ts'
import type { LogInspection } from '../ports/logInspection.ts'
import type { Fault } from './chainFault.ts'
import { beginning, nextLink } from './hashChain.ts'
import { type SealFault, watchSeals } from './sealCheck.ts'
import type { StreamWatch } from './streamCheck.ts'

/** A part of the log that agrees with its checkpoint. */
export interface CheckedSegment {
  checkpoint: Checkpoint
  events: number
  fault?: undefined
}

export type Checked = CheckedSegment | { fault: Fault; checkpoint?: undefined }

export interface ChainDeps extends AuditServices {
  eventStore: Pick<EventStore, 'readAll'> & Pick<LogInspection, 'streamLimits'>
  /** Shown every event of the log that is checked. */
  streams?: StreamWatch
}

const pageSize = 10

/**
 * Checks part after part, from the one that holds `from`, and ends behind the last checkpoint or
 * the first fault. What is in memory is a few parts, however long the log is.
 */
export async function* checkChain(deps: ChainDeps, from = startOfLog): AsyncGenerator<Checked> {
  const { book } = deps
  const start = await anchor(
    deps,
    from > startOfLog ? await book.upTo(justBefore(from)) : undefined,
  )
  const sealFault = watchSeals(deps.seals)
  if (start.fault !== undefined) return yield { fault: start.fault }
  let before = start.link
  for (;;) {
    const page = await book.segmentsAfter(before.position, pageSize)
    for (const segment of page) {
      const checked = await checkSegment({ ...deps, sealFault }, before, segment)
      await deps.streams?.compare()
      yield checked
      if (checked.fault !== undefined) return
      before = checked.checkpoint
    }
    if (page.length < pageSize) return
  }
}

async function anchor({ signer }: ChainDeps, stored: StoredCheckpoint | undefined) {
  if (stored === undefined) return { link: beginning }
  const link = await signer.open(stored.signed)
  return link?.position === stored.position ? { link } : { fault: forged(stored.position) }
}

async function checkSegment(
  { eventStore, signer, streams, sealFault }: ChainDeps & { sealFault: SealFault },
  before: Link,
  segment: StoredSegment,
): Promise<Checked> {
  const checkpoint = await signer.open(segment.signed)
  if (checkpoint === undefined || checkpoint.position !== segment.position) {
    return { fault: forged(segment.position) }
  }
  const fault = faultOfOrder(before, checkpoint)
  if (fault !== undefined) return { fault }
  const ended = await walk({ eventStore, streams, sealFault }, before, segment)
  if ('problem' in ended) return { fault: ended }
  const wrong = faultAtEnd(ended, checkpoint)
  if (wrong !== undefined) return { fault: wrong }
  return { checkpoint, events: checkpoint.count - before.count }
}

interface Walking {
  eventStore: ChainDeps['eventStore']
  streams: StreamWatch | undefined
  sealFault: SealFault
}

async function walk(
  { eventStore, streams, sealFault }: Walking,
  before: Link,
  { after, position, marks }: StoredSegment,
): Promise<Link | Fault> {
  let link = before
  let seen = 0
  if (marks.length === 0) return link
  for await (const event of eventStore.readAll({ after })) {
    const next = follow(link, event, marks[seen])
    if ('problem' in next) return next
    const forgery = sealFault(event)
    if (forgery !== undefined) return forgery
    streams?.see(event)
    link = next
    seen += 1
    if (event.position === position) break
  }
  const unseen = marks[seen]
  return unseen === undefined ? link : missing(unseen.position)
}

function follow(link: Link, event: RecordedEvent, mark: Mark | undefined): Link | Fault {
  if (mark === undefined || event.position < mark.position) {
    const detail = 'There was no event here when this part of the log was signed.'
    return { position: event.position, problem: 'added', detail }
  }
  if (event.position > mark.position) return missing(mark.position)
  return nextAs(link, event, mark.hash)
}

/** The next link, unless its hash is not the one that was recorded; without one it is any. */
export function nextAs(link: Link, event: RecordedEvent, hash: string | undefined): Link | Fault {
  const next = nextLink(link, event)
  if (hash === undefined || next.hash === hash) return next
  const detail = 'This is not the event that was signed, or not behind the one that was.'
  return { position: event.position, problem: 'changed', detail }
}

/** The fault of a checkpoint that does not continue the previous one. */
export function faultOfOrder(before: Link, { after, position }: Checkpoint): Fault | undefined {
  if (after === before.position) return undefined
  const detail = `The checkpoint of the events from ${before.position} to ${after} is not there.`
  return { position, problem: 'missing-checkpoint', detail }
}

/** What is wrong where a part ends with another hash than the one that was signed. */
export function faultAtEnd(link: Link, checkpoint: Checkpoint): Fault | undefined {
  const { after, position, count, hash } = checkpoint
  if (link.hash === hash && link.count === count && link.position === position) return undefined
  const detail = `What was signed is another log between ${after} and ${position}.`
  return { position, problem: 'wrong-hash', detail }
}

/** The fault of a checkpoint that no key of the shop has signed. */
export function forged(position: Position): Fault {
  const detail = 'No key of this shop has signed this checkpoint.'
  return { position, problem: 'forged-checkpoint', detail }
}

function missing(position: Position): Fault {
  return { position, problem: 'missing', detail: 'The event that was signed here is gone.' }
}
