// What admins see of webhooks that were sent, and of those that were not taken.
import { type Kysely, type Selectable, sql } from 'kysely'
import { newestFirst, type PageRequest, readPage } from '../core/keyset.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>
type DeliveryRecord = Selectable<Tables['shop.webhook_deliveries']>

const byAge = { ...newestFirst, key: sql`created_at`, id: sql`delivery_id` }

/** A part of what was sent to an endpoint, the newest first. */
export async function listDeliveries(
  db: Db,
  endpointId: string,
  { status, part }: { status: DeliveryRecord['status'] | undefined; part: PageRequest },
) {
  let query = db
    .selectFrom('shop.webhook_deliveries')
    .selectAll()
    .where('endpoint_id', '=', endpointId)
  if (status !== undefined) query = query.where('status', '=', status)
  const { rows, next, total } = await readPage(db, query, byAge, part)
  return { data: rows.map(deliveryOf), next, total }
}

/** One of them. */
export async function findDelivery(db: Db, deliveryId: string) {
  const row = await db
    .selectFrom('shop.webhook_deliveries')
    .selectAll()
    .where('delivery_id', '=', deliveryId)
    .executeTakeFirst()
  return row && deliveryOf(row)
}

function deliveryOf(row: DeliveryRecord) {
  const isOpen = row.status === 'pending'
  return {
    id: row.delivery_id,
    eventId: row.event_id,
    type: row.type,
    position: String(row.position),
    status: row.status,
    attempts: row.attempts,
    nextAttemptAt: isOpen ? row.due_at.toISOString() : null,
    lastStatus: row.last_status,
    lastError: row.last_error,
    createdAt: row.created_at.toISOString(),
    deliveredAt: row.delivered_at?.toISOString() ?? null,
  }
}
