// What a check of the log is: it sees every event once, in log order, and says what is wrong.

import type { EventStore, RecordedEvent } from '../../eventstore/port.ts'
import type { Position } from '../../kit/position.ts'
import { isTransient } from '../../kit/transient.ts'
import type { ReadEvent } from '../../projections/projection.ts'
import { divide, readPart, type Seen, type SeenEvent } from './dividedLog.ts'
import { type Part, partsOf } from './parts.ts'
import { createSpill, type Spill, withTemporary } from './spill.ts'

export interface CheckResult {
  check: string
  /** How many things were looked at: a check that looked at nothing has proved nothing. */
  examined: number
  /** Empty when all is well; otherwise the first of them. */
  findings: readonly string[]
  /** How many there are in all. */
  count: number
}

export interface LogCheck {
  name: string
  /** Takes one event, `event` only where it could be decoded. Gives what is wrong with it. */
  see(recorded: Seen, event: ReadEvent | undefined): readonly string[]
  /** What the log as a whole does not add up to. */
  conclude(): Iterable<string> | AsyncIterable<string>
  examined(): number
}

export interface LogReader {
  eventStore: Pick<EventStore, 'readAll'>
  codec: {
    decode(recorded: RecordedEvent): Promise<ReadEvent>
    /** Undefined where it needs a key. */
    decodeNow?(recorded: RecordedEvent): ReadEvent | undefined
  }
}

/** Of one check; how many there are in all is said, too. */
export const findingsMax = 20

/** Collects findings: keeps the first ones and counts the others. */
export function createFindings() {
  const first: string[] = []
  let count = 0
  return {
    add(finding: string) {
      count += 1
      if (first.length < findingsMax) first.push(finding)
    },
    all: () => ({ findings: first, count }),
  }
}

/** Told how far a step of the audit is. */
export type OnProgress = (step: string, done: number, of: number) => void

export interface LogPlan {
  parts: number
  /** Checks that remember nothing of single events. */
  whole: readonly LogCheck[]
  /** Checks that remember what belongs to a part. */
  ofPart(part: Part): Promise<readonly LogCheck[]>
  /** Told the position of every event that is read, and then each part that is checked. */
  onRead?: ((position: Position) => void) | undefined
  onPart?: ((done: number) => void) | undefined
}

/**
 * Reads the log once. A short one is checked at once; a long one is divided into temporary files
 * meanwhile, which are read part by part: time grows in proportion to its length, and memory does
 * not grow. An event that cannot be decoded is shown to the checks as it is.
 */
export async function checkLog(reader: LogReader, plan: LogPlan): Promise<CheckResult[]> {
  if (plan.parts > 1) return withTemporary(directory => checkDivided(reader, plan, directory))
  const results: CheckResult[] = []
  for (const part of partsOf(1)) {
    const checks = [...plan.whole, ...(await plan.ofPart(part))]
    results.push(...(await runChecks(checks, readDecoded(reader, plan))))
  }
  return together(results)
}

async function checkDivided(
  reader: LogReader,
  plan: LogPlan,
  directory: string,
): Promise<CheckResult[]> {
  const spill = createSpill(directory, 'log', plan.parts)
  const dividing = dividedMeanwhile(spill, plan.parts, readDecoded(reader, plan))
  const results = await runChecks(plan.whole, dividing)
  await spill.flush()
  for (const part of partsOf(plan.parts)) {
    results.push(...(await runChecks(await plan.ofPart(part), readPart(spill, part.index))))
    plan.onPart?.(part.index + 1)
  }
  return together(results)
}

async function* readDecoded(
  { eventStore, codec }: LogReader,
  { onRead }: Pick<LogPlan, 'onRead'>,
): AsyncGenerator<SeenEvent> {
  for await (const recorded of eventStore.readAll()) {
    yield { recorded, event: await decoded(codec, recorded) }
    onRead?.(recorded.position)
  }
}

async function* dividedMeanwhile(
  spill: Spill,
  parts: number,
  events: AsyncIterable<SeenEvent>,
): AsyncGenerator<SeenEvent> {
  for await (const seen of events) {
    await divide(spill, parts, seen)
    yield seen
  }
}

async function runChecks(
  checks: readonly LogCheck[],
  events: AsyncIterable<SeenEvent>,
): Promise<CheckResult[]> {
  const found = new Map(checks.map(check => [check, createFindings()]))
  for await (const { recorded, event } of events) {
    for (const [check, findings] of found) {
      for (const finding of check.see(recorded, event)) findings.add(finding)
    }
  }
  const results: CheckResult[] = []
  for (const [check, findings] of found) {
    for await (const finding of check.conclude()) findings.add(finding)
    results.push({ check: check.name, examined: check.examined(), ...findings.all() })
  }
  return results
}

/** Undefined for what cannot be decoded. */
async function decoded(codec: LogReader['codec'], recorded: RecordedEvent) {
  try {
    return codec.decodeNow?.(recorded) ?? (await codec.decode(recorded))
  } catch (error) {
    if (isTransient(error)) throw error
    return undefined
  }
}

/** What checks of the same name have found in all parts. */
function together(results: readonly CheckResult[]): CheckResult[] {
  const byName = new Map<string, CheckResult>()
  for (const result of results) {
    const { check, examined, findings, count } = byName.get(result.check) ?? nothingIn(result.check)
    byName.set(result.check, {
      check,
      examined: examined + result.examined,
      findings: [...findings, ...result.findings].slice(0, findingsMax),
      count: count + result.count,
    })
  }
  return [...byName.values()]
}

function nothingIn(check: string): CheckResult {
  return { check, examined: 0, findings: [], count: 0 }
}
