// Sales for reports: what was sold and what came back, summed by one dimension at a time.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Tables } from './tables.ts'

export const reportDimensions = ['day', 'product', 'category', 'country'] as const
export type ReportDimension = (typeof reportDimensions)[number]

export interface ReportRange {
  by: ReportDimension
  /** Days in UTC, both included. */
  from: string | undefined
  to: string | undefined
  limit: number
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
const dimensions = {
  day: { key: sql`((s.sold_at at time zone 'UTC')::date)::text`, name: sql`null` },
  product: { key: sql`s.sku`, name: sql`max(s.name)` },
  category: { key: sql`s.category_id::text`, name: sql`max(c.name)` },
  country: { key: sql`s.country`, name: sql`null` },
}

/** Days in their order, everything else by what it brought in, the most first. */
export async function salesReport(db: Kysely<Tables>, { by, from, to, limit }: ReportRange) {
  const { key, name } = dimensions[by]
  const order = by === 'day' ? sql`1, currency` : sql`sum(s.amount_minor) desc, 1, currency`
  const { rows } = await sql<Row>`
    select ${key} as key, ${name} as name, s.currency,
      count(distinct s.document_id) filter (where s.kind = 'sale') as orders,
      coalesce(sum(s.quantity), 0)::bigint as quantity,
      coalesce(sum(s.amount_minor) filter (where s.kind = 'sale'), 0)::bigint as gross,
      coalesce(sum(-s.amount_minor) filter (where s.kind <> 'sale'), 0)::bigint as returned,
      count(*) over () as groups
    from sale_lines s
    left join categories c on c.category_id = s.category_id
    where s.sold_at is not null
      and s.sold_at >= coalesce(${beginning(sql`${from ?? null}::date`)}, '-infinity')
      and s.sold_at < coalesce(${beginning(sql`${to ?? null}::date + 1`)}, 'infinity')
    group by ${key}, s.currency
    order by ${order}
    limit ${limit}
  `.execute(db)
  return { data: rows.map(lineOf), total: Number(rows[0]?.groups ?? 0) }
}

const beginning = (day: RawBuilder<unknown>) => sql`((${day})::timestamp at time zone 'UTC')`

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
