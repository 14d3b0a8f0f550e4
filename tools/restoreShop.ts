// The steps of a restore: tables, log and files, then what follows from them. Until the last one no
// shop starts on the database.
import { checkChain } from '../src/audit/chainCheck.ts'
import type { Config } from '../src/config/config.ts'
import { eventStoreDb } from '../src/eventstore/eventstoredb/eventstoredb.ts'
import { appendingRestoreLog, postgresRestoreLog } from '../src/eventstore/postgres/restoreLog.ts'
import { createErasureList } from '../src/infra/audit/erasureList.ts'
import { createRestoreTarget } from '../src/infra/backup/tableCopies.ts'
import { createSecrets } from '../src/infra/crypto/secrets.ts'
import { createDatabase, createPool } from '../src/infra/postgres/database.ts'
import { type Position, shareOfWay, startOfLog } from '../src/kit/position.ts'
import { settleAll } from '../src/kit/settleAll.ts'
import { ownOptions } from '../src/main/openEventStore.ts'
import { type AppServices, openServices } from '../src/main/openServices.ts'
import { unobserved } from '../src/ports/tracing.ts'
import { eventIndex } from '../src/projections/audit/eventIndex.ts'
import { projections } from '../src/projections/index.ts'
import { describeBroken } from '../src/projections/rebuild/brokenStreams.ts'
import { rebuild } from '../src/projections/rebuild/rebuild.ts'
import type { Manifest } from '../src/workers/backup/manifest.ts'
import { restore, restoreErasures } from '../src/workers/backup/restore.ts'
import { eraseAgain } from '../src/workers/jobs/erasedPeople.ts'
import { rebuildLog } from '../src/workers/projector/logReader.ts'
import { Refusal } from './withApp.ts'

/**
 * Orders that were lost with the shop have numbers, which customers have in their mails. An order
 * has several events: as many numbers as there are events are enough, and at least so many.
 */
const lostOrdersMin = 10_000

/** What there is to say is said on the terminal. */
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

export interface RestoreOptions {
  config: Config
  /** Called with the progress of each step. */
  show(step: string, done: number, of: number): void
}

export interface Restored {
  /** People who had been erased since the backup. */
  erased: number
  /** How far the log is signed, in a sentence. */
  signed: string
  /** Streams of which the backup lacks events, in a sentence. */
  broken: string | undefined
}

/** Restores a backup. Throws NotEmpty before anything is written, DamagedBackup, Refusal. */
export async function restoreShop(
  directory: string,
  manifest: Manifest,
  options: RestoreOptions,
): Promise<Restored> {
  const { config } = options
  const secrets = createSecrets(config.secretKey)
  // First of all: were it broken off, a start would know whom to forget.
  await restoreErasures(directory, createErasureList(config.audit.directory, secrets))
  const url = config.databaseUrl.reveal()
  const pool = createPool(url, { size: 2, statementTimeoutMs: 0 })
  const target = createRestoreTarget(pool, url)
  const store =
    config.eventStoreUrl === undefined
      ? undefined
      : eventStoreDb(ownOptions(config, config.eventStoreUrl.reveal()))
  try {
    await restore(directory, manifest, {
      target,
      log: store === undefined ? postgresRestoreLog(pool) : appendingRestoreLog(store),
      filesDirectory: config.filesDirectory,
      onProgress: options.show,
    })
    const open = await openServices(config, unobserved, 'restore')
    const restored = await finish(manifest, options, open).finally(open.close)
    options.show('the end', 0, 1)
    await target.finish()
    options.show('the end', 1, 1)
    return restored
  } finally {
    await store?.close()
    await pool.end()
  }
}

/** What follows from tables and log: nobody who was erased, read models, a mark. */
async function finish(
  manifest: Manifest,
  { config, show }: RestoreOptions,
  open: AppServices,
): Promise<Restored> {
  show('erased people', 0, 1)
  await open.app.orderNumbers.skip(Math.max(lostOrdersMin, manifest.log.events))
  const erased = await eraseAgain({ ...open, log: silent })
  show('erased people', 1, 1)
  const head = await open.eventStore.head()
  const pool = createPool(config.databaseUrl.reveal(), { pipeline: true })
  try {
    const building = rebuild(createDatabase(pool), projections, {
      ...rebuildLog(open),
      // Data that the backup lacks is lost: the restored shop serves the rest.
      acceptsBroken: true,
      onProgress: (name, position) => show(name, 100 * shareOfWay(startOfLog, position, head), 100),
    })
    // Of the two one waits for the database while the other one calculates.
    const [signed, rebuilt] = await settleAll([verify(open, manifest, show), building])
    const index = rebuilt.find(({ name }) => name === eventIndex.name)
    const broken = index && index.broken.count > 0 ? describeBroken(index.broken) : undefined
    return { erased, signed, broken }
  } finally {
    await pool.end()
  }
}

/** Verifies what was signed, and has the high-water mark begin where that ends. */
async function verify(
  { audit, eventStore }: AppServices,
  { log }: Manifest,
  show: RestoreOptions['show'],
): Promise<string> {
  let last: { position: Position; count: number; hash: string } | undefined
  show('signatures', 0, log.events)
  for await (const { checkpoint, fault } of checkChain({ ...audit, eventStore })) {
    if (fault !== undefined) {
      throw new Refusal(`the log is not what was signed, at ${fault.position}: ${fault.detail}`)
    }
    last = checkpoint
    show('signatures', checkpoint.count, log.events)
  }
  show('high-water mark', 0, 1)
  await audit.marks?.reset(last && { ...last, at: new Date() })
  show('high-water mark', 1, 1)
  if (last === undefined) return 'No part of this log is signed yet: a worker begins with it.'
  return `The signatures are good up to position ${last.position}.`
}
