// Questions to the orders and carts.

import { type Kysely, type Selectable, sql } from 'kysely'
import { isSameMoney, sum, times } from '../../domain/kernel/money.ts'
import { erasedText } from '../../domain/kernel/types.ts'
import type { OrderStatus } from '../../domain/order/orderStates.ts'
import type { Position } from '../../kit/position.ts'
import { offersOf } from '../catalogue/catalogueQueries.ts'
import { newestFirst, type PageRequest, readPage } from '../core/keyset.ts'
import { executePrepared } from '../core/pipeline.ts'
import type { Tables } from '../core/tables.ts'
import { orderDetail, orderSummary } from './orderViews.ts'

type Db = Kysely<Tables>
type OrderRecord = Selectable<Tables['orders']>

export interface OrderFilter {
  customerId?: string | undefined
  status?: OrderStatus | undefined
  from?: string | undefined
  to?: string | undefined
  /** Part of its number, an SKU, its address, a phone or tracking number. */
  search?: string | undefined
  /** Whether customers are found by their names and addresses, too. */
  byCustomer?: boolean | undefined
}

/** A part of the orders, the newest first. */
export async function listOrders(db: Db, filter: OrderFilter, part: PageRequest) {
  const { customerId, status, from, to, search, byCustomer } = filter
  let query = db.selectFrom('orders').selectAll()
  if (search !== undefined) query = query.where(await found(db, search, byCustomer === true))
  if (customerId !== undefined) query = query.where('customer_id', '=', customerId)
  query = query.where('archived', '=', false)
  if (status !== undefined) query = query.where(isInStatus(status))
  if (from !== undefined) query = query.where('placed_at', '>=', new Date(from))
  if (to !== undefined) query = query.where('placed_at', '<', new Date(to))
  const sorting = { ...newestFirst, key: sql`placed_at`, id: sql`order_id` }
  const { rows, next, total } = await readPage(db, query, sorting, part)
  return { data: rows.map(row => orderSummary.of(row)), next, total }
}

const customersMax = 200

/**
 * The condition that a search stands for. Customers are looked up first: with a join the database
 * would not use the indexes of the orders.
 */
async function found(db: Db, search: string, byCustomer: boolean) {
  const { rows: patterns } = await sql<{ pattern: string }>`
    select public.search_patterns(${search}) as pattern
  `.execute(db)
  const own = patterns.map(({ pattern }) => sql<boolean>`words like ${pattern}`)
  if (own.length === 0) return sql<boolean>`false`
  const named = sql.join(own, sql` or `)
  if (!byCustomer) return sql<boolean>`(${named})`
  const { rows } = await sql<{ id: string }>`
    select customer_id as id from customers where ${named} limit ${customersMax}
  `.execute(db)
  const ids = rows.map(({ id }) => id)
  return sql<boolean>`(${named} or customer_id = any(${ids}::uuid[]))`
}

/** Who an order is for, as the staff sees it. */
export interface OrderPeople {
  customerName: string | null
  customerEmail: string | null
  recipient: string | null
}

/** The people of some orders, by the id of the order, in one question. */
export async function peopleOf(
  db: Db,
  orderIds: readonly string[],
): Promise<ReadonlyMap<string, OrderPeople>> {
  if (orderIds.length === 0) return new Map()
  const { rows } = await sql<OrderPeople & { id: string }>`
    select o.order_id as id,
      case when c.erased then ${erasedText} else coalesce(
        nullif(concat_ws(' ', c.profile ->> 'firstName', c.profile ->> 'lastName'), ''), c.username
      ) end as "customerName",
      c.profile ->> 'email' as "customerEmail",
      nullif(btrim(split_part(split_part(left(o.delivery ->> 'shippingAddress', 200), chr(10), 1),
        ',', 1)), '') as recipient
    from orders o
    left join customers c on c.customer_id = o.customer_id
    where o.order_id = any(${orderIds}::uuid[])
  `.execute(db)
  return new Map(rows.map(({ id, ...people }) => [id, people]))
}

function isInStatus(status: OrderStatus) {
  if (status === 'pending') {
    return sql<boolean>`status = 'pending' and (expires_at is null or expires_at > now())`
  }
  if (status === 'expired') {
    return sql<boolean>`(status = 'expired' or status = 'pending' and expires_at <= now())`
  }
  return sql<boolean>`status = ${status}`
}

/** One order in full, with its revision. */
export async function findOrder(db: Db, orderId: string) {
  // Asked more often than anything else: not put together anew each time.
  const { rows } = await executePrepared(
    db,
    sql<OrderRecord>`
    select * from orders where order_id = ${orderId}
  `,
  )
  const [row] = rows
  if (row === undefined) return undefined
  const order = orderDetail.of(row)
  return { revision: Number(row.revision), archived: row.archived, order }
}

/** A cart as its owner sees it: prices as they were put in, and what has changed since. */
export async function findCart(db: Db, cartId: string, currency: string) {
  const row = await db
    .selectFrom('carts')
    .selectAll()
    .where('cart_id', '=', cartId)
    .executeTakeFirst()
  const lines = row?.lines ?? []
  const offers = await offersOf(
    db,
    lines.map(line => line.productId),
  )
  const items = lines.map(line => {
    const offer = offers.get(line.productId)
    return {
      ...line,
      lineTotal: times(line.unitPrice, line.quantity),
      currentPrice: offer?.price ?? line.unitPrice,
      priceChanged: offer !== undefined && !isSameMoney(offer.price, line.unitPrice),
      availability: offer?.availability ?? 'out',
    }
  })
  // Of carts from before a shop was held to one currency, what cannot be ordered does not count.
  const totals = items.map(item => item.lineTotal).filter(each => each.currency === currency)
  const total = sum(totals, currency)
  const itemCount = items.reduce((count, item) => count + item.quantity, 0)
  return { revision: Number(row?.revision ?? -1), cart: { id: cartId, items, itemCount, total } }
}

export interface ProjectionState {
  name: string
  /** None for a reaction. */
  version: number | null
  position: Position
  runner: string | null
  leasedUntil: Date | null
  parked: bigint
}

/** Every checkpoint with what is parked for it. */
export async function projectionStates(db: Db): Promise<ProjectionState[]> {
  const { rows } = await sql<ProjectionState>`
    select c.name, c.version, c.position, c.runner, c.leased_until as "leasedUntil",
      (select count(*) from shop.parked_events p where p.name = c.name) as parked
    from shop.checkpoints c
    order by c.name
  `.execute(db)
  return rows
}
