// npm run audit: checks from the log that the shop has kept its promises.
import { parseArgs } from 'node:util'
import { projections } from '../src/projections/index.ts'
import { audit } from '../src/workers/audit/audit.ts'
import type { CheckResult } from '../src/workers/audit/logCheck.ts'
import { main, UsageError, withShop } from './withShop.ts'

const usage = `Usage: npm run audit [-- --grace SECONDS]

Checks the log against its signatures and seals, and what commands rest on beside it; replays it
and checks that no stream has a gap, no event is doubled or unreadable, orders
moved legally, stock was never oversold, reservations belong to open orders, money adds up, every
mail went out once, and each projection equals one built anew. Changes nothing; the shop may be
running or not. A long log is read once for every 100,000 events, so that memory stays bounded.

  --grace SECONDS   what changed in the last SECONDS may still be under way (default 30)

Of each check the first 20 findings are named, and all are counted.
Exit codes: 0 all is well, 1 something was found, 2 it could not be run.`

let hasRun = false
await main(async () => {
  const graceSeconds = readGrace()
  if (graceSeconds === undefined) {
    console.log(usage)
    hasRun = true
    return
  }
  const results = await withShop('npm run audit', open =>
    audit({ ...open, projections }, new Date(Date.now() - graceSeconds * 1_000)),
  )
  hasRun = true
  report(results)
})
if (!hasRun) process.exitCode = 2

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
  const total = results.reduce((sum, { count }) => sum + count, 0)
  console.log(total === 0 ? 'The books are in order.' : `${total} findings.`)
  if (total > 0) process.exitCode = 1
}
