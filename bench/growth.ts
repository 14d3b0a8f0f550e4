// Row 14. Path: rows 1 to 4, 7 and 9, and with them the cached listing and the memory of the API,
// on a log of 10,000,000 events. Limit: the same on 100,000. Bar: at most 1.2 times slower, or
// larger. What has a limit of its own is compared by its ratio to it, so that the minutes between
// the two runs do not count. Takes some 20 GB of disk and the better part of an hour.
import { loadConfig } from '../src/config/config.ts'
import { openServices } from '../src/main/openServices.ts'
import { addToCart } from './addToCart.ts'
import { apiMemory } from './apiMemory.ts'
import { settingsOn, startShop } from './app.ts'
import { append } from './append.ts'
import type { Benchmark } from './benchmark.ts'
import { closing } from './closing.ts'
import { type BenchDatabase, type BenchServers, onDatabase, onFreshDatabase } from './database.ts'
import { meets, type Report, roundsFor, type Verdict } from './harness.ts'
import { writeHistory } from './history.ts'
import { listing } from './listing.ts'
import { orderDetail } from './orderDetail.ts'
import { placeOrder } from './placeOrder.ts'
import { realtime } from './realtime.ts'
import { peakMb } from './residentMemory.ts'
import { spreadOf } from './statistics.ts'
import { verdictTable } from './tables.ts'

const paths: readonly Benchmark[] = [
  append,
  addToCart,
  placeOrder,
  listing,
  orderDetail,
  realtime,
  apiMemory,
]
/** Measured at full length: of the 150 messages of a short look the p99 is the second worst. */
const long: readonly Benchmark[] = [realtime]
const rows: readonly Verdict['row'][] = [1, 2, 3, 4, 6, 7, 9, 15]
const bar = { atMost: 1.2 }

/** Measures both logs in turns. */
export async function growth(
  servers: BenchServers,
  { quick, events }: { quick: boolean; events: number | undefined },
): Promise<Report> {
  const sizes = quick
    ? { few: 20_000, many: 200_000 }
    : { few: 100_000, many: events ?? 10_000_000 }
  const other = { ...servers, redisUrl: onDatabase(servers.redisUrl, '14') }
  return onFreshDatabase(servers, few =>
    onFreshDatabase(other, async many => {
      const notes = [await fill(few, sizes.few), await fill(many, sizes.many)]
      console.log(notes.join('\n'))
      const verdicts: Verdict[] = []
      for (const path of paths) {
        const found = await compare(path, { few, many, quick })
        console.log(verdictTable(found))
        verdicts.push(...found)
      }
      return { name: 'growth', measured: [], verdicts, notes }
    }),
  )
}

/** Writes a log and waits until every read model is at its end; tells what that took. */
function fill(database: BenchDatabase, events: number): Promise<string> {
  return closing(async closers => {
    const back = await openServices(loadConfig(settingsOn(database)))
    closers.push(back.close)
    await writeHistory(back, { pool: database.pool, events })
    const app = await startShop(database)
    closers.push(app.close)
    const startedAt = performance.now()
    const worker = await app.startWorker()
    await app.catchUp()
    const perSecond = events / ((performance.now() - startedAt) / 1_000)
    const memory = await peakMb(worker.pid)
    await database.pool.query('vacuum analyze')
    // What filling has left to be written would be written while it is measured.
    await database.pool.query('checkpoint')
    const [length, speed] = [events, Math.round(perSecond)].map(count =>
      count.toLocaleString('en-GB'),
    )
    return (
      `${length} events: all read models caught up at ${speed} events/s, ` +
      `by a worker of at most ${memory.toFixed(0)} MB`
    )
  })
}

interface Both {
  few: BenchDatabase
  many: BenchDatabase
  quick: boolean
}

async function compare(path: Benchmark, { few, many, quick }: Both): Promise<Verdict[]> {
  const before: Verdict[][] = []
  const after: Verdict[][] = []
  const isShort = quick || !long.includes(path)
  const verdictsOn = async (database: BenchDatabase) =>
    (await path({ database, quick: isShort })).verdicts
  const times = quick ? 1 : roundsFor(true).rounds
  for (let turn = 0; turn < times; turn += 1) {
    const onFew = async () => before.push(await verdictsOn(few))
    const onMany = async () => after.push(await verdictsOn(many))
    // Who comes second finds a machine that is warmer, or more tired.
    for (const measure of turn % 2 === 0 ? [onFew, onMany] : [onMany, onFew]) await measure()
  }
  return (after[0] ?? [])
    .filter(({ row }) => rows.includes(row))
    .flatMap(first => {
      const slower = before.flatMap((verdicts, turn) => {
        const onShort = verdicts.find(({ path }) => path === first.path)
        const onLong = after[turn]?.find(({ path }) => path === first.path)
        return onShort && onLong ? [slowdown(onShort, onLong)] : []
      })
      const limit = before[0]?.find(({ path }) => path === first.path)?.figure
      if (limit === undefined || slower.length === 0) return []
      const judged = spreadOf(slower)
      const compared = { ...limit, name: 'the short log' }
      const met = meets(judged.median, bar)
      return [{ ...first, row: 14, limit: compared, judged, bar, met }]
    })
}

/** How many times slower or larger the second is: rates count the other way round. */
export function slowdown(before: Verdict, after: Verdict): number {
  const lessIsBetter = ['ms', 'MB'].includes(before.figure.unit)
  const ratio = after.judged.median / before.judged.median
  return lessIsBetter ? ratio : 1 / ratio
}
