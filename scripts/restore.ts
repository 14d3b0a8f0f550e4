// npm run restore: puts a backup into an empty shop, of either kind of event store.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MultiBar, type SingleBar } from 'cli-progress'
import { checkChain } from '../src/commands/chainCheck.ts'
import { type Config, loadConfig, readEnvironment } from '../src/config.ts'
import { eventStoreDb } from '../src/eventstore/eventstoredb.ts'
import { appendingRestoreLog, postgresRestoreLog } from '../src/eventstore/restoreLog.ts'
import { createDatabase, createPool } from '../src/infra/database.ts'
import { createErasureList } from '../src/infra/erasureList.ts'
import { writePrivate } from '../src/infra/local/privateFiles.ts'
import { dataDirectoryOf, type Services, withServices } from '../src/infra/local/services.ts'
import { createManifestSeal } from '../src/infra/manifestSeal.ts'
import { createSecrets } from '../src/infra/secrets.ts'
import { createRestoreTarget } from '../src/infra/tableCopies.ts'
import { type Position, shareOfWay, startOfLog } from '../src/kit/position.ts'
import { type OpenShop, openShop } from '../src/openShop.ts'
import { projections } from '../src/projections/index.ts'
import { rebuild } from '../src/projections/rebuild.ts'
import { DamagedBackup } from '../src/workers/backup/archive.ts'
import { type Manifest, readManifest } from '../src/workers/backup/manifest.ts'
import { checkBackup, NotEmpty, restore, restoreErasures } from '../src/workers/backup/restore.ts'
import { eraseAgain } from '../src/workers/erasedPeople.ts'
import { logFor } from '../src/workers/logReader.ts'
import { main, Refusal, UsageError } from './withShop.ts'

const usage = `Usage: npm run restore -- DIRECTORY [--check]

Puts the backup in DIRECTORY into an empty database (DATABASE_URL) and, where EVENTSTORE_URL is
set, an empty log there: the kind of event store need not be that of before. Then it compares
the log with the one that was backed up, erases again whoever is on the list of erased people
(AUDIT_DIR, and the one of the backup), builds the read models, and verifies the signatures of
the log.

  --check   only reads the backup, and says whether it is whole

SECRET_KEY and CURRENCY are those of the shop that was backed up. Without DATABASE_URL a local
database is made in DATA_DIR, as npm start has it. What was broken off is begun again with an
empty database. Positions stay from PostgreSQL to PostgreSQL; else the log is signed anew from
its beginning, and the signatures of before are good for the files of the backup.
Exit codes: 0 done, 1 not done, 2 wrong usage.`

/**
 * Orders that were lost with the shop have numbers, which customers have in their mails. An order
 * has several events: as many numbers as there are events are enough, and at least so many.
 */
const lostOrdersMin = 10_000

/** What there is to say is said on the terminal. */
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

await main(async () => {
  const wanted = readArguments()
  if (wanted === undefined) {
    console.log(usage)
    return
  }
  const bars = createBars()
  try {
    await run(wanted, bars)
  } catch (error) {
    const isExpected = error instanceof DamagedBackup || error instanceof NotEmpty
    throw isExpected ? new Refusal(error.message) : error
  } finally {
    bars.end()
  }
})

interface Wanted {
  directory: string
  isCheck: boolean
}

function readArguments(): Wanted | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, check: { type: 'boolean' } },
    })
    if (values.help) return undefined
    const [directory, ...rest] = positionals
    if (directory === undefined) throw new UsageError('say which backup')
    if (rest.length > 0) throw new UsageError(`${rest.join(' ')} is not understood`)
    return { directory: resolve(directory), isCheck: values.check === true }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(error instanceof Error ? error.message : 'arguments not understood')
  }
}

async function run({ directory, isCheck }: Wanted, bars: Bars): Promise<void> {
  const given = await withSecret(readEnvironment())
  const secrets = createSecrets(loadConfig(withoutServers(given)).secretKey)
  const manifest = await readManifest(directory, createManifestSeal(secrets))
  await checkBackup(directory, manifest, bars.show)
  if (isCheck) {
    bars.end()
    console.log(`${directory} is whole: ${describe(manifest)}`)
    return
  }
  const isLocal = given.DATABASE_URL === undefined
  const services = await withServices(given, {
    command: 'npm run restore',
    log: line => console.error(line),
    exclusive: isLocal,
  })
  try {
    const config = loadConfig(services.env)
    if (config.currency !== manifest.currency) {
      throw new Refusal(
        `CURRENCY is ${config.currency}, and the backup is of a shop in ${manifest.currency}: ` +
          `set CURRENCY=${manifest.currency}`,
      )
    }
    // First of all: were it broken off, a start would know whom to forget.
    await restoreErasures(directory, createErasureList(config.audit.directory, secrets))
    await putBack(directory, manifest, { config, bars })
    if (isLocal) await keepSecret(services)
    const open = await openShop(config)
    await finish(manifest, { config, bars, open }).finally(open.close)
  } finally {
    await services.stop()
  }
}

