// What the read models and the queues have of one person: for exports, and before an erasure.
import { type Kysely, sql } from 'kysely'
import { disputeStages } from '../../domain/order/orderEvents.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>

/** The orders of somebody that may still owe goods or money, or are disputed. */
export async function unfinishedOrders(db: Db, customerId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select o.order_id as id
    from orders o
    left join order_processes p on p.order_id = o.order_id
    where o.customer_id = ${customerId} and (
      o.status in ('submitted', 'pending', 'paid')
      or p.submitted or p.paying or p.refund_due or p.settling or p.open_money <> '{}'
      or exists (
        select from disputes d
        where d.order_id = o.order_id and d.state = any(${[...disputeStages]})
      )
    )
  `.execute(db)
  return rows.map(({ id }) => id)
}

/** Which orders and carts are somebody's, archived ones included. */
export async function streamsOf(db: Db, customerId: string) {
  const { rows } = await sql<{ kind: 'order' | 'cart'; id: string }>`
    select 'order' as kind, order_id as id from orders where customer_id = ${customerId}
    union all
    select 'cart', cart_id from carts where customer_id = ${customerId}
    order by kind, id
  `.execute(db)
  const ids = (wanted: string) => rows.flatMap(({ kind, id }) => (kind === wanted ? [id] : []))
  return { orders: ids('order'), carts: ids('cart') }
}

/** The mails that were written to somebody, or wait to be. */
export async function mailsTo(db: Db, customerId: string) {
  const { rows } = await sql<{
    template: string
    orderId: string | null
    state: string
    queuedAt: Date
    sentAt: Date | null
  }>`
    select m.template, m.order_id as "orderId", m.state, m.queued_at as "queuedAt",
      m.sent_at as "sentAt"
    from shop.mails m
    where m.customer_id = ${customerId}
      or m.order_id in (select o.order_id from orders o where o.customer_id = ${customerId})
    order by m.queued_at, m.mail_id
  `.execute(db)
  return rows
}
