// npm run import:retail: brings a retail ledger into the shop and proves that its money agrees.

import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ConfigError, loadConfig, readEnvironment } from '../src/config/config.ts'
import { createResponseCache } from '../src/infra/caching/responseCache.ts'
import { createRedis } from '../src/infra/redis/redis.ts'
import { type Position, startOfLog } from '../src/kit/position.ts'
import { type AppServices, openServices } from '../src/main/openServices.ts'
import { noMetrics } from '../src/ports/metrics.ts'
import { listingsChanged } from '../src/projections/catalogue/catalogue.ts'
import { positionOf } from '../src/projections/core/checkpoints.ts'
import { subscribe } from '../src/projections/core/signals.ts'
import { projections } from '../src/projections/index.ts'
import {
  type ImportedDocument,
  readEarlierImports,
} from '../src/workers/imports/ledger/earlierImports.ts'
import {
  createReport,
  formatReport,
  type ImportReport,
} from '../src/workers/imports/ledger/importReport.ts'
import { ledgerCurrency } from '../src/workers/imports/ledger/ledgerEntry.ts'
import { planLedger } from '../src/workers/imports/ledger/planLedger.ts'
import {
  LedgerFileError,
  type LedgerRow,
  readLedger,
} from '../src/workers/imports/ledger/readLedger.ts'
import { reconcile } from '../src/workers/imports/ledger/reconcile.ts'
import { countRows } from '../src/workers/imports/ledger/rowOutcomes.ts'
import { runImport } from '../src/workers/imports/ledger/runImport.ts'
import { extendChain } from '../src/workers/jobs/auditChain.ts'
import { createProgress } from '../src/workers/projector/progress.ts'
import { startProjector } from '../src/workers/projector/projector.ts'
import { showCatchUp, showImport } from './importProgress.ts'
import { LocalServerError } from './local/localServer.ts'
import { type Services, withServices } from './local/services.ts'
import { whileWaiting } from './withApp.ts'

const usage = `Usage: npm run import:retail -- FILE [--json REPORT]

Imports a retail ledger (CSV, plain or gzip; "-" reads stdin) with the columns
InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
Ctrl-C stops after the documents under way; the same command goes on where it stopped.
What is imported already is skipped, so it may be repeated at any time.

  --json REPORT  writes the reconciliation to this file, too
  --help         shows this

Exit code 0: everything is in and agrees. 1: it could not be done. 2: totals differ. 130: stopped.`

const stopped = 130
/**
 * The stock of all products of a large shop: it is sold again and again, and one that has been
 * forgotten is read anew with all that was sold of it before.
 */
const cachedStreams = 10_000
const command = 'npm run import:retail'
// npm passes on the Ctrl-C that the terminal has sent to this process already.
const sameKeystrokeMs = 1_000

class UsageError extends Error {
  constructor(message: string) {
    super(`${message} (--help shows how)`)
    this.name = 'UsageError'
  }
}

process.exit(await main())

async function main(): Promise<number> {
  const env = readEnvironment()
  try {
    const options = readArguments()
    if (options === undefined) {
      console.log(usage)
      return 0
    }
    // Before any server is started: a wrong file name is said at once.
    const rows = await readLedger(options.file)
    console.log(`Read ${rows.length.toLocaleString('en-GB')} rows of ${options.file}`)
    return await withApp(env, on => importRows(on, { ...options, rows }))
  } catch (error) {
    console.error(describe(error, env))
    return 1
  }
}

interface ImportOptions {
  file: string
  json: string | undefined
}

