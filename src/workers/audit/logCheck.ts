// What a check of the log is: it sees every event once, in log order, and says what is wrong.
import type { EventStore, RecordedEvent } from '../../eventstore/port.ts'
import { isTransient } from '../../kit/transient.ts'
import type { ReadEvent } from '../../projections/projection.ts'
import type { Part } from './parts.ts'

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
  see(recorded: RecordedEvent, event: ReadEvent | undefined): readonly string[]
  /** What the log as a whole does not add up to. */
  conclude(): Iterable<string> | AsyncIterable<string>
  examined(): number
}

export interface LogReader {
  eventStore: Pick<EventStore, 'readAll'>
  codec: { decode(recorded: RecordedEvent): Promise<ReadEvent> }
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

export interface PartChecks {
  part: Part
  checks: readonly LogCheck[]
}

/**
 * Reads the whole log once for all checks of a part together. An event that cannot be decoded is
 * shown to the checks as it is; behind the first part, one that no check remembers is not decoded.
 */
export async function checkLog(
  { eventStore, codec }: LogReader,
  { part, checks }: PartChecks,
): Promise<CheckResult[]> {
  const found = new Map(checks.map(check => [check, createFindings()]))
  for await (const recorded of eventStore.readAll()) {
    const isRead = part.isFirst || part.concerns(recorded) || part.has(recorded.id)
    const event = isRead ? await decoded(codec, recorded) : undefined
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
function decoded(codec: LogReader['codec'], recorded: RecordedEvent) {
  return codec.decode(recorded).catch(error => {
    if (isTransient(error)) throw error
    return undefined
  })
}

/** What a check has found in all parts. */
export function together(results: readonly CheckResult[]): CheckResult[] {
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
