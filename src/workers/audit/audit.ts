// npm run audit: runs the auditor on a shop, and the checks that need more than its log.
import type { Kysely } from 'kysely'
import { type Position, shareOfWay, startOfLog } from '../../kit/position.ts'
import type { AuditServices } from '../../ports/audit.ts'
import type { Codec } from '../../ports/codec.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { Projection } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { readBatches } from '../projector/logReader.ts'
import { accountsAreCustomers } from './accountCheck.ts'
import {
  type CheckResult,
  checkLog,
  type LogCheck,
  type LogReader,
  mergeResults,
  type OnProgress,
} from './logCheck.ts'
import { withObservations } from './observations.ts'
import { partitionCount } from './partitions.ts'
import { checkProjection } from './projectionCheck.ts'
import { positionsRise, promiseChecks, withClaimPeriods } from './promises.ts'
import { checkProof } from './proofCheck.ts'
import { eventsAreReadable, textsAreHoldable } from './textChecks.ts'

export interface AuditDeps {
  audit: AuditServices
  accounts: { accounts: { digestOf(email: string): string } }
  db: Kysely<Tables>
  eventStore: EventLog
  codec: Codec
  projections: readonly Projection[]
  /** In how many parts the log is checked, where that is not to follow from its length. */
  logPartitions?: number
  /** Waits before queued mails are checked again; 5 seconds by default. */
  beforeRecheck?: () => Promise<unknown>
  onProgress?: OnProgress
}

/** The checks that remember nothing of single events. */
const wholeLogChecks: readonly LogCheck[] = [positionsRise, eventsAreReadable, textsAreHoldable]

/** Runs the checks that need nothing but the log. Throws what keeps it from reading the log. */
export async function auditLog(
  reader: LogReader,
  cutoff: Date,
  partitions: number,
): Promise<CheckResult[]> {
  const observations = { isAtRest: true, isMoneyOpen: true, cutoff: cutoff.getTime() }
  return withClaimPeriods(partitions, async periods => {
    const results = await checkLog(reader, {
      partitions,
      whole: wholeLogChecks,
      forPartition: async partition => [promiseChecks(partition, observations, periods)],
    })
    return mergeResults([...results, ...(await periods.compare())])
  })
}

/**
 * Runs every check. What changed after `cutoff` may still be under way and is not held
 * against the shop. Throws what keeps it from reading the log or the database.
 */
export async function audit(deps: AuditDeps, cutoff: Date): Promise<CheckResult[]> {
  const { db, eventStore, codec, projections, onProgress = () => undefined } = deps
  const newest = await eventStore.head()
  const progress = (step: string) => (position: Position) =>
    onProgress(step, 100 * shareOfWay(startOfLog, position, newest), 100)
  const proof = await checkProof({ ...deps.audit, eventStore }, progress('signatures'))
  // The chain counts them; where it is broken, no fewer than that are read.
  const events = Math.max(...proof.map(({ examined }) => examined))
  const accounts = { db, ...deps.accounts.accounts, beforeRecheck: deps.beforeRecheck }
  const results = [
    ...proof,
    ...(await checkPromises(deps, { cutoff, events })),
    await accountsAreCustomers(accounts),
  ]
  const end = () => eventStore.storeHead()
  for (const projection of projections) {
    const onRead = progress(`projection ${projection.name}`)
    const read = async function* (each: Projection, after: Position) {
      for await (const batch of readBatches({ eventStore, codec }, [each], { after })) {
        yield batch
        onRead(batch.position)
      }
    }
    results.push(await checkProjection({ db, end, read }, projection))
  }
  return results
}

/** The auditor's promises, checked against the log and the rows outside of it. */
async function checkPromises(
  deps: AuditDeps,
  { cutoff, events }: { cutoff: Date; events: number },
): Promise<CheckResult[]> {
  const { db, eventStore, codec, beforeRecheck, onProgress } = deps
  const head = await eventStore.head()
  const count = deps.logPartitions ?? partitionCount(events)
  return withClaimPeriods(count, periods =>
    withObservations({ db, cutoff, beforeRecheck }, count, async observations => {
      const results = await checkLog(
        { eventStore, codec },
        {
          partitions: count,
          whole: wholeLogChecks,
          forPartition: async partition => [
            promiseChecks(partition, await observations.ofPartition(partition), periods),
          ],
          onRead: position =>
            onProgress?.('log', 100 * shareOfWay(startOfLog, position, head), 100),
          onPartition: done => onProgress?.('promises', done, count),
        },
      )
      return mergeResults([...results, ...(await periods.compare()), observations.notes()])
    }),
  )
}
