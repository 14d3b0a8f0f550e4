// The auditor: checks from the log alone that the shop has kept its promises.
import type { Kysely } from 'kysely'
import type { AuditServices } from '../../commands/auditPorts.ts'
import type { Codec } from '../../commands/ports.ts'
import type { EventStore } from '../../eventstore/port.ts'
import type { Projection } from '../../projections/projection.ts'
import type { Tables } from '../../projections/tables.ts'
import { readBatches } from '../logReader.ts'
import { type CheckResult, checkLog, type LogCheck, type LogReader } from './logCheck.ts'
import { mailsAreOneAnEvent } from './mailCheck.ts'
import { cartsAreEmptied, moneyAddsUp, ordersMoveLegally } from './orderChecks.ts'
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
}

/** The checks that need nothing but the log. */
export function logChecks(settledBefore: Date): LogCheck[] {
  return [
    revisionsAreGapless(),
    eventsAreUnique(),
    eventsAreReadable(),
    textsAreHoldable(),
    ordersMoveLegally(settledBefore),
    moneyAddsUp(),
    cartsAreEmptied(settledBefore),
    stockIsNeverShort(),
    reservationsAreOpenOrders(settledBefore),
  ]
}

/** Runs the checks that need nothing but the log. Throws what keeps it from reading the log. */
export function auditLog(reader: LogReader, settledBefore: Date): Promise<CheckResult[]> {
  return checkLog(reader, logChecks(settledBefore))
}

/**
 * Runs every check. What changed after `settledBefore` may still be under way and is not held
 * against the shop. Throws what keeps it from reading the log or the database.
 */
export async function audit(parts: AuditParts, settledBefore: Date): Promise<CheckResult[]> {
  const { db, eventStore, codec, projections } = parts
  const mails = await mailsAreOneAnEvent(db, settledBefore)
  const proof = await checkProof({ ...parts.audit, eventStore })
  const log = await checkLog({ eventStore, codec }, [...logChecks(settledBefore), mails])
  const results = [...proof, ...log]
  const head = () => eventStore.head()
  const read = (projection: Projection, after: bigint) =>
    readBatches({ eventStore, codec }, [projection], { after })
  for (const projection of projections) {
    results.push(await checkProjection({ db, head, read }, projection))
  }
  return results
}
