// What a check of the log is: it sees every event once, in log order, and says what is wrong.
import type { EventStore, RecordedEvent } from '../../eventstore/port.ts'
import { isTransient } from '../../kit/transient.ts'
import type { ReadEvent } from '../../projections/projection.ts'

export interface CheckResult {
  check: string
  /** How many things were looked at: a check that looked at nothing has proved nothing. */
  examined: number
  /** Empty when all is well. */
  findings: readonly string[]
}

export interface LogCheck {
  name: string
  /** Takes one event, `event` only where it could be decoded. Gives what is wrong with it. */
  see(recorded: RecordedEvent, event: ReadEvent | undefined): readonly string[]
  /** What the log as a whole does not add up to. */
  conclude(): readonly string[]
  examined(): number
}

export interface LogReader {
  eventStore: Pick<EventStore, 'readAll'>
  codec: { decode(recorded: RecordedEvent): Promise<ReadEvent> }
}

const findingsMax = 100

/** Reads the whole log once, for all checks together. */
export async function checkLog(
  { eventStore, codec }: LogReader,
  checks: readonly LogCheck[],
): Promise<CheckResult[]> {
  const found = new Map<LogCheck, string[]>(checks.map(check => [check, []]))
  for await (const recorded of eventStore.readAll()) {
    const event = await codec.decode(recorded).catch(error => {
      if (isTransient(error)) throw error
      return undefined
    })
    for (const [check, findings] of found) keep(findings, check.see(recorded, event))
  }
  return [...found].map(([check, findings]) => {
    keep(findings, check.conclude())
    return { check: check.name, examined: check.examined(), findings }
  })
}

function keep(findings: string[], more: readonly string[]): void {
  findings.push(...more.slice(0, findingsMax - findings.length))
}
