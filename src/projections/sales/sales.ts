// Money by line of an order, what went back beside what it was sold as, and totals of both: the
// sales by day, product, category, country and customer.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { ReadEvent } from '../core/events.ts'
import { insertOf, upsertOf } from '../core/keyedTable.ts'
import { defineProjection } from '../core/projection.ts'
import { type ReadModel, typesIn } from '../core/readModel.ts'
import { nullable, type RowOf, type SelectedOf, text, uuid } from '../core/table.ts'
import type { Tables } from '../core/tables.ts'
import { documentOf, evolve, linesOf, saleHandlers } from './saleDocuments.ts'
import { type SaleRow, saleLines } from './saleLines.ts'
import { type SaleChange, saleTotals, totalsOf } from './saleTotals.ts'

const saleCategories = {
  name: 'sale_categories',
  key: 'product_id',
  columns: { product_id: uuid, category_id: nullable(uuid) },
} as const
type ProductCategory = RowOf<typeof saleCategories>

const saleNames = { name: 'sale_names', columns: { sku: text, name: text } } as const

declare module '../core/tables.ts' {
  interface Tables {
    sale_categories: SelectedOf<typeof saleCategories>
    sale_names: SelectedOf<typeof saleNames>
  }
}

const model: ReadModel = {
  tables: [saleLines, saleCategories, saleNames, saleTotals],
  on: [...typesIn(saleHandlers), 'ProductCreated', 'ProductDetailsChanged'],
  async plan(events, db) {
    const { changes, categories } = await changesOf(events, db)
    const fresh = changes.flatMap(({ before, after }) => after.slice(before.length))
    const writes = [
      ...upsertOf(saleCategories, categories),
      ...naming(db, fresh),
      ...insertOf(saleLines, fresh),
      ...moving(db, changes),
      ...totalsOf(changes),
    ]
    return { writes }
  },
}

export const sales = defineProjection({ name: 'sales', version: 5, models: [model] })

/**
 * What a batch makes of documents, one event after the other. What is sold counts for the category
 * that a product has at that place of the log.
 */
async function changesOf(events: readonly ReadEvent[], db: Kysely<Tables>) {
  const before = await linesOf(db, [...new Set(events.flatMap(each => documentOf(each) ?? []))])
  const categories = await categoriesOf(db, events)
  const changed = new Map<string, ProductCategory>()
  const categoryOf = (id: string | null) => categories.get(id ?? '') ?? null
  const after = new Map(before)
  for (const event of events) {
    if (event.type === 'ProductCreated' || event.type === 'ProductDetailsChanged') {
      const { productId, categoryId } = event.data
      categories.set(productId, categoryId)
      changed.set(productId, { product_id: productId, category_id: categoryId })
    }
    const id = documentOf(event)
    if (id !== undefined) after.set(id, evolve(after.get(id) ?? [], event, categoryOf))
  }
  const changes = [...after].map(([id, lines]) => ({ before: before.get(id) ?? [], after: lines }))
  return { changes, categories: [...changed.values()] }
}

async function categoriesOf(db: Kysely<Tables>, events: readonly ReadEvent[]) {
  const productIds = new Set<string>()
  for (const { type, data } of events) {
    if (type !== 'OrderSubmitted' && type !== 'CreditNoteIssued') continue
    for (const { productId } of data.lines) if (productId !== null) productIds.add(productId)
  }
  if (productIds.size === 0) return new Map<string, string | null>()
  const { rows } = await sql<ProductCategory>`
    select product_id, category_id
    from sale_categories
    where product_id = any(${[...productIds]}::uuid[])
  `.execute(db)
  return new Map(rows.map(row => [row.product_id, row.category_id]))
}

/** Remembers what goods were called last; names that have not changed are not written. */
function naming(db: Kysely<Tables>, fresh: readonly SaleRow[]): CompiledQuery[] {
  // What goes back has the names of what was sold.
  const named = fresh.filter(({ kind }) => kind === 'sale' || kind === 'credit')
  const names = new Map(named.map(({ sku, name }) => [sku, name]))
  if (names.size === 0) return []
  const upsert = sql`
    insert into sale_names as n (sku, name)
    select sku, name
    from unnest(${[...names.keys()]}::text[], ${[...names.values()]}::text[]) as given(sku, name)
    on conflict (sku) do update set name = excluded.name where n.name <> excluded.name
  `
  return [upsert.compile(db)]
}

/** Moves lines that are there to when they were sold, or out of the sales. */
function moving(db: Kysely<Tables>, changes: readonly SaleChange[]): CompiledQuery[] {
  const moved = changes.flatMap(({ before, after }) =>
    after.slice(0, before.length).filter((line, index) => line.sold_at !== before[index]?.sold_at),
  )
  if (moved.length === 0) return []
  const rows = moved.map(({ document_id, line, sold_at }) => ({ document_id, line, sold_at }))
  const documentIds = [...new Set(moved.map(({ document_id }) => document_id))]
  const update = sql`
    update sale_lines s
    set sold_at = r.sold_at
    from json_to_recordset(${JSON.stringify(rows)}::json)
      as r(document_id uuid, line integer, sold_at timestamptz)
    where s.document_id = r.document_id and s.line = r.line
      and s.document_id = any(${documentIds}::uuid[])
  `
  return [update.compile(db)]
}
