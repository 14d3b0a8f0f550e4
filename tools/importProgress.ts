// The progress of an import: a bar on the terminal, elsewhere a line every few seconds.

import { type Options, Presets, SingleBar } from 'cli-progress'
import { type Position, shareOfWay } from '../src/kit/position.ts'

export interface ImportProgress {
  /** Tells that some more rows are done, and how many events have been written by now. */
  advance(rows: number, events: number): void
  stop(): void
}

const lineEveryMs = 5_000

const options: Options = {
  format:
    'Importing {bar} {percentage}% | {documents}/{documentsTotal} documents' +
    ' | {value}/{total} rows | {rate} events/s | ETA {eta_formatted}',
  barsize: 20,
  hideCursor: true,
  // The importer finishes what is under way itself.
  gracefulExit: false,
  etaBuffer: 500,
  noTTYOutput: true,
  notTTYSchedule: lineEveryMs,
}

/** Shows how far an import is, of which a part may have been done before. */
export function showImport(on: {
  documents: { done: number; total: number }
  rows: { done: number; total: number }
}): ImportProgress {
  const bar = new SingleBar(options, Presets.shades_classic)
  const begunAt = performance.now()
  const { documents } = on
  let done = documents.done
  bar.start(on.rows.total, on.rows.done, {
    documents: done,
    documentsTotal: documents.total,
    rate: 0,
  })
  return {
    advance(rows, events) {
      done += 1
      const seconds = (performance.now() - begunAt) / 1000
      const rate = Math.round(events / Math.max(seconds, 0.001))
      bar.increment(rows, { documents: done, rate })
    },
    stop: () => bar.stop(),
  }
}

/** Shows how far the read models are behind the log. */
export function showCatchUp(from: Position, to: Position) {
  const format = 'Read models {bar} {percentage}% of the log'
  const bar = new SingleBar({ ...options, format }, Presets.shades_classic)
  bar.start(100, 0)
  return {
    reached: (position: Position) => bar.update(Math.floor(100 * shareOfWay(from, position, to))),
    stop: () => bar.stop(),
  }
}
