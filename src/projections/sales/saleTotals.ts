// Sales summed by dimension and period, kept up with every change to their lines.
import { CompiledQuery } from 'kysely'
import Type from 'typebox'
import { recordset } from '../core/keyedTable.ts'
import { bigint, namesOf, type RowOf, type SelectedOf, text, textOf, time } from '../core/table.ts'
import type { SaleRow } from './saleLines.ts'
import { periodOf, type ReportDimension, reportDimensions } from './salePeriods.ts'

/** The lines of a document before and after a batch. */
export interface SaleChange {
  before: readonly SaleRow[]
  after: readonly SaleRow[]
}

export const saleTotals = {
  name: 'sale_totals',
  columns: {
    dimension: textOf(Type.Enum([...reportDimensions])),
    key: text,
    currency: text,
    starts_at: time,
    lines: bigint,
    orders: bigint,
    quantity: bigint,
    gross_minor: bigint,
    returned_minor: bigint,
  },
} as const
/** What a batch adds to a total. */
type TotalRow = RowOf<typeof saleTotals>

declare module '../core/tables.ts' {
  interface Tables {
    sale_totals: SelectedOf<typeof saleTotals>
  }
}

/** The statements that add what has changed to the totals; a total of no lines is removed. */
export function totalsOf(changes: readonly SaleChange[]): CompiledQuery[] {
  const totals = new Totals()
  for (const { before, after } of changes) {
    totals.add(before, -1)
    totals.add(after, 1)
  }
  const rows = totals.changed()
  if (rows.length === 0) return []
  const json = JSON.stringify(rows)
  const adding = CompiledQuery.raw(addText, [json])
  const isLess = rows.some(({ lines }) => lines < 0)
  return isLess ? [adding, CompiledQuery.raw(removeText, [json])] : [adding]
}

/** Those of one dimension, period and currency, by their keys. */
interface Group extends Pick<TotalRow, 'dimension' | 'starts_at' | 'currency'> {
  rows: Map<string, TotalRow>
}

/** What changes in totals. */
class Totals {
  readonly #groups = new Map<string, Group>()

  changed(): TotalRow[] {
    const all = [...this.#groups.values()].flatMap(({ rows }) => [...rows.values()])
    return all.filter(
      ({ lines, orders, quantity, gross_minor, returned_minor }) =>
        lines !== 0 || orders !== 0 || quantity !== 0 || gross_minor !== 0 || returned_minor !== 0,
    )
  }

  /** Adds or takes off the lines of one document: in each total it is one order. */
  add(lines: readonly SaleRow[], sign: 1 | -1): void {
    const ordered = new Set<TotalRow>()
    let last: Pick<SaleRow, 'sold_at' | 'currency'> | undefined
    let groups: readonly Group[] = []
    for (const line of lines) {
      const { sold_at, currency } = line
      if (sold_at === null) continue
      if (sold_at !== last?.sold_at || currency !== last.currency) {
        groups = this.#groupsAt(Date.parse(sold_at), currency)
        last = line
      }
      for (const group of groups) {
        const total = totalIn(group, line)
        total.lines += sign
        total.quantity += sign * line.quantity
        if (line.kind === 'sale') {
          total.gross_minor += sign * line.amount_minor
          ordered.add(total)
        } else total.returned_minor -= sign * line.amount_minor
      }
    }
    for (const total of ordered) total.orders += sign
  }

  /** Of each dimension the one for this moment. */
  #groupsAt(at: number, currency: string): Group[] {
    return reportDimensions.map(dimension => {
      const start = periodOf(dimension, at)
      const place = `${dimension} ${start} ${currency}`
      const known = this.#groups.get(place)
      if (known !== undefined) return known
      const starts_at = new Date(start).toISOString()
      const group = { dimension, starts_at, currency, rows: new Map<string, TotalRow>() }
      this.#groups.set(place, group)
      return group
    })
  }
}

function totalIn({ dimension, starts_at, currency, rows }: Group, line: SaleRow): TotalRow {
  const key = keyOf(dimension, line)
  const known = rows.get(key)
  if (known !== undefined) return known
  const nothing = { lines: 0, orders: 0, quantity: 0, gross_minor: 0, returned_minor: 0 }
  const total = { dimension, key, currency, starts_at, ...nothing }
  rows.set(key, total)
  return total
}

function keyOf(dimension: ReportDimension, line: SaleRow): string {
  switch (dimension) {
    case 'day':
      return ''
    case 'product':
      return line.sku
    case 'category':
      return line.category_id ?? ''
    case 'country':
      return line.country ?? ''
    case 'customer':
      return line.customer_id
  }
}

const sums = ['lines', 'orders', 'quantity', 'gross_minor', 'returned_minor'] as const
const names = namesOf(saleTotals.columns).join(', ')

const addText = `
  insert into sale_totals as t (${names})
  select ${names}
  from ${recordset(saleTotals)}
  on conflict (dimension, key, currency, starts_at) do update
  set ${sums.map(sum => `${sum} = t.${sum} + excluded.${sum}`).join(', ')}`

const removeText = `
  delete from sale_totals t
  using ${recordset(saleTotals)}
  where r.lines < 0 and t.lines = 0 and t.dimension = r.dimension and t.key = r.key
    and t.currency = r.currency and t.starts_at = r.starts_at`
