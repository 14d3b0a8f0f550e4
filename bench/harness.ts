// What benchmarks share: rounds that take turns, medians with spread, a table, a JSON file.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

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

export interface Spread {
  median: number
  lowest: number
  highest: number
}

export interface Measured extends Spread {
  name: string
  unit: string
  figures: number[]
}

export type Bar = { atLeast: number } | { atMost: number }

/** How one candidate stands to another in the same rounds, and what is asked of it, if anything. */
export interface Ratio extends Spread {
  name: string
  bar?: Bar
  met?: boolean
}

export interface Report {
  name: string
  measured: Measured[]
  ratios: Ratio[]
  notes: string[]
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
  return candidates.map(({ name, unit }, index) => {
    const own = figures[index] ?? []
    return { name, unit, figures: own, ...spreadOf(own) }
  })
}

export interface Comparison {
  name: string
  of: string
  to: string
  bar?: Bar
}

/** The ratio of a candidate to a limit, round by round, judged by its median. */
export function compare(measured: readonly Measured[], comparison: Comparison): Ratio {
  const { name, of, to, bar } = comparison
  const limits = find(measured, to).figures
  const ratios = find(measured, of).figures.map((figure, round) => figure / (limits[round] ?? 0))
  const spread = spreadOf(ratios)
  if (bar === undefined) return { name, ...spread }
  const met = 'atLeast' in bar ? spread.median >= bar.atLeast : spread.median <= bar.atMost
  return { name, ...spread, bar, met }
}

function find(measured: readonly Measured[], name: string): Measured {
  const found = measured.find(each => each.name === name)
  if (found === undefined) throw new Error(`nothing was measured as ${name}`)
  return found
}

function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b)
  return { median: percentile(sorted, 50), lowest: sorted[0] ?? 0, highest: sorted.at(-1) ?? 0 }
}

/** The value below which so many per cent of sorted values lie; between two it is their middle. */
export function percentile(sorted: readonly number[], percent: number): number {
  const place = ((sorted.length - 1) * percent) / 100
  const low = sorted[Math.floor(place)] ?? 0
  return low + ((sorted[Math.ceil(place)] ?? 0) - low) * (place % 1)
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

/** The median duration of `count` calls one after the other, in milliseconds. */
export async function medianMs(count: number, work: () => Promise<unknown>): Promise<number> {
  const durations: number[] = []
  for (let call = 0; call < count; call += 1) {
    const startedAt = performance.now()
    await work()
    durations.push(performance.now() - startedAt)
  }
  return spreadOf(durations).median
}

/** A report as text for a terminal. */
export function table({ name, measured, ratios, notes }: Report): string {
  const rows = measured.map(({ name: what, unit, figures, ...spread }) => [
    what,
    ...cells(spread, figure => `${rounded(figure)} ${unit}`),
  ])
  const judged = ratios.map(({ name: what, bar, met, ...spread }) => [
    what,
    ...cells(spread, ratio => ratio.toFixed(2)),
    bar === undefined ? '' : `${asked(bar)} ${met ? 'met' : 'missed'}`,
  ])
  return [
    aligned([[name, 'median', 'lowest', 'highest'], ...rows]),
    aligned([['ratio in the same round', 'median', 'lowest', 'highest', 'bar'], ...judged]),
    notes.map(note => `  ${note}`).join('\n'),
  ].join('\n\n')
}

function asked(bar: Bar): string {
  return 'atLeast' in bar ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`
}

function cells(spread: Spread, print: (figure: number) => string): string[] {
  return [spread.median, spread.lowest, spread.highest].map(print)
}

function rounded(figure: number): string {
  if (figure < 100) return figure.toPrecision(3)
  return Math.round(figure).toLocaleString('en-GB')
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map(row => `  ${row.map(pad).join('  ')}`).join('\n')
}

/** Writes a report with its date and its machine to bench/results/ and gives the path. */
export async function save(report: Report, machine: Record<string, unknown>): Promise<string> {
  const folder = join(import.meta.dirname, 'results')
  await mkdir(folder, { recursive: true })
  const at = new Date().toISOString()
  const file = join(folder, `${at.slice(0, 19).replaceAll(':', '')}-${report.name}.json`)
  const whole = { at, machine: { ...thisMachine(), ...machine }, ...report }
  await writeFile(file, `${JSON.stringify(whole, undefined, 2)}\n`)
  return file
}

function thisMachine() {
  const processors = cpus()
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  }
}
