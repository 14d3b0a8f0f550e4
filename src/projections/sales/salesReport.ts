// Sales for reports: what was sold and what came back, summed by one dimension at a time.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from '../core/tables.ts'
import { type Edge, partsOf, type ReportDimension, type Span } from './salePeriods.ts'

export interface ReportRange {
  by: ReportDimension
  /** Days in the time zone, both included. */
  from: string | undefined
  to: string | undefined
  /** An IANA time zone: where days begin. */
  timeZone: string
  /** Null for all lines. */
  limit: number | null
}

interface Row {
  key: string | null
  name: string | null
  currency: string
  orders: number
  quantity: number
  gross: number
  returned: number
  groups: bigint
}

/** The key of a line of `sale_lines`, and of a total; what people call what is found under it. */
function dimensionsIn(timeZone: string) {
  const dayOf = (at: RawBuilder<unknown>) => sql`(${at} at time zone ${timeZone})::date::text`
  const key = sql`t.key`
  return {
    day: { ofLine: dayOf(sql`s.sold_at`), ofTotal: dayOf(sql`t.starts_at`), name: sql`null` },
    product: {
      ofLine: sql`s.sku`,
      ofTotal: key,
      name: sql`(select n.name from sale_names n where n.sku = t.key)`,
    },
    category: {
      ofLine: sql`coalesce(s.category_id::text, '')`,
      ofTotal: key,
      name: sql`(select c.name from categories c where c.category_id = nullif(t.key, '')::uuid)`,
    },
    country: { ofLine: sql`coalesce(s.country, '')`, ofTotal: key, name: sql`null` },
    customer: {
      ofLine: sql`s.customer_id::text`,
      ofTotal: key,
      name: sql`(select c.username from customers c where c.customer_id = t.key::uuid)`,
    },
  }
}

/**
 * Days in their order, everything else by what it brought in, the most first. Whole periods come
 * from totals; the lines of an order that are sold have one moment, so that no order is counted in
 * two periods.
 */
export async function salesReport(db: Kysely<Tables>, range: ReportRange) {
  const { by, timeZone, limit } = range
  const { name } = dimensionsIn(timeZone)[by]
  const { whole, edges } = partsOf(by, await spanOf(db, range))
  const parts = [
    ...(whole === undefined ? [] : [totalsIn(whole, range)]),
    ...edges.map(edge => linesIn(edge, range)),
  ]
  const order = by === 'day' ? sql`t.key, t.currency` : sql`net desc, t.key, t.currency`
  const { rows } = await sql<Row>`
    with parts as (${sql.join(parts, sql` union all `)}),
    totals as (
      -- Whole numbers up to 2^53, which is what an answer can hold, are exact as floats; sums of
      -- bigint are numeric, and take twice as long.
      select key, currency, sum(orders::float8) as orders, sum(quantity::float8) as quantity,
        sum(gross::float8) as gross, sum(returned::float8) as returned,
        sum((gross - returned)::float8) as net
      from parts
      group by key, currency
      having sum(lines::float8) > 0
    )
    select nullif(t.key, '') as key, ${name} as name, t.currency, t.orders, t.quantity, t.gross,
      t.returned, count(*) over () as groups
    from totals t
    order by ${order}
    limit ${limit}
  `.execute(db)
  return { data: rows.map(lineOf), total: Number(rows[0]?.groups ?? 0) }
}

/** When the days of a report begin and end. */
async function spanOf(db: Kysely<Tables>, { from, to, timeZone }: ReportRange): Promise<Span> {
  const open = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
  if (from === undefined && to === undefined) return open
  const beginning = (day: RawBuilder<unknown>) =>
    sql`(extract(epoch from (${day})::timestamp at time zone ${timeZone}) * 1000)::float8`
  const { rows } = await sql<{ from: number | null; to: number | null }>`
    select ${beginning(sql`${from ?? null}::date`)} as "from",
      ${beginning(sql`${to ?? null}::date + 1`)} as "to"
  `.execute(db)
  return { from: rows[0]?.from ?? open.from, to: rows[0]?.to ?? open.to }
}

function totalsIn(span: Span, { by, timeZone }: ReportRange) {
  return sql`
    select ${dimensionsIn(timeZone)[by].ofTotal} as key, t.currency, t.lines, t.orders, t.quantity,
      t.gross_minor as gross, t.returned_minor as returned
    from sale_totals t
    where t.dimension = ${by} and ${isWithin(sql`t.starts_at`, span)}
  `
}

/** Summed by document first, so that orders are counted without sorting all of their lines. */
function linesIn({ sign, ...span }: Edge, { by, timeZone }: ReportRange) {
  const signed = (sum: RawBuilder<unknown>) => sql`(${sign}::integer * ${sum})::bigint`
  return sql`
    select d.key, d.currency, ${signed(sql`d.lines`)} as lines, ${signed(sql`d.orders`)} as orders,
      ${signed(sql`d.quantity`)} as quantity, ${signed(sql`d.gross`)} as gross,
      ${signed(sql`d.returned`)} as returned
    from (
      select ${dimensionsIn(timeZone)[by].ofLine} as key, s.currency, count(*) as lines,
        bool_or(s.kind = 'sale')::integer as orders, sum(s.quantity) as quantity,
        coalesce(sum(s.amount_minor) filter (where s.kind = 'sale'), 0) as gross,
        coalesce(sum(-s.amount_minor) filter (where s.kind <> 'sale'), 0) as returned
      from sale_lines s
      where s.sold_at is not null and ${isWithin(sql`s.sold_at`, span)}
      group by 1, 2, s.document_id
    ) d
  `
}

function isWithin(at: RawBuilder<unknown>, { from, to }: Span) {
  const instant = (ms: number) =>
    Number.isFinite(ms) ? sql`to_timestamp(${ms}::float8 / 1000)` : sql`${`${ms}`}::timestamptz`
  return sql`${at} >= ${instant(from)} and ${at} < ${instant(to)}`
}

function lineOf({ key, name, currency, orders, quantity, gross, returned }: Row) {
  const money = (amount: number) => ({ amount, currency })
  return {
    key,
    name,
    orders,
    quantity,
    gross: money(gross),
    returned: money(returned),
    net: money(gross - returned),
  }
}
export type ReportLine = ReturnType<typeof lineOf>
