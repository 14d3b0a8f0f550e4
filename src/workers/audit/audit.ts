// npm run audit: shows the auditor a shop, and checks what stands beside its promises.
import type { Kysely } from 'kysely'
import { type Position, shareOfWay, startOfLog } from '../../kit/position.ts'
import type { AuditServices } from '../../ports/audit.ts'
import type { Codec } from '../../ports/codec.ts'
import type { EventLog } from '../../ports/logInspection.ts'
import type { Projection } from '../../projections/core/projection.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { readBatches } from '../projector/logReader.ts'
import { accountsAreCustomers } from './accountCheck.ts'
import { withBeside } from './besideLog.ts'
import {
  type CheckResult,
  checkLog,
  type LogCheck,
  type LogReader,
  mergeResults,
  type OnProgress,
} from './logCheck.ts'
import { partsFor } from './parts.ts'
import { checkProjection } from './projectionCheck.ts'
import { positionsRise, promisesAreKept, withTenures } from './promises.ts'
import { checkProof } from './proofCheck.ts'
import { eventsAreReadable, textsAreHoldable } from './textChecks.ts'

export interface AuditParts {
  audit: AuditServices
  accounts: { accounts: { digestOf(email: string): string } }
  db: Kysely<Tables>
  eventStore: EventLog
  codec: Codec
  projections: readonly Projection[]
  /** In how many parts the log is checked, where that is not to follow from its length. */
  logParts?: number
  /** Waits until it is time to look again at mails that are queued; 5 seconds. */
  beforeLook?: () => Promise<unknown>
  onProgress?: OnProgress
}

/** The checks that remember nothing of single events. */
const wholeLogChecks: readonly LogCheck[] = [positionsRise, eventsAreReadable, textsAreHoldable]

/** Runs the checks that need nothing but the log. Throws what keeps it from reading the log. */
export async function auditLog(
  reader: LogReader,
  settledBefore: Date,
  parts: number,
): Promise<CheckResult[]> {
  const beside = { isAtRest: true, isMoneyOpen: true, settledBefore: settledBefore.getTime() }
  return withTenures(parts, async tenures => {
    const results = await checkLog(reader, {
      parts,
      whole: wholeLogChecks,
      ofPart: async part => [promisesAreKept(part, beside, tenures)],
    })
    return mergeResults([...results, ...(await tenures.compare())])
  })
}

/**
 * Runs every check. What changed after `settledBefore` may still be under way and is not held
 * against the shop. Throws what keeps it from reading the log or the database.
 */
export async function audit(parts: AuditParts, settledBefore: Date): Promise<CheckResult[]> {
  const { db, eventStore, codec, projections, onProgress = () => undefined } = parts
  const newest = await eventStore.head()
  const progress = (step: string) => (position: Position) =>
    onProgress(step, 100 * shareOfWay(startOfLog, position, newest), 100)
  const proof = await checkProof({ ...parts.audit, eventStore }, progress('signatures'))
  // The chain counts them; where it is broken, no fewer than that are read.
  const events = Math.max(...proof.map(({ examined }) => examined))
  const accounts = { db, ...parts.accounts.accounts, beforeLook: parts.beforeLook }
  const results = [
    ...proof,
    ...(await checkPromises(parts, { settledBefore, events })),
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

/** The auditor's promises, in the log and in what there is beside it. */
async function checkPromises(
  parts: AuditParts,
  { settledBefore, events }: { settledBefore: Date; events: number },
): Promise<CheckResult[]> {
  const { db, eventStore, codec, beforeLook, onProgress } = parts
  const head = await eventStore.head()
  const count = parts.logParts ?? partsFor(events)
  return withTenures(count, tenures =>
    withBeside({ db, settledBefore, beforeLook }, count, async beside => {
      const results = await checkLog(
        { eventStore, codec },
        {
          parts: count,
          whole: wholeLogChecks,
          ofPart: async part => [promisesAreKept(part, await beside.of(part), tenures)],
          onRead: position =>
            onProgress?.('log', 100 * shareOfWay(startOfLog, position, head), 100),
          onPart: done => onProgress?.('promises', done, count),
        },
      )
      return mergeResults([...results, ...(await tenures.compare()), beside.notes()])
    }),
  )
}
