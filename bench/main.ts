// npm run bench: measures against limits found in the same run; prints tables and keeps JSON.
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { readEnvironment } from '../src/config/config.ts'
import { addToCart } from './addToCart.ts'
import { aggregate } from './aggregate.ts'
import { apiMemory } from './apiMemory.ts'
import { append } from './append.ts'
import type { Benchmark } from './benchmark.ts'
import { chain } from './chain.ts'
import { type BenchServers, onFreshDatabase, versionOf, withServers } from './database.ts'
import { eventStoreDbBench } from './eventstoredb.ts'
import { flashSale } from './flashSale.ts'
import { growth } from './growth.ts'
import type { Report, Verdict } from './harness.ts'
import { listing } from './listing.ts'
import { orderDetail } from './orderDetail.ts'
import { placeOrder } from './placeOrder.ts'
import { read } from './read.ts'
import { realtime } from './realtime.ts'
import { rebuild } from './rebuild.ts'
import { search } from './search.ts'
import { slowDisk } from './slowDisk.ts'
import { staffSearch } from './staffSearch.ts'
import { start } from './start.ts'
import { reportTable, save, thisMachine, verdictMarkdown, verdictTable } from './tables.ts'
import { wholeShop } from './wholeShop.ts'

/** By name: what it measures, and the benchmark. */
const benchmarks: Record<string, { about: string; run: Benchmark }> = {
  append: { about: 'rows 1 and 2: appends through the port', run: append },
  slowDisk: { about: 'row 1 where a commit takes 5 ms more', run: slowDisk },
  addToCart: { about: 'row 3: AddToCart over HTTP', run: addToCart },
  placeOrder: { about: 'row 4: PlaceOrder over HTTP', run: placeOrder },
  wholeShop: {
    about: 'rows 4b and 4c: PlaceOrder with workers, live messages, mails',
    run: wholeShop,
  },
  flashSale: { about: 'row 5: 1,000 buyers, 100 pieces', run: flashSale },
  listing: { about: 'row 6: a cached product listing', run: listing },
  orderDetail: { about: 'row 7: an order read by its owner', run: orderDetail },
  search: { about: 'row 8: listings that are not cached', run: search },
  staffSearch: { about: 'row 8b: a staff search of all orders', run: staffSearch },
  realtime: { about: 'rows 9 and 17: from an event to its message', run: realtime },
  read: { about: 'row 12: a catch-up subscription', run: read },
  rebuild: { about: 'rows 10, 11 and 15: rebuilding read models', run: rebuild },
  aggregate: { about: 'row 13: loading an aggregate', run: aggregate },
  apiMemory: { about: 'row 15: memory of the API', run: apiMemory },
  start: { about: 'row 16: npm start', run: start },
  chain: { about: 'row 18: appends while the log is signed', run: chain },
}

