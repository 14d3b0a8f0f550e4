// npm run backup: copies a shop into a directory while it serves.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import { loadConfig } from '../src/config/config.ts'
import { createManifestSeal } from '../src/infra/backup/manifestSeal.ts'
import { createTableCopies } from '../src/infra/backup/tableCopies.ts'
import { createSecrets } from '../src/infra/crypto/secrets.ts'
import { createPool } from '../src/infra/postgres/database.ts'
import { shareOfWay, startOfLog } from '../src/kit/position.ts'
import type { AppServices } from '../src/main/openServices.ts'
import { DamagedBackup } from '../src/workers/backup/archive.ts'
import { backUp } from '../src/workers/backup/backUp.ts'
import { main, Refusal, UsageError, withApp } from './withApp.ts'

const usage = `Usage: npm run backup -- DIRECTORY

Writes the whole shop into DIRECTORY, which is empty or not there yet, while the shop serves:
the log (of PostgreSQL or EventStoreDB), accounts, keys, mails, webhooks, payments, images, and
the list of erased people. All of it is as of the moment at which it began. Not in it: read
models, sessions and links that were mailed, which are made anew, and SECRET_KEY, without which
nobody can use it: keep that elsewhere. The directory is a backup once it has a manifest.json,
which is written last.

Put it back with npm run restore. What it is worth is known once that has been tried.
Exit codes: 0 done, 1 not done, 2 wrong usage.`

await main(async () => {
  const directory = readDirectory()
  if (directory === undefined) console.log(usage)
  else await withApp('npm run backup', (open, env) => writeBackup(open, env, directory))
})

function readDirectory(): string | undefined {
  try {
    const options = { help: { type: 'boolean', short: 'h' } } as const
    const { positionals, values } = parseArgs({ allowPositionals: true, options })
    if (values.help) return undefined
    const [directory, ...rest] = positionals
    if (directory === undefined) throw new UsageError('say where to')
    if (rest.length > 0) throw new UsageError(`${rest.join(' ')} is not understood`)
    return resolve(directory)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(error instanceof Error ? error.message : 'arguments not understood')
  }
}

async function writeBackup(open: AppServices, env: NodeJS.ProcessEnv, directory: string) {
  const config = loadConfig(env)
  const pool = createPool(config.databaseUrl.reveal(), { size: 2, statementTimeoutMs: 0 })
  const bar = new SingleBar({
    format: 'log {bar} {percentage}%, {events} events, {duration_formatted}',
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  })
  try {
    bar.start(100, 0, { events: 0 })
    const manifest = await backUp(
      {
        tables: createTableCopies(pool),
        eventStore: open.eventStore,
        erasures: open.accounts.erasures,
        filesDirectory: config.filesDirectory,
        seal: createManifestSeal(createSecrets(config.secretKey)),
        now: () => new Date(),
        onProgress(events, position, head) {
          bar.update(100 * shareOfWay(startOfLog, position, head), { events })
        },
      },
      directory,
    )
    bar.stop()
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
    const size = `${manifest.files.length} files, ${Math.ceil(bytes / 1_048_576)} MB`
    console.log(`${directory}: ${manifest.log.events} events, ${size}`)
    console.log('Keep SECRET_KEY elsewhere: without it this backup cannot be restored.')
  } catch (error) {
    bar.stop()
    throw asRefusal(error, directory)
  } finally {
    await pool.end()
  }
}

/** What a disk or a directory refuses is said in one line; bugs keep their stack. */
function asRefusal(error: unknown, directory: string): unknown {
  if (error instanceof DamagedBackup) return new Refusal(error.message)
  if (!(error instanceof Error && 'syscall' in error && 'errno' in error)) return error
  return new Refusal(
    `${error.message}: ${directory} is no backup, remove what was written and try again`,
  )
}