/** Files that are there are checked before anything is started: that takes the secret alone. */
function withoutServers(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const none = { DATABASE_URL: 'postgres://127.0.0.1/later', REDIS_URL: 'redis://127.0.0.1' }
  return { ...none, SMTP_URL: 'smtp://127.0.0.1', ...env }
}

/** Where the next npm start looks for it. */
async function keepSecret({ env, dataDirectory }: Services): Promise<void> {
  await writePrivate(join(dataDirectory, 'secret.key'), env.SECRET_KEY ?? '')
}

async function withSecret(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (env.SECRET_KEY?.trim()) return env
  const file = join(dataDirectoryOf(env), 'secret.key')
  const known = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (known !== '') return { ...env, SECRET_KEY: known }
  throw new UsageError(
    'SECRET_KEY is missing: set that of the shop that was backed up, which npm start keeps in ' +
      'DATA_DIR/secret.key',
  )
}

async function putBack(
  directory: string,
  manifest: Manifest,
  { config, bars }: { config: Config; bars: Bars },
): Promise<void> {
  const url = config.databaseUrl.reveal()
  const pool = createPool(url, { size: 2, statementTimeoutMs: 0 })
  const store =
    config.eventStoreUrl === undefined
      ? undefined
      : eventStoreDb({ url: config.eventStoreUrl.reveal() })
  try {
    await restore(directory, manifest, {
      target: createRestoreTarget(pool, url),
      log: store === undefined ? postgresRestoreLog(pool) : appendingRestoreLog(store),
      filesDirectory: config.filesDirectory,
      onProgress: bars.show,
    })
  } finally {
    await store?.close()
    await pool.end()
  }
}

interface Finishing {
  config: Config
  bars: Bars
  open: OpenShop
}

async function finish(manifest: Manifest, parts: Finishing): Promise<void> {
  const { config, bars, open } = parts
  await open.shop.orderNumbers.skip(Math.max(lostOrdersMin, manifest.log.events))
  const erased = await eraseAgain({ ...open, log: silent })
  const head = await open.eventStore.head()
  const pool = createPool(config.databaseUrl.reveal(), { pipeline: true })
  try {
    await rebuild(createDatabase(pool), projections, {
      ...logFor(open),
      onProgress: (name, position) =>
        bars.show(name, 100 * shareOfWay(startOfLog, position, head), 100),
    })
  } finally {
    await pool.end()
  }
  const signed = await verify(open)
  bars.end()
  console.log(`restored: ${describe(manifest)}`)
  if (erased > 0) console.log(`${erased} people who had been erased since are erased again`)
  console.log(signed)
  console.log('Next: npm run audit, then start the shop with the same SECRET_KEY.')
}

/** Verifies what was signed, and has the high-water mark begin where that ends. */
async function verify({ audit, eventStore }: OpenShop): Promise<string> {
  let last: { position: Position; count: number; hash: string } | undefined
  for await (const { checkpoint, fault } of checkChain({ ...audit, eventStore })) {
    if (fault !== undefined) {
      throw new Refusal(`the log is not what was signed, at ${fault.position}: ${fault.detail}`)
    }
    last = checkpoint
  }
  await audit.marks?.reset(last && { ...last, at: new Date() })
  if (last === undefined) return 'No part of this log is signed yet: a worker begins with it.'
  return `The signatures are good up to position ${last.position}.`
}

function describe({ log, createdAt, erased }: Manifest): string {
  return `${log.events} events up to ${createdAt}, ${erased} erased people`
}

interface Bars {
  show(step: string, done: number, of: number): void
  end(): void
}

function createBars(): Bars {
  const all = new MultiBar({
    format: '{name} {bar} {percentage}% {value}/{total}',
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  })
  const byName = new Map<string, SingleBar>()
  return {
    show(step, done, of) {
      const bar = byName.get(step) ?? all.create(of, 0, { name: step.padEnd(16) })
      byName.set(step, bar)
      bar.update(Math.min(done, of))
    },
    end: () => all.stop(),
  }
}
