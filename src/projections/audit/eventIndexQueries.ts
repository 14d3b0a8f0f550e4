// Questions to the index of events, and what mails and webhooks events have led to.

import { type Kysely, sql } from 'kysely'
import type { Position } from '../../kit/position.ts'
import type { Tables } from '../core/tables.ts'

type Db = Kysely<Tables>

export interface EventFilter {
  type?: string | undefined
  stream?: string | undefined
  /** The id of whoever asked for it, or 'anonymous'. */
  actor?: string | undefined
  correlationId?: string | undefined
  /** When it happened, from this time on… */
  from?: string | undefined
  /** … and before this one. */
  to?: string | undefined
}

/** Where an event is. */
export interface Place {
  position: Position
  stream: string
  revision: number
}

/** Places of events behind a position, in log order. */
export async function findEvents(
  db: Db,
  filter: EventFilter,
  { after, limit }: { after: Position; limit: number },
): Promise<Place[]> {
  const { type, stream, actor, correlationId, from, to } = filter
  let query = db
    .selectFrom('event_index')
    .select(['position', 'stream', 'revision'])
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
  if (type !== undefined) query = query.where('type', '=', type)
  if (stream !== undefined) query = query.where('stream', '=', stream)
  if (actor !== undefined) query = query.where('actor', '=', actor)
  if (correlationId !== undefined) query = query.where('correlation_id', '=', correlationId)
  if (from !== undefined) query = query.where('at', '>=', new Date(from))
  if (to !== undefined) query = query.where('at', '<', new Date(to))
  const found = await query.execute()
  return found.map(row => ({ ...row, revision: Number(row.revision) }))
}

/** Mails that some events have led to. */
export async function mailsOf(db: Db, eventIds: readonly string[]) {
  if (eventIds.length === 0) return []
  const found = await db
    .selectFrom('shop.mails')
    .selectAll()
    .where('event_id', 'in', [...eventIds])
    .orderBy('queued_at')
    .orderBy('event_id')
    .execute()
  return found.map(row => ({
    eventId: row.event_id,
    template: row.template,
    queuedAt: row.queued_at.toISOString(),
    state: row.state,
    sentAt: row.sent_at?.toISOString() ?? null,
    attempts: row.attempts,
  }))
}

/** What others have been told of some events, or are to be. */
export async function webhooksOf(db: Db, eventIds: readonly string[]) {
  // By endpoint and event, which is what the deliveries are indexed by; there are few endpoints.
  const found = await db
    .selectFrom('shop.webhook_deliveries')
    .selectAll()
    .where(sql<boolean>`endpoint_id = any(array(select endpoint_id from shop.webhook_endpoints))`)
    .where(sql<boolean>`event_id = any(${[...eventIds]}::uuid[])`)
    .orderBy('position')
    .orderBy('delivery_id')
    .execute()
  return found.map(row => ({
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    type: row.type,
    status: row.status,
    attempts: row.attempts,
    lastStatus: row.last_status,
    createdAt: row.created_at.toISOString(),
    deliveredAt: row.delivered_at?.toISOString() ?? null,
  }))
}
