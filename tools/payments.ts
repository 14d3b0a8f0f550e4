// npm run payments: compares the books of the payment provider with the log, or simulates what
// somebody does there.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  type Difference,
  type Reconciliation,
  reconcile,
} from '../src/commands/order/reconciliation.ts'
import { formatMoney } from '../src/domain/kernel/money.ts'
import type { Money } from '../src/domain/kernel/types.ts'
import { simulate } from './simulateCallback.ts'
import { main, UsageError, withApp } from './withApp.ts'

const usage = `Usage: npm run payments -- reconcile [--from DATE] [--to DATE] [--json FILE]
       npm run payments -- simulate WHAT --order ID --amount AMOUNT [--reference NAME]
                                    [--reason CODE] [--due DATE]

reconcile compares what the payment provider has charged and paid back with what the log says:
charges without a payment, payments without a charge, the same for refunds and disputes, amounts
and outcomes that differ, and what has been open for more than an hour. Changes nothing; the shop
may be running or not.

  --from DATE   the first day or moment, such as 2026-11-01 (default: the beginning)
  --to DATE     the day or moment before which it ends (default: now)
  --json FILE   also writes the differences there

simulate does in the shop what happens at the simulated provider: refund (in its dashboard),
failed-refund, inquiry, dispute, won, lost. Disputes of an order go by one reference unless it is
given.

  --order ID          the order that it is about
  --amount AMOUNT     such as 4.25
  --reference NAME    the provider's name for the refund or dispute
  --reason CODE       of a dispute, such as fraudulent
  --due DATE          until when a dispute can be answered (default: in a week)

Exit codes: 0 the books agree, 1 they differ, 2 wrong usage.`

interface Options {
  from: Date
  to: Date
  json: string | undefined
}

await main(async () => {
  if (process.argv[2] === 'simulate' && !process.argv.includes('--help')) {
    return simulate(process.argv.slice(3))
  }
  const options = readOptions()
  if (options === undefined) {
    console.log(usage)
    return
  }
  const { from, to } = options
  const found = await withApp('npm run payments', ({ eventStore, codec, app }) =>
    reconcile({ eventStore, codec, payments: app.payments }, { from, to, now: new Date() }),
  )
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify(found, null, 2)}\n`)
  report(found)
})

function readOptions(): Options | undefined {
  const text = { type: 'string' } as const
  try {
    const { values, positionals } = parseArgs({
      options: { from: text, to: text, json: text, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    if (values.help) return undefined
    const from = new Date(values.from ?? 0)
    const to = new Date(values.to ?? Date.now())
    const isPeriod = from.getTime() < to.getTime()
    if (positionals.join(' ') === 'reconcile' && isPeriod) return { from, to, json: values.json }
  } catch {
    // Said below.
  }
  throw new UsageError('the arguments were not understood')
}

function report({ charges, refunds, disputes, underWay, differences }: Reconciliation): void {
  if (differences.length > 0) console.table(differences.map(rowOf))
  const compared = `${charges} charges, ${refunds} refunds and ${disputes} disputes compared`
  console.log(`${compared}, ${underWay} under way.`)
  console.log(differences.length === 0 ? 'The books agree.' : `${differences.length} differences.`)
  if (differences.length > 0) process.exitCode = 1
}

function rowOf({ what, id, orderId, reference, provider, log, at }: Difference) {
  const shown = (money: Money | null) => (money === null ? '' : formatMoney(money))
  return {
    what,
    order: orderId ?? '',
    id: id ?? reference ?? '',
    provider: shown(provider),
    log: shown(log),
    at: at.toISOString(),
  }
}
