// npm run audit: checks from the log that the shop has kept its promises.
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import { projections } from '../src/projections/index.ts'
import { audit } from '../src/workers/audit/audit.ts'
import type { CheckResult, OnProgress } from '../src/workers/audit/logCheck.ts'
import { DiskFull } from '../src/workers/audit/spill.ts'
import { main, Refusal, UsageError, withApp } from './withApp.ts'

const usage = `Usage: npm run audit [-- --grace SECONDS]

Checks the log against its signatures and seals, and the rows outside of it that commands rely on.
Runs the auditor, which shares no code with the shop, on the log, the orders and stock as shown,
mails and webhooks, and prints each broken promise with the object and the events. Compares each
projection with a rebuild. Changes nothing; the shop may be running or not: mails and webhooks that
are due are findings only while nothing is sent.
Time grows in proportion to the log and memory does not: a log of more than 25,000
events is divided into temporary files (in TMPDIR, at most twice its size, without personal text).

  --grace SECONDS   what changed in the last SECONDS may still be under way (default 30)

Of each check the first 20 findings are named, and all are counted.
Exit codes: 0 all is well, 1 something was found, 2 it could not be done.`

let hasRun = false
await main(async () => {
  const graceSeconds = readGrace()
  if (graceSeconds === undefined) {
    console.log(usage)
    hasRun = true
    return
  }
  stopOnSignals()
  const bar = createBar()
  const results = await withApp('npm run audit', open =>
    audit(
      { ...open, projections, onProgress: bar.show },
      new Date(Date.now() - graceSeconds * 1_000),
    ),
  )
    .finally(bar.end)
    .catch(error => {
      throw error instanceof DiskFull ? new Refusal(error.message) : error
    })
  hasRun = true
  report(results)
})
if (!hasRun) process.exitCode = 2

/** So that temporary files are removed. */
function stopOnSignals(): void {
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
}

/** A bar for each step, on a terminal; elsewhere nothing. */
function createBar(): { show: OnProgress; end(): void } {
  const bar = new SingleBar({
    format: '{step} {bar} {percentage}%, {duration_formatted}',
    fps: 5,
    hideCursor: true,
    clearOnComplete: true,
  })
  let shown = ''
  const begin = (step: string, of: number) => {
    bar.stop()
    bar.start(of, 0, { step: step.padEnd(28) })
    shown = step
  }
  return {
    show(step, done, of) {
      if (!process.stderr.isTTY) return
      if (step !== shown) begin(step, of)
      bar.update(done)
    },
    end: () => bar.stop(),
  }
}

function readGrace(): number | undefined {
  try {
    const { values } = parseArgs({
      options: { grace: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help) return undefined
    const seconds = Number(values.grace ?? 30)
    if (Number.isFinite(seconds) && seconds >= 0) return seconds
  } catch {
    // Said below.
  }
  throw new UsageError('the arguments were not understood')
}

function report(results: readonly CheckResult[]): void {
  console.table(
    results.map(({ check, examined, count }) => ({
      check,
      examined,
      result: count === 0 ? 'ok' : `${count} found`,
    })),
  )
  for (const { check, findings, count } of results) {
    for (const finding of findings) console.error(`${check}: ${finding}`)
    if (count > findings.length) console.error(`${check}: … and ${count - findings.length} more`)
  }
  for (const { check, notes = [] } of results) {
    for (const note of notes) console.log(`${check}: ${note}`)
  }
  const total = results.reduce((sum, { count }) => sum + count, 0)
  console.log(total === 0 ? 'The books are in order.' : `${total} findings.`)
  if (total > 0) process.exitCode = 1
}
