// Rows outside of the log that the auditor compares with it: mails, webhooks, read models.
import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import { catalogue } from '../../projections/catalogue/catalogue.ts'
import { positionOf } from '../../projections/core/checkpoints.ts'
import type { Tables } from '../../projections/core/tables.ts'
import { ordersProjection } from '../../projections/order/orders.ts'

type Db = Kysely<Tables>

export interface ObservationRows {
  mail: { event_id: string; template: string; order_id: string | null; is_waiting: boolean }
  webhook: { event_id: string; endpoint_id: string; is_waiting: boolean }
  order: { order_id: string; status: string }
  stock: { product_id: string; on_hand: string; reserved: string }
}

export type Kind = keyof ObservationRows
export type Row = { [Each in Kind]: [kind: Each, row: ObservationRows[Each]] }[Kind]

const pageSize = 10_000
const first = '00000000-0000-0000-0000-000000000000'

/** Mails about orders; `isWaiting` are those that have been due since then. */
export async function* mailRows(db: Db, cutoff: Date): AsyncGenerator<Row> {
  let after = { event_id: first, template: '' }
  for (;;) {
    const { rows } = await sql<ObservationRows['mail']>`
      select event_id, template, order_id, ${isMailPending(cutoff)} as is_waiting
      from shop.mails
      where not account and (event_id, template) > (${after.event_id}, ${after.template})
      order by event_id, template
      limit ${pageSize}
    `.execute(db)
    for (const row of rows) yield ['mail', row]
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = last
  }
}

/** Failed mails are listed elsewhere: they wait for another attempt, or for the staff. */
const isMailPending = (cutoff: Date) => sql`
  coalesce(sent_at is null
    and state not in ('retrying', 'undeliverable', 'dropped')
    and not (state = 'due' and due_at >= ${cutoff}), true)
`

/** Deliveries to endpoints; one that has failed is due later, or dead. */
export async function* webhookRows(db: Db, cutoff: Date): AsyncGenerator<Row> {
  let after = { delivery_id: first }
  for (;;) {
    const { rows } = await sql<ObservationRows['webhook'] & typeof after>`
      select d.delivery_id, d.event_id, d.endpoint_id, ${isWebhookPending(cutoff)} as is_waiting
      from shop.webhook_deliveries d join shop.webhook_endpoints e using (endpoint_id)
      where d.delivery_id > ${after.delivery_id}
      order by d.delivery_id
      limit ${pageSize}
    `.execute(db)
    for (const { delivery_id: _, ...row } of rows) yield ['webhook', row]
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = last
  }
}

const isWebhookPending = (cutoff: Date) => sql`
  (d.status = 'pending' and d.due_at < ${cutoff} and e.disabled_at is null)
`

/** What read models show, each as of the position that it gives. */
export async function shownRows(db: Db, take: (row: Row) => Promise<void>) {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async trx => {
      await sql`set local statement_timeout = 0`.execute(trx)
      for await (const row of orderRows(trx)) await take(row)
      for await (const row of stockRows(trx)) await take(row)
      return {
        orders: await positionOf(trx, ordersProjection.name),
        stock: await positionOf(trx, catalogue.name),
      }
    })
}

async function* orderRows(db: Db): AsyncGenerator<Row> {
  let after = first
  for (;;) {
    const { rows } = await sql<ObservationRows['order']>`
      select order_id, status from readmodel.orders
      where order_id > ${after} order by order_id limit ${pageSize}
    `.execute(db)
    for (const row of rows) yield ['order', row]
    if (rows.length < pageSize) return
    after = rows.at(-1)?.order_id ?? after
  }
}

async function* stockRows(db: Db): AsyncGenerator<Row> {
  let after = first
  for (;;) {
    const { rows } = await sql<ObservationRows['stock']>`
      select product_id, on_hand::text, reserved::text from readmodel.products
      where product_id > ${after} order by product_id limit ${pageSize}
    `.execute(db)
    for (const row of rows) yield ['stock', row]
    if (rows.length < pageSize) return
    after = rows.at(-1)?.product_id ?? after
  }
}

/** Endpoints that have been enabled since they were created, and their events. */
export async function steadyEndpoints(db: Db) {
  const { rows } = await sql<{ endpoint_id: string; events: string[]; starts_after: Position }>`
    select endpoint_id, events, starts_after from shop.webhook_endpoints
    where disabled_at is null and revision = 0
  `.execute(db)
  return rows
}

/** Of some mails and deliveries those that wait still. */
export async function isPending(
  db: Db,
  cutoff: Date,
  pending: {
    mails: readonly ObservationRows['mail'][]
    webhooks: readonly ObservationRows['webhook'][]
  },
): Promise<ReadonlySet<string>> {
  const { mails, webhooks } = pending
  const { rows } = await sql<{ key: string }>`
    select event_id || ' ' || template as key
    from shop.mails
    join unnest(
      ${mails.map(each => each.event_id)}::uuid[],
      ${mails.map(each => each.template)}::text[]
    ) as named(event_id, template) using (event_id, template)
    where ${isMailPending(cutoff)}
    union all
    select d.event_id || ' ' || d.endpoint_id
    from shop.webhook_deliveries d
    join shop.webhook_endpoints e using (endpoint_id)
    join unnest(
      ${webhooks.map(each => each.event_id)}::uuid[],
      ${webhooks.map(each => each.endpoint_id)}::uuid[]
    ) as named(event_id, endpoint_id)
      on named.event_id = d.event_id and named.endpoint_id = d.endpoint_id
    where ${isWebhookPending(cutoff)}
  `.execute(db)
  return new Set(rows.map(({ key }) => key))
}

/** Changes with all that workers do about mails and webhooks. */
export async function movementOf(db: Db): Promise<string> {
  const { rows } = await sql<{ moved: string }>`
    select concat_ws(' ',
      (select count(sent_at) || ' ' || coalesce(max(sent_at)::text, '') from shop.mails),
      (select count(*) from shop.mails where claimed_until > now()),
      (select count(*) || ' ' || coalesce(max(updated_at)::text, '') || ' ' ||
        coalesce(sum(attempts), 0) from shop.webhook_deliveries),
      (select string_agg(position::text, ' ' order by name) from shop.checkpoints
        where name in ('mailOutbox', 'webhookOutbox'))
    ) as moved
  `.execute(db)
  return rows[0]?.moved ?? ''
}

/** Whether a worker has ever run on this database, and whether one does now. */
export async function workersOf(db: Db): Promise<{ hasRun: boolean; isAtWork: boolean }> {
  const { rows } = await sql<{ has_run: boolean; at_work: boolean }>`
    select coalesce(bool_or(epoch > 0), false) as has_run,
      coalesce(bool_or(leased_until > now()), false) as at_work
    from shop.checkpoints where version is null
  `.execute(db)
  return { hasRun: rows[0]?.has_run ?? false, isAtWork: rows[0]?.at_work ?? false }
}
