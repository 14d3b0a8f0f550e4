// What a check of the log is: it sees every event once, in log order, and says what is wrong.
import type { EventStore, RecordedEvent } from '../../eventstore/port.ts'
import { isTransient } from '../../kit/transient.ts'
import type { ReadEvent } from '../../projections/projection.ts'

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
  conclude(): Iterable<string>
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

/** Reads the whole log once, for all checks together. */
export async function checkLog(
  { eventStore, codec }: LogReader,
  checks: readonly LogCheck[],
): Promise<CheckResult[]> {
  const found = new Map(checks.map(check => [check, createFindings()]))
  for await (const recorded of eventStore.readAll()) {
    const event = await codec.decode(recorded).catch(error => {
      if (isTransient(error)) throw error
      return undefined
    })
    for (const [check, findings] of found) {
      for (const finding of check.see(recorded, event)) findings.add(finding)
    }
  }
  return [...found].map(([check, findings]) => {
    for (const finding of check.conclude()) findings.add(finding)
    return { check: check.name, examined: check.examined(), ...findings.all() }
  })
}
