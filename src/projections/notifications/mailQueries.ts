// What staff see of mails: which are sent, which wait, and which could not be delivered.
import { type Kysely, type Selectable, sql } from 'kysely'
import { newestFirst, type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'
import { ordersOfRows } from '../order/rowOrders.ts'

type Db = Kysely<Tables>
type MailRecord = Selectable<Tables['shop.mails']>

export type MailState = MailRecord['state']

const byAge = { ...newestFirst, key: sql`queued_at`, id: sql`mail_id` }

/** A part of the mails, the newest first. */
export async function listMails(
  db: Db,
  { state, part }: { state: MailState | undefined; part: PageRequest },
) {
  let query = db.selectFrom('shop.mails').selectAll()
  if (state !== undefined) query = query.where('state', '=', state)
  const { rows, next, total } = await readPage(db, query, byAge, part)
  return { data: await mailsOf(db, rows), next, total }
}

/** One of them. */
export async function findMail(db: Db, mailId: string) {
  const rows = await db.selectFrom('shop.mails').selectAll().where('mail_id', '=', mailId).execute()
  return (await mailsOf(db, rows))[0]
}

/** How many mails are not sent, by state. */
export async function countOpenMails(db: Db): Promise<{ state: MailState; mails: number }[]> {
  const count = (state: MailState) => sql`
    select ${state}::text as state, count(*)::integer as mails
    from shop.mails
    where state = ${state}
  `
  const { rows } = await sql<{ state: MailState; mails: number }>`
    ${count('due')} union all ${count('retrying')} union all ${count('undeliverable')}
  `.execute(db)
  return rows
}

/** With the numbers of their orders, by which people know them. */
async function mailsOf(db: Db, rows: readonly MailRecord[]) {
  const orders = await ordersOfRows(db, rows)
  return rows.map(row => {
    const order = orders.get(row.order_id ?? '')
    const isOpen = row.state === 'due' || row.state === 'retrying'
    return {
      id: row.mail_id,
      template: row.template,
      state: row.state,
      orderId: row.order_id,
      orderNumber: order?.order_number ?? null,
      customerId: order?.customer_id ?? row.customer_id,
      attempts: row.attempts,
      lastError: row.last_error,
      queuedAt: row.queued_at.toISOString(),
      nextAttemptAt: isOpen ? row.due_at.toISOString() : null,
      sentAt: row.sent_at?.toISOString() ?? null,
    }
  })
}
