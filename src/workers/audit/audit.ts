// The auditor: checks from the log alone that the shop has kept its promises.
import type { Kysely } from 'kysely'
import type { AuditServices } from '../../commands/auditPorts.ts'
import type { Codec } from '../../commands/ports.ts'
import type { EventStore } from '../../eventstore/port.ts'
import type { Projection } from '../../projections/projection.ts'
import type { Tables } from '../../projections/tables.ts'
import { readBatches } from '../logReader.ts'
import { type CheckResult, checkLog, type LogCheck, type LogReader, together } from './logCheck.ts'
import { mailsAreOneAnEvent } from './mailCheck.ts'
import { cartsAreEmptied, createOrderBook, moneyAddsUp, ordersMoveLegally } from './orderChecks.ts'
import { type Part, partsFor, partsOf } from './parts.ts'
import { checkProjection } from './projectionCheck.ts'
import { checkProof } from './proofCheck.ts'
import { reservationsAreOpenOrders, stockIsNeverShort } from './stockChecks.ts'
import {
  eventsAreReadable,
  eventsAreUnique,
  revisionsAreGapless,
  textsAreHoldable,
} from './streamChecks.ts'

export interface AuditParts {
  audit: AuditServices
  db: Kysely<Tables>
  eventStore: EventStore
  codec: Codec
  projections: readonly Projection[]
  /** In how many parts the log is checked, where that is not to follow from its length. */
  logParts?: number
  /** Waits until it is time to look again at mails that are queued; 5 seconds. */
  beforeLook?: () => Promise<unknown>
}

/** The checks that need nothing but the log, for one part of what it tells about. */
function logChecks(settledBefore: Date, part: Part): LogCheck[] {
  const orders = createOrderBook(settledBefore, part)
  return [
    revisionsAreGapless(part),
    eventsAreUnique(part),
    ...(part.isFirst ? [eventsAreReadable(), textsAreHoldable()] : []),
    ordersMoveLegally(orders),
    moneyAddsUp(orders),
    cartsAreEmptied(orders, part),
    stockIsNeverShort(part),
    reservationsAreOpenOrders(orders, part),
  ]
}

/**
 * Runs the checks that need nothing but the log, in as many readings as there are parts. Throws
 * what keeps it from reading the log.
 */
export async function auditLog(
  reader: LogReader,
  settledBefore: Date,
  parts: number,
): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const part of partsOf(parts)) {
    results.push(...(await checkLog(reader, { part, checks: logChecks(settledBefore, part) })))
  }
  return together(results)
}

/**
 * Runs every check. What changed after `settledBefore` may still be under way and is not held
 * against the shop. Throws what keeps it from reading the log or the database.
 */
export async function audit(parts: AuditParts, settledBefore: Date): Promise<CheckResult[]> {
  const { db, eventStore, codec, projections } = parts
  const proof = await checkProof({ ...parts.audit, eventStore })
  const log: CheckResult[] = []
  for (const part of partsOf(parts.logParts ?? partsFor(await eventStore.head()))) {
    const mails = await mailsAreOneAnEvent({ ...parts, settledBefore }, part)
    const checks = [...logChecks(settledBefore, part), mails]
    log.push(...(await checkLog({ eventStore, codec }, { part, checks })))
  }
  const results = [...proof, ...together(log)]
  const head = () => eventStore.head()
  const read = (projection: Projection, after: bigint) =>
    readBatches({ eventStore, codec }, [projection], { after })
  for (const projection of projections) {
    results.push(await checkProjection({ db, head, read }, projection))
  }
  return results
}
