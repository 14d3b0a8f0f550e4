// What every benchmark is given.
import type { BenchDatabase } from './database.ts'
import type { Report } from './harness.ts'

export interface Bench {
  database: BenchDatabase
  /** A short look instead of figures to quote. */
  quick: boolean
}

export type Benchmark = (bench: Bench) => Promise<Report>
