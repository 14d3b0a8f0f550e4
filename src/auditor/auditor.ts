// The auditor: holds a shop to its promises. It knows the events of the log and what they mean, and
// nothing of the code that writes them: everything is folded here once more, by its own rules.
import { cartChecks } from './carts.ts'
import { claimChecks } from './claims.ts'
import { commandChecks } from './commands.ts'
import { effectChecks } from './effects.ts'
import type { Check, Evidence, Finding, Report } from './evidence.ts'
import { liveChecks } from './live.ts'
import { moneyChecks } from './money.ts'
import { createOrderBook, orderChecks } from './orders.ts'
import { stockChecks } from './stock.ts'
import { streamChecks } from './streams.ts'
import { toldChecks } from './told.ts'

/** Every promise that was broken; none when all were kept. */
export async function audit(evidence: Evidence): Promise<Finding[]> {
  const findings: Finding[] = []
  const report: Report = (promise, says) => findings.push({ promise, says })
  const book = createOrderBook()
  const checks: Check[] = [
    streamChecks(report),
    commandChecks(report),
    // Before those that ask it how orders are.
    book,
    orderChecks(book, report),
    stockChecks(book, report),
    cartChecks(report),
    claimChecks(report),
    moneyChecks(book, report),
    effectChecks(book, report),
    toldChecks(report),
    liveChecks(book, report),
  ]
  for await (const event of evidence.log) for (const check of checks) check.see(event)
  for (const check of checks) check.conclude?.(evidence)
  for (const { where, what } of evidence.mishaps ?? []) {
    report('nothing fails that is not meant to', `${where}: ${what}.`)
  }
  return findings
}
