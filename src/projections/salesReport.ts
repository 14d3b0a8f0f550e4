// Sales for reports: what was sold and what came back, summed by one dimension at a time.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from './tables.ts'

export const reportDimensions = ['day', 'product', 'category', 'country', 'customer'] as const
export type ReportDimension = (typeof reportDimensions)[number]

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
  orders: bigint
  quantity: bigint
  gross: bigint
  returned: bigint
  groups: bigint
}

/** What a line belongs to, and what people call that. */
function dimensionsIn(timeZone: string) {
  return {
    day: { key: sql`(s.sold_at at time zone ${timeZone})::date`, name: sql`null` },
    product: { key: sql`s.sku`, name: sql`t.name` },
    category: {
      key: sql`s.category_id`,
      name: sql`(select c.name from categories c where c.category_id = t.key)`,
    },
    country: { key: sql`s.country`, name: sql`null` },
    customer: {
      key: sql`s.customer_id`,
      name: sql`(select c.username from customers c where c.customer_id = t.key)`,
    },
  }
}

/**
 * Days in their order, everything else by what it brought in, the most first. Summed by order
 * first, so that orders are counted without sorting all of their lines.
 */
export async function salesReport(db: Kysely<Tables>, range: ReportRange) {
  const { by, from, to, timeZone, limit } = range
  const { key, name } = dimensionsIn(timeZone)[by]
  const order = by === 'day' ? sql`t.key, t.currency` : sql`net desc, t.key, t.currency`
  const beginning = (day: RawBuilder<unknown>) =>
    sql`((${day})::timestamp at time zone ${timeZone})`
  const { rows } = await sql<Row>`
    with documents as (
      select ${key} as key, s.currency, s.document_id, max(s.name) as name,
        bool_or(s.kind = 'sale') as is_sale, sum(s.quantity) as quantity,
        coalesce(sum(s.amount_minor) filter (where s.kind = 'sale'), 0) as gross,
        coalesce(sum(-s.amount_minor) filter (where s.kind <> 'sale'), 0) as returned
      from sale_lines s
      where s.sold_at is not null
        and s.sold_at >= coalesce(${beginning(sql`${from ?? null}::date`)}, '-infinity')
        and s.sold_at < coalesce(${beginning(sql`${to ?? null}::date + 1`)}, 'infinity')
      group by 1, 2, 3
    ),
    totals as (
      select key, currency, max(name) as name, count(*) filter (where is_sale) as orders,
        sum(quantity)::bigint as quantity, sum(gross)::bigint as gross,
        sum(returned)::bigint as returned, sum(gross - returned)::bigint as net
      from documents
      group by 1, 2
    )
    select t.key::text as key, ${name} as name, t.currency, t.orders, t.quantity, t.gross,
      t.returned, count(*) over () as groups
    from totals t
    order by ${order}
    limit ${limit}
  `.execute(db)
  return { data: rows.map(lineOf), total: Number(rows[0]?.groups ?? 0) }
}

function lineOf({ key, name, currency, orders, quantity, gross, returned }: Row) {
  const money = (amount: bigint) => ({ amount: Number(amount), currency })
  return {
    key,
    name,
    orders: Number(orders),
    quantity: Number(quantity),
    gross: money(gross),
    returned: money(returned),
    net: money(gross - returned),
  }
}
export type ReportLine = ReturnType<typeof lineOf>
