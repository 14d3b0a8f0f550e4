// Runs the auditor of src/audit/auditor on the log of a shop: it is shown decoded events, part by
// part, with what the database has of each part beside the log.
import { claimChecks, createAuditor, positionChecks } from '../../audit/auditor/auditor.ts'
import type { Tenure } from '../../audit/auditor/claims.ts'
import type { Beside, Check, LogEvent, Place } from '../../audit/auditor/evidence.ts'
import type { Position } from '../../kit/position.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { type CheckResult, createReport, type LogCheck } from './logCheck.ts'
import type { Seen } from './partitionedLog.ts'
import { type LogPart, partOf } from './parts.ts'
import { createSpill, memorySpill, type Spill, withTemporary } from './spill.ts'

/** Positions rise over the log as a whole. */
export const positionsRise: LogCheck = report => {
  const check = positionChecks(report)
  return shown(check, () => undefined)
}

/** The promises about what belongs to a part. */
export function promisesAreKept(part: LogPart, beside: Beside, tenures: Tenures): LogCheck {
  return report => {
    const auditor = createAuditor(report, part, tenures.keep)
    return shown(auditor, () => auditor.conclude(beside))
  }
}

function shown(check: Check, conclude: () => void): ReturnType<LogCheck> {
  return {
    see(recorded, event) {
      if (event === undefined) check.pass?.(placeOf(recorded), recorded.isUnreadable)
      else check.see(asLogEvent(event))
    },
    conclude,
    examined: check.examined,
  }
}

/** The auditor knows positions as numbers that rise. */
export function plain(position: Position): number {
  return Number(String(position))
}

function placeOf({ position, stream, revision, id, type }: Seen): Place {
  return { position: plain(position), stream, revision, id, type }
}

function asLogEvent(event: ReadEvent): LogEvent {
  const { data, commandId, at, source } = event
  return { ...placeOf(event), data, commandId, at, source }
}

/** Who held what and when: found part by part, and compared by what it is that they held. */
export interface Tenures {
  keep(tenure: Tenure): void
  /** Compares all that was kept. */
  compare(): Promise<CheckResult[]>
}

/** Runs `work` with a place for tenures; where there are many parts, on the disk. */
export async function withTenures<T>(
  parts: number,
  work: (tenures: Tenures) => Promise<T>,
): Promise<T> {
  if (parts === 1) return work(tenuresIn(memorySpill(1), 1))
  return withTemporary(directory => work(tenuresIn(createSpill(directory, 'held', parts), parts)))
}

function tenuresIn(spill: Spill, parts: number): Tenures {
  let writing = Promise.resolve()
  return {
    keep(tenure) {
      const part = partOf(tenure.key, parts)
      writing = writing.then(() => spill.add(part, JSON.stringify(tenure)))
      // Awaited by who compares.
      writing.catch(() => undefined)
    },
    async compare() {
      await writing
      await spill.flush()
      const { found, report } = createReport()
      for (let part = 0; part < parts; part += 1) {
        const tenures: Tenure[] = []
        for await (const line of spill.read(part)) tenures.push(JSON.parse(line))
        claimChecks(tenures, report)
      }
      return [...found].map(([check, findings]) => ({ check, examined: 0, ...findings.all() }))
    },
  }
}
