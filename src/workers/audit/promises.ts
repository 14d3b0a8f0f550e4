// Runs the auditor of src/audit/auditor on the log of a shop: it is shown decoded events, part by
// partition, with what the database holds for each partition outside of the log.
import { claimChecks, createAuditor, positionChecks } from '../../audit/auditor/auditor.ts'
import type { ClaimPeriod } from '../../audit/auditor/claims.ts'
import type { Check, LogEvent, Observations, Place } from '../../audit/auditor/evidence.ts'
import type { Position } from '../../kit/position.ts'
import type { ReadEvent } from '../../projections/core/events.ts'
import { type CheckResult, createReport, type LogCheck } from './logCheck.ts'
import type { Seen } from './partitionedLog.ts'
import { type LogPartition, partitionOf } from './partitions.ts'
import { createSpill, memorySpill, type Spill, withTemporary } from './spill.ts'

/** Positions rise over the log as a whole. */
export const positionsRise: LogCheck = report => {
  const check = positionChecks(report)
  return checkShown(check, () => undefined)
}

/** The promises about what belongs to a part. */
export function promiseChecks(
  partition: LogPartition,
  observations: Observations,
  periods: ClaimPeriods,
): LogCheck {
  return report => {
    const auditor = createAuditor(report, partition, periods.add)
    return checkShown(auditor, () => auditor.conclude(observations))
  }
}

function checkShown(check: Check, conclude: () => void): ReturnType<LogCheck> {
  return {
    see(recorded, event) {
      if (event === undefined) check.skip?.(placeOf(recorded), recorded.isUnreadable)
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

/** Claims by holder and period: collected by partition, then compared by key. */
export interface ClaimPeriods {
  add(period: ClaimPeriod): void
  /** Compares all that was kept. */
  compare(): Promise<CheckResult[]>
}

/** Runs `work` with a place for tenures; where there are many parts, on the disk. */
export async function withClaimPeriods<T>(
  partitions: number,
  work: (periods: ClaimPeriods) => Promise<T>,
): Promise<T> {
  if (partitions === 1) return work(periodsIn(memorySpill(1), 1))
  return withTemporary(directory =>
    work(periodsIn(createSpill(directory, 'held', partitions), partitions)),
  )
}

function periodsIn(spill: Spill, partitions: number): ClaimPeriods {
  let writing = Promise.resolve()
  return {
    add(period) {
      const partition = partitionOf(period.key, partitions)
      writing = writing.then(() => spill.add(partition, JSON.stringify(period)))
      // Awaited in `compare`.
      writing.catch(() => undefined)
    },
    async compare() {
      await writing
      await spill.flush()
      const { found, report } = createReport()
      for (let partition = 0; partition < partitions; partition += 1) {
        const periods: ClaimPeriod[] = []
        for await (const line of spill.read(partition)) periods.push(JSON.parse(line))
        claimChecks(periods, report)
      }
      return [...found].map(([check, findings]) => ({ check, examined: 0, ...findings.all() }))
    },
  }
}
