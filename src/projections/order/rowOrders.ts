// The orders that rows of other tables are about, with what people know them by.
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../core/tables.ts'

/** The number and the customer of each order that one of the rows names, by its id. */
export async function ordersOfRows(
  db: Kysely<Tables>,
  rows: readonly { order_id: string | null }[],
) {
  const orderIds = rows.flatMap(({ order_id }) => order_id ?? [])
  const orders =
    orderIds.length === 0
      ? []
      : await db
          .selectFrom('orders')
          .select(['order_id', 'order_number', 'customer_id'])
          .where(sql<boolean>`order_id = any(${orderIds}::uuid[])`)
          .execute()
  return new Map(orders.map(order => [order.order_id, order]))
}
