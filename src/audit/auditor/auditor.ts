// The auditor: checks that a shop has kept its promises. It folds the events of the log by rules of
// its own and shares no code with what writes them.
import { cartChecks } from './carts.ts'
import { type ClaimPeriod, claimChecks, collectPeriods } from './claims.ts'
import { commandChecks } from './commands.ts'
import { effectChecks } from './effects.ts'
import {
  type Check,
  type Evidence,
  type Finding,
  type LogEvent,
  type Observations,
  type Place,
  type Report,
  type Scope,
  wholeShop,
} from './evidence.ts'
import { liveChecks } from './live.ts'
import { messageChecks } from './messages.ts'
import { moneyChecks } from './money.ts'
import { createOrderBook, orderChecks } from './orders.ts'
import { stockChecks } from './stock.ts'
import { positionChecks, streamChecks } from './streams.ts'

export { claimChecks } from './claims.ts'
export { positionChecks } from './streams.ts'

/** Every promise that was broken; none when all were kept. */
export async function audit(evidence: Evidence): Promise<Finding[]> {
  const findings: Finding[] = []
  const report: Report = (promise, detail) => findings.push({ promise, detail })
  const periods: ClaimPeriod[] = []
  const auditor = createAuditor(report, wholeShop, each => periods.push(each))
  // These two keep all events in memory: they run only with answers of clients and live messages.
  const checks: Check[] = [
    positionChecks(report),
    auditor,
    ...(evidence.messages === undefined ? [] : [messageChecks(report)]),
    ...(evidence.live === undefined ? [] : [liveChecks(auditor.book, report)]),
  ]
  for await (const event of evidence.log) for (const check of checks) check.see(event)
  for (const check of checks) check.conclude?.(evidence)
  claimChecks(periods, report)
  for (const { where, what } of evidence.failures ?? []) {
    report('nothing fails that is not meant to', `${where}: ${what}.`)
  }
  return findings
}

/**
 * An auditor for one partition: it receives at least the events of that partition, in log order.
 * Names that are held are compared over all partitions, by `claimChecks`.
 */
export function createAuditor(
  report: Report,
  scope: Scope,
  onPeriod: (period: ClaimPeriod) => void,
) {
  const book = createOrderBook(scope)
  const checks: Check[] = [
    streamChecks(report, scope),
    commandChecks(report, scope),
    // Before those that ask it how orders are.
    book,
    orderChecks(book, report, scope),
    stockChecks(book, report, scope),
    cartChecks(book, report, scope),
    collectPeriods(onPeriod, report, scope),
    moneyChecks(book, report, scope),
    effectChecks(book, report, scope),
  ]
  const unreadable = new Set<string>()
  return {
    book,
    see(event: LogEvent) {
      for (const check of checks) check.see(event)
    },
    skip(place: Place, isUnreadable = false) {
      if (isUnreadable) unreadable.add(place.stream)
      for (const check of checks) check.skip?.(place, isUnreadable)
    },
    conclude(observations: Observations) {
      const all = { ...observations, unreadable: observations.unreadable ?? unreadable }
      for (const check of checks) check.conclude?.(all)
    },
    examined: () => Object.assign({}, ...checks.map(check => check.examined())),
  } satisfies Check & { book: typeof book }
}
