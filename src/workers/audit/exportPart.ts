// Checks the events of an export between two checkpoints, and names what is missing, changed, added
// or out of order there.

import type { Fault } from '../../audit/chainFault.ts'
import { nextLink } from '../../audit/hashChain.ts'
import { justAfter, type Position, startOfLog } from '../../kit/position.ts'
import type { Checkpoint, Link } from '../../ports/audit.ts'
import type { RecordedEvent } from '../../ports/eventStore.ts'

export interface ExportedEvent {
  event: RecordedEvent
  /** What the chain was at this event, where the export says so. */
  hash: string | undefined
}

interface CheckedSegment {
  faults: Fault[]
  /** The chain at each event, where the part is as it was signed. */
  links: Link[]
}

/** Recomputes the chain over a segment, and finds the events that break it. */
export function checkSegment(
  before: Link,
  due: Checkpoint,
  received: readonly ExportedEvent[],
): CheckedSegment {
  const { once, repeats } = withoutRepeats(received)
  const outOfOrder = [...repeats.map(repeated), ...reordered(once)]
  const segment = once.toSorted((a, b) => (a.event.position < b.event.position ? -1 : 1))
  const links: Link[] = []
  let link = before
  for (const { event } of segment) {
    link = nextLink(link, event)
    links.push(link)
  }
  const isRight = link.hash === due.hash && link.count === due.count
  if (isRight && link.position === due.position) {
    const wrong = segment.findIndex(({ hash }, n) => hash !== undefined && hash !== links[n]?.hash)
    if (wrong < 0) return { faults: outOfOrder, links }
    const detail = 'The hash of this event is not the one that was signed.'
    const position = segment[wrong]?.event.position ?? due.position
    return { faults: [{ position, problem: 'changed', detail }], links }
  }
  return { faults: [...outOfOrder, ...diagnose(before, due, segment)], links: [] }
}

/** Tells apart events that came before; one that says another hash is looked at as it is. */
function withoutRepeats(received: readonly ExportedEvent[]) {
  const seen = new Set<string>()
  const once: ExportedEvent[] = []
  const repeats: ExportedEvent[] = []
  for (const each of received) {
    const name = `${each.event.position} ${each.event.id} ${each.hash}`
    if (seen.has(name)) repeats.push(each)
    else once.push(each)
    seen.add(name)
  }
  return { once, repeats }
}

function repeated({ event: { position } }: ExportedEvent): Fault {
  return { position, problem: 'added', detail: 'This event is there twice.' }
}

/** Walks along the hashes that the export itself says, from one break to the next. */
function diagnose(before: Link, due: Checkpoint, segment: readonly ExportedEvent[]): Fault[] {
  const faults: Fault[] = []
  let link = before
  let missing = due.count - before.count - segment.length
  for (const [index, { event, hash }] of segment.entries()) {
    const { position } = event
    const next = nextLink(link, event)
    if (hash === undefined || next.hash === hash) {
      link = next
    } else if (isAdded(link, segment[index + 1])) {
      const detail = 'There was no event here when this part of the log was signed.'
      faults.push({ position, problem: 'added', detail })
      missing += 1
    } else {
      const gone = goneBefore({ before, due, link, position }, missing)
      missing -= gone
      faults.push(gone > 0 ? missingBetween(link, position, gone) : changed(position))
      link = { position, count: next.count, hash }
    }
  }
  if (missing > 0 && link.position < due.position) faults.push(missingEvents(link, due, missing))
  else if (faults.length === 0) {
    const detail = `What was signed is another log between ${before.position} and ${due.position}.`
    faults.push({ position: due.position, problem: 'wrong-hash', detail })
  }
  return faults
}

/** Events that follow later ones. */
function reordered(segment: readonly ExportedEvent[]): Fault[] {
  let highest = startOfLog
  return segment.flatMap(({ event: { position } }): Fault[] => {
    const before = highest
    if (position > highest) highest = position
    const detail = `It comes behind the event at position ${before}.`
    return position > before ? [] : [{ position, problem: 'reordered', detail }]
  })
}

/** How many events are gone between the last one that is right and one that does not follow. */
function goneBefore(
  at: { before: Link; due: Checkpoint; link: Link; position: Position },
  missing: number,
): number {
  if (missing <= 0 || at.position <= justAfter(at.link.position)) return 0
  if (!isGapless(at.before, at.due)) return 1
  return ordinal(at.position) - ordinal(at.link.position) - 1
}

function changed(position: Position): Fault {
  const detail = 'This is not the event that was signed, or not behind the one that was.'
  return { position, problem: 'changed', detail }
}

function isAdded(link: Link, following: ExportedEvent | undefined): boolean {
  if (following?.hash === undefined || following.event.position <= link.position) return false
  return nextLink(link, following.event).hash === following.hash
}

/** In PostgreSQL positions are counted; elsewhere there is room between two that follow. */
function isGapless(before: Link, due: Link): boolean {
  return ordinal(due.position) - ordinal(before.position) === due.count - before.count
}

/** Of an event in a log that counts its events; elsewhere it says nothing. */
function ordinal(position: Position): number {
  return Number(String(position))
}

function missingBetween(link: Link, next: Position, count: number): Fault {
  const detail = `${events(count)} missing; the event at position ${next} does not follow.`
  return { position: justAfter(link.position), problem: 'missing', detail }
}

/** The fault of events that were signed and are not in the export, up to a checkpoint. */
export function missingEvents(before: Link, due: Link, count = due.count - before.count): Fault {
  const detail = `${events(count)} missing, up to the one at position ${due.position}.`
  return { position: justAfter(before.position), problem: 'missing', detail }
}

function events(count: number): string {
  return count === 1 ? '1 event is' : `${count} events are`
}
