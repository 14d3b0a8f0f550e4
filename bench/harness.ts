// What benchmarks share: rounds that take turns, and figures beside limits, judged by bars.
import { percentile, type Spread, spreadOf } from './statistics.ts'

export interface Rounds {
  warmups: number
  rounds: number
}

/** One thing to measure; `run` gives the figure of one round. */
export interface Candidate {
  name: string
  /** 'events/s', 'ms': what the figures are counted in. */
  unit: string
  run(round: number): Promise<number>
}

export interface Measured extends Spread {
  name: string
  unit: string
  figures: number[]
}

export type Bar = { atLeast: number } | { atMost: number }

/** One path beside its limit, or beside a fixed bound, and what is asked of it, if anything. */
export interface Verdict {
  /** Its row in the table of bars. */
  row: number
  path: string
  figure: { median: number; unit: string }
  limit?: { name: string; median: number; unit: string }
  /** Figure to limit, round by round; without a limit, the figure itself. */
  judged: Spread
  bar?: Bar
  met?: boolean
}

export interface Report {
  name: string
  measured: Measured[]
  verdicts: Verdict[]
  notes: string[]
}

/** How often to measure: a short look gives the direction, not a figure to quote. */
export function roundsFor(quick: boolean): Rounds {
  return quick ? { warmups: 1, rounds: 3 } : { warmups: 2, rounds: 5 }
}

/**
 * Runs the candidates in turn, so that whatever else the machine does meets all of them. The
 * figures of the warm-up rounds are thrown away.
 */
export async function interleave(
  candidates: readonly Candidate[],
  { warmups, rounds }: Rounds,
): Promise<Measured[]> {
  const figures = candidates.map((): number[] => [])
  for (let round = 0; round < warmups + rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      const figure = await candidate.run(round)
      if (round >= warmups) figures[index]?.push(figure)
    }
  }
  return candidates.map(({ name, unit }, index) => measuredAs(name, unit, figures[index] ?? []))
}

/** Figures that were taken one by one. */
export function measuredAs(name: string, unit: string, figures: number[]): Measured {
  return { name, unit, figures, ...spreadOf(figures) }
}

export interface Judging {
  row: number
  path: string
  of: string
  /** What it is compared to; without it the bar is about the figure itself. */
  to?: string
  bar?: Bar
}

/** How a candidate stands to its limit, round by round, judged by the median. */
export function judge(measured: readonly Measured[], judging: Judging): Verdict {
  const { row, path, of, to, bar } = judging
  const own = find(measured, of)
  const limit = to === undefined ? undefined : find(measured, to)
  const compared = own.figures.map((figure, round) => {
    return limit === undefined ? figure : figure / (limit.figures[round] ?? 0)
  })
  const judged = spreadOf(compared)
  return {
    row,
    path,
    figure: { median: own.median, unit: own.unit },
    ...(limit && { limit: { name: limit.name, median: limit.median, unit: limit.unit } }),
    judged,
    ...(bar && { bar, met: meets(judged.median, bar) }),
  }
}

/** Whether a figure is on the right side of its bar; nothing that is no number is. */
export function meets(figure: number, bar: Bar): boolean {
  if (!Number.isFinite(figure)) return false
  return 'atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost
}

function find(measured: readonly Measured[], name: string): Measured {
  const found = measured.find(each => each.name === name)
  if (found === undefined) throw new Error(`nothing was measured as ${name}`)
  return found
}

/** Does `work` for 0 to total - 1 with so many under way at once; gives how many a second. */
export async function rate(
  { total, inFlight }: { total: number; inFlight: number },
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const lane = async () => {
    while (next < total) {
      const index = next
      next += 1
      await work(index)
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: inFlight }, lane))
  return total / ((performance.now() - startedAt) / 1_000)
}

/** How long each of `count` calls took, one after the other, in milliseconds, sorted. */
export async function durationsMs(
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const durations: number[] = []
  for (let call = 0; call < count; call += 1) {
    const startedAt = performance.now()
    await work(call)
    durations.push(performance.now() - startedAt)
  }
  return durations.toSorted((a, b) => a - b)
}

/** The median duration of `count` calls one after the other, in milliseconds. */
export async function medianMs(
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  return percentile(await durationsMs(count, work), 50)
}