const onEventStoreDb = 'eventstoredb'
const listed = {
  ...benchmarks,
  [onEventStoreDb]: { about: 'row 19: log and shop at EVENTSTORE_URL; only when named' },
}
const list = Object.entries(listed).map(([name, { about }]) => `  ${name.padEnd(14)}${about}`)
const usage = `Usage: npm run bench                     all benchmarks, with figures to quote
       npm run bench -- append read      some of them
       npm run bench -- --quick          a short look at all of them, in minutes
       npm run bench -- eventstoredb --ledger FILE [--rows N]
                                         against the server at EVENTSTORE_URL

  --quick      fewer and shorter rounds
  --growth     row 14 alone: the paths on 100,000 and on 10,000,000 events, an hour and 20 GB
  --events N   another length of the long log
  --ledger F   a retail ledger for eventstoredb to import; --rows N only its first N rows
  --markdown   the last table as Markdown

${list.join('\n')}

Every figure is measured beside its limit, in interleaved rounds of the same run, together with the
processor time of one request, order or event by part (microseconds, from /proc). Exit code 1 when
a bar is missed or a benchmark fails. Servers are started for it in a
temporary directory, or are those that DATABASE_URL and REDIS_URL name (logical database 15 of that
Redis is emptied). Results go to bench/results/ as JSON.`

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  if (values.help) {
    console.log(usage)
    return
  }
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks)
  const unknown = names.filter(name => !Object.hasOwn(listed, name))
  if (unknown.length > 0)
    throw new Error(`no benchmark is called ${unknown.join(', ')} (--help lists them)`)
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = readEnvironment()
  const named = { databaseUrl: databaseUrl || undefined, redisUrl: redisUrl || undefined }
  const quick = values.quick ?? false
  const { verdicts, failed } = await withServers(named, async servers => {
    const { processor, cores, memoryGiB, node } = thisMachine()
    const machine = `${processor}, ${cores} cores, ${memoryGiB} GiB, Node ${node}`
    const postgres = `PostgreSQL ${await versionOf(servers.databaseUrl)}`
    console.log(`${new Date().toISOString()}, ${machine}, ${postgres}\n`)
    const events = values.events === undefined ? undefined : lengthOf(values.events)
    if (values.growth) return runGrowth(servers, { quick, events })
    const rows = values.rows === undefined ? undefined : rowsOf(values.rows)
    return runAll(names, { servers, quick, ledger: values.ledger, rows })
  })
  const print = values.markdown ? verdictMarkdown : verdictTable
  const missed = verdicts.filter(({ met }) => met === false).length
  const judged = verdicts.filter(({ met }) => met !== undefined).length
  console.log(`${print(verdicts)}\n\n${missed} of ${judged} bars missed`)
  if (failed.length > 0) console.log(`failed, so without figures: ${failed.join(', ')}`)
  if (failed.length > 0 || missed > 0) process.exitCode = 1
}

function readArguments() {
  const flag = { type: 'boolean' } as const
  const options = {
    help: { ...flag, short: 'h' },
    quick: flag,
    growth: flag,
    events: { type: 'string' },
    ledger: { type: 'string' },
    rows: { type: 'string' },
    markdown: flag,
  } as const
  return parseArgs({ options, allowPositionals: true })
}

function lengthOf(text: string): number {
  const events = Number(text)
  if (Number.isSafeInteger(events) && events >= 100_000) return events
  throw new Error(`--events takes a number from 100000, not ${text}`)
}

function rowsOf(text: string): number {
  const rows = Number(text)
  if (Number.isSafeInteger(rows) && rows >= 1_000) return rows
  throw new Error(`--rows takes a number from 1000, not ${text}`)
}

interface Asked {
  servers: BenchServers
  quick: boolean
  ledger: string | undefined
  rows: number | undefined
}

/** One that fails has no figure and does not keep the others from running. */
async function runAll(names: readonly string[], asked: Asked) {
  const verdicts: Verdict[] = []
  const failed: string[] = []
  for (const name of names) {
    try {
      const report = name === onEventStoreDb ? await runOnServer(asked) : await run(name, asked)
      verdicts.push(...report.verdicts)
    } catch (error) {
      console.error(`${name} failed: ${error instanceof Error ? error.stack : error}`)
      failed.push(name)
    }
  }
  return { verdicts, failed }
}

async function runGrowth(
  servers: BenchServers,
  sizes: { quick: boolean; events: number | undefined },
) {
  console.log('growth: measuring')
  const report = await growth(servers, sizes)
  await show(report, sizes)
  return { verdicts: report.verdicts, failed: [] }
}

async function runOnServer({ servers, ...asked }: Asked): Promise<Report> {
  const { EVENTSTORE_URL: url } = readEnvironment()
  if (!url) throw new Error('EVENTSTORE_URL names no server to measure')
  console.log(`${onEventStoreDb}: measuring`)
  const report = await eventStoreDbBench(servers, { url, ...asked })
  await show(report, { quick: asked.quick, rows: asked.rows })
  return report
}

async function run(name: string, { servers, quick }: Asked): Promise<Report> {
  return onFreshDatabase(servers, async database => {
    console.log(`${name}: measuring`)
    const benchmark = benchmarks[name]
    if (benchmark === undefined) throw new Error(`no benchmark is called ${name}`)
    const report = await benchmark.run({ database, quick })
    await show(report, { quick, postgres: database.settings })
    return report
  })
}

async function show(report: Report, settings: Record<string, unknown>): Promise<void> {
  const file = await save(report.name, report, settings)
  console.log(`\n${reportTable(report)}\n\n  kept in ${relative(process.cwd(), file)}\n`)
}