function readArguments(): ImportOptions | undefined {
  const options = { json: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>
  try {
    parsed = parseArgs({ options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
  const { values, positionals } = parsed
  if (values.help) return undefined
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new UsageError('Name one file to import.')
  return { file, json: values.json }
}

interface Importing extends AppServices {
  signal: AbortSignal
  /** Events written to the log by this process so far. */
  written(): number
}

/** With the servers, the shop and the projections running; they are stopped whatever happens. */
async function withApp(
  env: NodeJS.ProcessEnv,
  work: (on: Importing) => Promise<number>,
): Promise<number> {
  const running: { services?: Services } = {}
  const signal = listenForStop(() => running.services?.kill())
  const closers: (() => Promise<unknown> | unknown)[] = []
  try {
    const services = await withServices(env, { command, log: line => console.log(line) })
    running.services = services
    closers.push(services.stop)
    const config = loadConfig(services.env)
    let written = 0
    const append = (_: number, events: number) => {
      written += events
    }
    const observing = { ...whileWaiting, metrics: { ...noMetrics, append } }
    const app = await openServices(config, observing, 'serve', cachedStreams)
    closers.push(app.close)
    const redis = createRedis(config.redisUrl.reveal())
    closers.push(() => redis.disconnect())
    closers.push(runProjections(app, createResponseCache(redis)).stop)
    return await work({ ...app, signal, written: () => written })
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** Where a worker runs them already it holds their leases, and these wait in vain. */
function runProjections(app: AppServices, answers: ReturnType<typeof createResponseCache>) {
  const warn = (fields: object, message: string) => console.error(message, fields)
  return startProjector({
    ...app,
    projections,
    runner: randomUUID(),
    progress: createProgress(),
    log: { info: () => undefined, warn, error: warn },
    onCommitted: subscribe(listingsChanged, () => answers.invalidate()),
  })
}

async function importRows(
  on: Importing,
  { file, json, rows }: ImportOptions & { rows: LedgerRow[] },
): Promise<number> {
  const { app, eventStore, codec, db, signal } = on
  if (app.currency !== ledgerCurrency) {
    throw new ConfigError(
      `The ledger is in ${ledgerCurrency} and this shop sells in ${app.currency}: ` +
        `import it into a shop of its own (DATABASE_URL or DATA_DIR) in ${ledgerCurrency}`,
    )
  }
  const begunAt = performance.now()
  const earlier = await readEarlierImports(eventStore, codec)
  const plan = planLedger(rows, earlier)
  const recorded = new Map<string, ImportedDocument>(earlier.documents)
  const before = plan.documents.filter(({ key }) => recorded.has(key))
  const progress = showImport({
    documents: { done: before.length, total: plan.documents.length },
    rows: {
      done: before.reduce((sum, { outcomes }) => sum + outcomes.size, 0),
      total: plan.rows,
    },
  })
  try {
    await runImport(app, plan, {
      signal,
      isDone: key => earlier.documents.has(key),
      onDocument({ document, refusals }) {
        recorded.set(document.key, { rows: document.outcomes.size, refusals })
        progress.advance(document.outcomes.size, on.written())
      },
    })
  } finally {
    progress.stop()
  }
  const end = await eventStore.head()
  await sign(on, end)
  if (signal.aborted || !(await waitForSales(on, end))) return explainResume(plan, recorded)
  const counts = countRows(plan, recorded)
  const report = createReport({
    file,
    documents: { imported: plan.documents.length - before.length, before: before.length },
    events: on.written(),
    seconds: Math.round((performance.now() - begunAt) / 100) / 10,
    counts,
    money: await reconcile(db, { rows, plan, counts }),
  })
  await present(report, json)
  return report.agrees ? 0 : 2
}

/** Signs what was imported: a worker would take minutes, so as not to be in the way of others. */
async function sign(on: Importing, end: Position): Promise<void> {
  const signedUpTo = async () => (await on.audit.book.last())?.position ?? startOfLog
  if ((await signedUpTo()) >= end) return
  console.log('Signing the log')
  // False while a worker is at it, which goes on by itself.
  const isSigned = await extendChain(on)
  if (!isSigned) console.log('A worker is signing it; GET /api/audit/verify says how far it is')
}

/** False when it was told to stop. */
async function waitForSales({ db, signal }: Importing, end: Position): Promise<boolean> {
  let position = await positionOf(db, 'sales')
  if (position >= end) return true
  const progress = showCatchUp(position, end)
  while (position < end && !signal.aborted) {
    await sleep(100)
    position = await positionOf(db, 'sales')
    progress.reached(position)
  }
  progress.stop()
  return position >= end
}

function explainResume(
  plan: { documents: readonly { key: string }[] },
  recorded: ReadonlyMap<string, unknown>,
): number {
  const done = plan.documents.filter(({ key }) => recorded.has(key)).length
  console.log(
    `Stopped with ${done} of ${plan.documents.length} documents in; the same command goes on.`,
  )
  return stopped
}

async function present(report: ImportReport, json: string | undefined): Promise<void> {
  const { imported, before } = report.documents
  const what = `Imported ${imported} documents as ${report.events} events in ${report.seconds} s`
  console.log(imported === 0 ? 'Nothing new: all is in' : `${what} (${before} were in before)`)
  console.log('')
  console.log(formatReport(report))
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`)
}

function listenForStop(kill: () => void): AbortSignal {
  const controller = new AbortController()
  let firstAt = 0
  const onSignal = () => {
    if (!controller.signal.aborted) {
      firstAt = performance.now()
      controller.abort()
    } else if (performance.now() - firstAt > sameKeystrokeMs) {
      kill()
      process.exit(stopped)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  return controller.signal
}

// What the operator can put right is one line; anything else is a defect and shows its place.
function describe(error: unknown, env: NodeJS.ProcessEnv): string {
  if (!(error instanceof Error)) return String(error)
  const isPlain = [ConfigError, LocalServerError, LedgerFileError, UsageError].some(
    kind => error instanceof kind,
  )
  if (isPlain) return error.message
  if (/^(debug|trace)$/.test(env.LOG_LEVEL ?? '')) return error.stack ?? error.message
  const resumeHint = 'the same command goes on; LOG_LEVEL=debug shows where'
  return `The import stopped: ${error.message} (${resumeHint})`
}
