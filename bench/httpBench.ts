// What HTTP benchmarks share: a shop, a limit server and a load generator, in turns.

import { type BenchApp, startShop } from './app.ts'
import type { Bench } from './benchmark.ts'
import { type Closers, closing } from './closing.ts'
import type { Report } from './harness.ts'
import { type LimitServer, type Limits, startLimits } from './limitServer.ts'
import { type Loader, startLoader } from './loader.ts'

export interface HttpBench {
  app: BenchApp
  loader: Loader
  /** For what else is to end with it. */
  closers: Closers
  startLimits(options?: Partial<Omit<Limits, 'databaseUrl'>>): Promise<LimitServer>
}

/** Runs `work` with a shop and a load generator; everything that it starts ends with it. */
export function withHttp(
  { database }: Bench,
  work: (http: HttpBench) => Promise<Report>,
): Promise<Report> {
  return closing(async closers => {
    const app = await startShop(database)
    closers.push(app.close)
    const loader = startLoader(database.clock)
    closers.push(loader.stop)
    return work({
      app,
      loader,
      closers,
      async startLimits(options) {
        const limits = await startLimits(database.url, options)
        database.clock.watch('limit', limits.pid)
        closers.push(limits.stop)
        return limits
      },
    })
  })
}
