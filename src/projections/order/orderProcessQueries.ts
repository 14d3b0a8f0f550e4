// Questions to the orders whose process has something left to do.
import { type Kysely, sql } from 'kysely'
import { newestFirst, type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'

/** A part of the orders with money on its way back, the newest first. */
export async function listOpenMoney(db: Kysely<Tables>, part: PageRequest) {
  const query = db
    .selectFrom('order_processes')
    .select(['order_id', 'since'])
    .where(sql<boolean>`open_money <> '{}'`)
  const sorting = { ...newestFirst, key: sql`since`, id: sql`order_id` }
  const { rows, next, total } = await readPage(db, query, sorting, part)
  const found = rows.map(row => ({ orderId: row.order_id, since: row.since.toISOString() }))
  return { rows: found, next, total }
}
