// Row 14. Path: rows 1 to 4, 7 and 9 on a log of 10,000,000 events. Limit: the same on 100,000.
// Bar: at most 1.2 times slower. What has a limit of its own is compared by its ratio to it, so
// that the minutes between the two runs do not count. Takes some 20 GB of disk and the better part
// of an hour.
import { loadConfig } from '../src/config.ts'
import { openShop } from '../src/openShop.ts'
import { addToCart } from './addToCart.ts'
import { append } from './append.ts'
import type { Benchmark } from './benchmark.ts'
import { closing } from './closing.ts'
import { type BenchDatabase, type BenchServers, onDatabase, onFreshDatabase } from './database.ts'
import { meets, type Report, roundsFor, type Verdict } from './harness.ts'
import { writeHistory } from './history.ts'
import { orderDetail } from './orderDetail.ts'
import { placeOrder } from './placeOrder.ts'
import { realtime } from './realtime.ts'
import { settingsOn, startShop } from './shop.ts'
import { spreadOf } from './statistics.ts'

const paths: readonly Benchmark[] = [append, addToCart, placeOrder, orderDetail, realtime]
const rows: readonly number[] = [1, 2, 3, 4, 7, 9]
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
      await fill(few, sizes.few)
      await fill(many, sizes.many)
      const verdicts: Verdict[] = []
      for (const path of paths) verdicts.push(...(await compare(path, { few, many, quick })))
      const [fewer, more] = [sizes.few, sizes.many].map(size => size.toLocaleString('en-GB'))
      const notes = [`logs of ${fewer} and of ${more} events, with all read models`]
      return { name: 'growth', measured: [], verdicts, notes }
    }),
  )
}

/** Writes a log and waits until every read model is at its end. */
function fill(database: BenchDatabase, events: number): Promise<void> {
  return closing(async closers => {
    const back = await openShop(loadConfig(settingsOn(database)))
    closers.push(back.close)
    await writeHistory(back, events)
    const shop = await startShop(database)
    closers.push(shop.close)
    await shop.startWorker()
    await shop.catchUp()
    await database.pool.query('vacuum analyze')
  })
}

interface Both {
  few: BenchDatabase
  many: BenchDatabase
  quick: boolean
}

async function compare(path: Benchmark, { few, many, quick }: Both): Promise<Verdict[]> {
  const short: Verdict[][] = []
  const long: Verdict[][] = []
  const times = quick ? 1 : roundsFor(true).rounds
  for (let turn = 0; turn < times; turn += 1) {
    short.push((await path({ database: few, quick: true })).verdicts)
    long.push((await path({ database: many, quick: true })).verdicts)
  }
  return (long[0] ?? [])
    .filter(({ row }) => rows.includes(row))
    .flatMap(first => {
      const slower = short.flatMap((verdicts, turn) => {
        const before = verdicts.find(({ path }) => path === first.path)
        const after = long[turn]?.find(({ path }) => path === first.path)
        return before && after ? [slowdown(before, after)] : []
      })
      const limit = short[0]?.find(({ path }) => path === first.path)?.figure
      if (limit === undefined || slower.length === 0) return []
      const judged = spreadOf(slower)
      const compared = { ...limit, name: 'the short log' }
      const met = meets(judged.median, bar)
      return [{ ...first, row: 14, limit: compared, judged, bar, met }]
    })
}

/** How many times slower the second is: rates count the other way round than times. */
export function slowdown(before: Verdict, after: Verdict): number {
  const isTime = before.figure.unit === 'ms'
  const ratio = after.judged.median / before.judged.median
  return isTime ? ratio : 1 / ratio
}
