// What is said at the end of an import: where the rows are, and whether the money agrees.
import { formatMoney } from '../../../domain/kernel/money.ts'
import { ledgerCurrency } from './ledgerEntry.ts'
import { rowOutcomes } from './ledgerPlan.ts'
import type { Comparison, Difference, Reconciliation } from './reconcile.ts'
import type { RowCounts } from './rowOutcomes.ts'

export interface ImportReport {
  file: string
  documents: { imported: number; before: number }
  events: number
  seconds: number
  rows: {
    read: number
    ends: { end: string; rows: number }[]
    refusals: RowCounts['refusals']
  }
  money: Reconciliation
  agrees: boolean
}

/** Puts a report together; it agrees when every row has an end and no group of money differs. */
export function createReport(
  on: Pick<ImportReport, 'file' | 'documents' | 'events' | 'seconds' | 'money'> & {
    counts: RowCounts
  },
): ImportReport {
  const { counts, ...rest } = on
  const ends = rowOutcomes.map(end => ({ end, rows: counts.byEnd.get(end) ?? 0 }))
  const ended = ends.reduce((sum, { rows }) => sum + rows, 0)
  const agrees =
    ended === counts.read && on.money.comparisons.every(each => each.differences.length === 0)
  const rows = { read: counts.read, ends, refusals: counts.refusals }
  return { ...rest, rows, agrees }
}

const shown = 10

/** The report as a table for the terminal. */
export function formatReport(report: ImportReport): string {
  const { rows, money } = report
  return [
    'Rows',
    line('read', count(rows.read)),
    ...rows.ends.map(({ end, rows: n }) => line(`  ${end}`, count(n))),
    ...rows.refusals.map(
      ({ reason, rows: n, firstRow }) =>
        `      ${count(n)} × ${reason} (${n === 1 ? '' : 'first: '}row ${firstRow})`,
    ),
    '',
    columns('Revenue', 'groups', 'file', 'projections', 'differences'),
    ...money.comparisons.flatMap(comparisonLines),
    line('refused rows', pounds(money.refusedMinor)),
    '',
    report.agrees
      ? 'Every row has an end, and every total agrees to the penny.'
      : 'The read models do NOT agree with the file.',
  ].join('\n')
}

function comparisonLines({ dimension, groups, file, projections, differences }: Comparison) {
  const found = differences.length === 0 ? 'none' : count(differences.length)
  const amounts = [pounds(file), pounds(projections)]
  return [
    columns(`  by ${dimension}`, count(groups), ...amounts, found),
    ...differences.slice(0, shown).map(differenceLine),
  ]
}

function differenceLine({ group, file, projections }: Difference): string {
  return `    ${group || '(walk-in)'}: file ${pounds(file)}, projections ${pounds(projections)}`
}

function columns(name: string, groups: string, ...rest: readonly string[]): string {
  const [file = '', projections = '', differences = ''] = rest
  return `${name.padEnd(14)}${right(groups, 8)}${right(file)}${right(projections)}  ${differences}`
}

function line(label: string, value: string): string {
  return `${label.padEnd(28)}${right(value)}`
}

function right(text: string, width = 20): string {
  return text.padStart(width)
}

function count(value: number): string {
  return value.toLocaleString('en-GB')
}

function pounds(amount: number): string {
  return formatMoney({ amount, currency: ledgerCurrency })
}
