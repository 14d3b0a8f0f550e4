// Reports for people, and for whoever compares them later.
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Bar, Report, Verdict } from './harness.ts'
import type { ProcessorTime } from './processorTime.ts'
import type { Spread } from './statistics.ts'

/** A report as text for a terminal: what was measured, then how it stands to the bars. */
export function reportTable({ name, measured, verdicts, notes }: Report): string {
  const rows = measured.map(({ name: what, unit, figures, processor, ...spread }) => [
    what,
    ...cells(spread, figure => `${rounded(figure)} ${unit}`),
    processorCell(processor),
  ])
  return [
    aligned([[name, 'median', 'lowest', 'highest', 'processor time each'], ...rows]),
    verdictTable(verdicts),
    notes.map(note => `  ${note}`).join('\n'),
  ].join('\n\n')
}

/** Paths beside their limits. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const titles = ['path', 'figure', 'limit', 'ratio', 'bar', 'met?', 'spread', 'processor time']
  return aligned([['#', ...titles], ...verdicts.map(verdictCells)])
}

/** The same as a table for a document. */
export function verdictMarkdown(verdicts: readonly Verdict[]): string {
  const own = ['Ratio', 'Bar', 'Met', 'Spread', 'Processor time']
  const titles = ['#', 'Path', 'Figure', 'Limit', ...own]
  const rows = [titles, titles.map(() => '---'), ...verdicts.map(verdictCells)]
  return rows.map(row => `| ${row.join(' | ')} |`).join('\n')
}

function verdictCells({ row, path, figure, limit, judged, bar, met }: Verdict): string[] {
  const isRatio = limit !== undefined
  const print = (value: number) => (isRatio ? value.toFixed(2) : rounded(value))
  return [
    `${row}`,
    path,
    `${rounded(figure.median)} ${figure.unit}`,
    isRatio ? `${rounded(limit.median)} ${limit.unit}: ${limit.name}` : '–',
    isRatio ? print(judged.median) : '–',
    bar === undefined ? '–' : asked(bar, isRatio ? '' : ` ${figure.unit}`),
    bar === undefined ? '–' : met ? 'met' : 'MISSED',
    `${print(judged.lowest)}–${print(judged.highest)}`,
    processorCell(figure.processor),
  ]
}

/** Microseconds by part, and their sum. */
function processorCell(processor: ProcessorTime | undefined): string {
  const parts = Object.entries(processor ?? {})
  if (parts.length === 0) return '–'
  const sum = parts.reduce((total, [, us]) => total + us, 0)
  const each = parts.map(([part, us]) => `${part} ${rounded(us)}`)
  return `${rounded(sum)} µs: ${each.join(', ')}`
}

function asked(bar: Bar, unit: string): string {
  return 'atLeast' in bar ? `>= ${bar.atLeast}${unit}` : `<= ${bar.atMost}${unit}`
}

function cells(spread: Spread, print: (figure: number) => string): string[] {
  return [spread.median, spread.lowest, spread.highest].map(print)
}

function rounded(figure: number): string {
  if (figure === 0) return '0'
  if (Math.abs(figure) < 100) return figure.toPrecision(3)
  return Math.round(figure).toLocaleString('en-GB')
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number) => cell.padEnd(widths[column] ?? 0)
  return rows.map(row => `  ${row.map(pad).join('  ')}`.trimEnd()).join('\n')
}

const resultsFolder = join(import.meta.dirname, 'results')

/** Writes a result with its date and its machine to bench/results/ and gives the path. */
export async function save(
  name: string,
  result: object,
  settings: Record<string, unknown>,
): Promise<string> {
  await mkdir(resultsFolder, { recursive: true })
  const at = new Date().toISOString()
  const file = join(resultsFolder, `${at.slice(0, 19).replaceAll(':', '')}-${name}.json`)
  const whole = { at, machine: thisMachine(), ...settings, ...result }
  await writeFile(file, `${JSON.stringify(whole, undefined, 2)}\n`)
  return file
}

/** What figures depend on and no setting says. */
export function thisMachine() {
  const processors = cpus()
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  }
}
