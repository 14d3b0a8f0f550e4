// What benchmarks share: rounds that take turns, and figures beside limits, judged by bars.
import { type ProcessorClock, type ProcessorTime, timePerRequest } from './processorTime.ts'
import { percentile, type Spread, spreadOf } from './statistics.ts'

export interface Rounds {
  warmups: number
  rounds: number
}

/** A figure with the processor time that one request, event or order of it has used. */
export interface CostedFigure {
  figure: number
  processor: ProcessorTime
}

/** One thing to measure; `run` gives the figure of one round. */
export interface Candidate {
  name: string
  /** 'events/s', 'ms': what the figures are counted in. */
  unit: string
  run(round: number): Promise<number | CostedFigure>
}

export interface Measured extends Spread {
  name: string
  unit: string
  figures: number[]
  /** Medians by part, where processor time was measured. */
  processor?: ProcessorTime
}

export type Bar = { atLeast: number } | { atMost: number }

/** One path beside its limit, or beside a fixed bound, and what is asked of it, if anything. */
export interface Verdict {
  /** Its row in the table of bars. */
  row: number | string
  path: string
  figure: { median: number; unit: string; processor?: ProcessorTime }
  limit?: { name: string; median: number; unit: string; processor?: ProcessorTime }
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
  return quick ? { warmups: 1, rounds: 3 } : { warmups: 2, rounds: 7 }
}

/**
 * Runs the candidates in turn, so that other load of the machine affects all of them. Discards the
 * figures of the warm-up rounds. With a clock, candidates that count per second get the processor
 * time of one of what they count.
 */
export async function interleave(
  candidates: readonly Candidate[],
  { warmups, rounds }: Rounds,
  clock?: ProcessorClock,
): Promise<Measured[]> {
  const results = candidates.map((): CostedFigure[] => [])
  for (let round = 0; round < warmups + rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      const result = await runOnce(candidate, round, clock)
      if (round >= warmups) results[index]?.push(result)
    }
  }
  return candidates.map(({ name, unit }, index) => {
    const own = results[index] ?? []
    const figures = own.map(({ figure }) => figure)
    return measuredAs(name, unit, figures, mediansOf(own.map(({ processor }) => processor)))
  })
}

async function runOnce(
  candidate: Candidate,
  round: number,
  clock: ProcessorClock | undefined,
): Promise<CostedFigure> {
  const isRate = clock !== undefined && candidate.unit.endsWith('/s')
  const before = isRate ? await clock.read() : {}
  const startedAt = performance.now()
  const result = await candidate.run(round)
  if (typeof result !== 'number') return result
  const count = result * ((performance.now() - startedAt) / 1_000)
  const processor = isRate ? timePerRequest(before, await clock.read(), count) : {}
  return { figure: result, processor }
}

/** Of each part the median. */
export function mediansOf(times: readonly ProcessorTime[]): ProcessorTime {
  const parts = [...new Set(times.flatMap(time => Object.keys(time)))]
  const medians = parts.map((part): [string, number] => {
    return [part, spreadOf(times.map(time => time[part] ?? 0)).median]
  })
  return Object.fromEntries(medians.filter(([, us]) => us >= 1))
}

/** Figures that were taken one by one. */
export function measuredAs(
  name: string,
  unit: string,
  figures: number[],
  processor: ProcessorTime = {},
): Measured {
  const costs = Object.keys(processor).length > 0 && { processor }
  return { name, unit, figures, ...spreadOf(figures), ...costs }
}

export interface Judging {
  row: number | string
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
    figure: summaryOf(own),
    ...(limit && { limit: { name: limit.name, ...summaryOf(limit) } }),
    judged,
    ...(bar && { bar, met: meets(judged.median, bar) }),
  }
}

function summaryOf({ median, unit, processor }: Measured) {
  return { median, unit, ...(processor && { processor }) }
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
