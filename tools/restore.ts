// npm run restore: puts a backup into an empty shop, of either kind of event store.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MultiBar, type SingleBar } from 'cli-progress'
import { loadConfig, readEnvironment } from '../src/config/config.ts'
import { createManifestSeal } from '../src/infra/backup/manifestSeal.ts'
import { createSecrets } from '../src/infra/crypto/secrets.ts'
import { DamagedBackup } from '../src/workers/backup/archive.ts'
import { type Manifest, readManifest } from '../src/workers/backup/manifest.ts'
import { checkBackup, NotEmpty } from '../src/workers/backup/restore.ts'
import { writePrivate } from './local/privateFiles.ts'
import { dataDirectoryOf, type Services, withServices } from './local/services.ts'
import { restoreShop } from './restoreShop.ts'
import { main, Refusal, UsageError } from './withApp.ts'

const usage = `Usage: npm run restore -- DIRECTORY [--check]

Puts the backup in DIRECTORY into an empty database (DATABASE_URL) and, where EVENTSTORE_URL is
set, an empty log there: the kind of event store need not be that of before. Then it compares
the log with the one that was backed up, erases again everyone on the list of erased people
(AUDIT_DIR, and the one of the backup), builds the read models, and verifies the signatures of
the log.

  --check   only reads the backup, and says whether it is whole

SECRET_KEY and CURRENCY are those of the shop that was backed up. Without DATABASE_URL a local
database is made in DATA_DIR, as npm start has it. What was broken off is begun again with an
empty database. Positions stay from PostgreSQL to PostgreSQL; else the log is signed anew from
its beginning, and the signatures of before are good for the files of the backup.
Exit codes: 0 done, 1 not done, 2 wrong usage.`

await main(async () => {
  const options = readArguments()
  if (options === undefined) {
    console.log(usage)
    return
  }
  const bars = createBars()
  try {
    await run(options, bars)
  } catch (error) {
    const isExpected = error instanceof DamagedBackup || error instanceof NotEmpty
    throw isExpected ? new Refusal(error.message) : error
  } finally {
    bars.end()
  }
})

interface RestoreOptions {
  directory: string
  isCheck: boolean
}

function readArguments(): RestoreOptions | undefined {
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

async function run({ directory, isCheck }: RestoreOptions, bars: Bars): Promise<void> {
  const env = await withSecret(readEnvironment())
  const secrets = createSecrets(loadConfig(withoutServers(env)).secretKey)
  const manifest = await readManifest(directory, createManifestSeal(secrets))
  await checkBackup(directory, manifest, bars.show)
  if (isCheck) {
    bars.end()
    console.log(`${directory} is whole: ${describe(manifest)}`)
    return
  }
  const isLocal = env.DATABASE_URL === undefined
  const services = await withServices(env, {
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
    if (isLocal) await writeSecret(services)
    const { erased, signed, broken } = await restoreShop(directory, manifest, {
      config,
      show: bars.show,
    })
    bars.end()
    console.log(`restored: ${describe(manifest)}`)
    if (erased > 0) console.log(`${erased} people who had been erased since are erased again`)
    console.log(signed)
    if (broken !== undefined) console.error(`In the backup, ${broken}.`)
    console.log('Next: npm run audit, then start the shop with the same SECRET_KEY.')
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
async function writeSecret({ env, dataDirectory }: Services): Promise<void> {
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
  let isEnded = false
  return {
    show(step, done, of) {
      const bar = byName.get(step) ?? all.create(of, 0, { name: step.padEnd(16) })
      byName.set(step, bar)
      bar.update(Math.min(done, of))
    },
    end() {
      // Each time that they end they are printed where there is no terminal.
      if (!isEnded) all.stop()
      isEnded = true
    },
  }
}
