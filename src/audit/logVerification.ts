// Verifies the log as far as one answer holds: the chain, what is not signed yet, the high-water
// mark, and what commands rest on beside the log.
import { type Position, startOfLog } from '../kit/position.ts'
import type { StateFinding } from '../ports/audit.ts'
import { type ChainDeps, type CheckedSegment, checkChain } from './chainCheck.ts'
import type { Fault } from './chainFault.ts'
import { checkMark, checkTail } from './sealCheck.ts'
import { limitFindings } from './streamCheck.ts'

/** How far a verification has come. */
export interface Tally {
  after: Position
  upTo: Position
  events: number
  checkpoints: number
  fault: Fault | undefined
}

/** Before the first part. */
export const nothingChecked: Tally = {
  after: startOfLog,
  upTo: startOfLog,
  events: 0,
  checkpoints: 0,
  fault: undefined,
}

/** Verifies in steps: a tally after each part, the last one with a fault where there is one. */
export async function* verifySegments(deps: ChainDeps, from: Position): AsyncGenerator<Tally> {
  let tally = nothingChecked
  for await (const checked of checkChain(deps, from)) {
    tally = checked.fault === undefined ? addSegment(tally, checked) : { ...tally, ...checked }
    yield tally
  }
}

function addSegment(before: Tally, { checkpoint, events }: CheckedSegment): Tally {
  return {
    after: before.checkpoints === 0 ? checkpoint.after : before.after,
    upTo: checkpoint.position,
    events: before.events + events,
    checkpoints: before.checkpoints + 1,
    fault: undefined,
  }
}

/** What is not the chain. */
export interface Conclusion {
  /** The first fault of what is not signed yet or is signed no more. */
  fault: Fault | undefined
  unsignedEvents: number
  /** The first of them, and how many there are. */
  findings: readonly StateFinding[]
  findingsCount: number
}

const findingsMax = 20
/** Seals of events that wait for their signature, checked in one answer: a second of work. */
const tailMax = 50_000

/** Checks the events after the last checkpoint and the rows outside of the log. */
export async function conclude(deps: ChainDeps, max = tailMax): Promise<Conclusion> {
  const last = await deps.book.last()
  const tail = await checkTail(deps, last, max)
  const mark = await checkMark(deps)
  const counted = await deps.guard?.countAfter(last?.position ?? startOfLog)
  const findings: StateFinding[] = []
  let findingsCount = 0
  for (const found of [limitFindings(deps.eventStore), deps.guard?.findings(deps.eventStore)]) {
    for await (const finding of found ?? []) {
      findingsCount += 1
      if (findings.length < findingsMax) findings.push(finding)
    }
  }
  return {
    fault: tail.fault ?? mark,
    unsignedEvents: counted ?? tail.events,
    findings,
    findingsCount,
  }
}
