// The reaction that turns events into webhooks to be sent: rows first, jobs from rows.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { traceparentOf } from '../../../ports/tracing.ts'
import { defineReaction } from '../../../projections/core/projection.ts'
import { defineSignal } from '../../../projections/core/signals.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import { isSent, messageOf, type SentEvent, sentTypes } from './messages.ts'

/** There are new webhooks to send. */
export const webhooksQueued = defineSignal('webhooks-queued')

/** An event is sent to an endpoint once, noted in the transaction that moves the checkpoint. */
export const webhookOutbox = defineReaction({
  name: 'webhookOutbox',
  on: sentTypes,
  signals: [webhooksQueued],
  async plan(events, db) {
    return {
      writes: queueing(db, events.filter(isSent)),
      signals: ([queued = 0]) => (queued > 0 ? [webhooksQueued.raise()] : []),
    }
  },
})

/** Notes events for every endpoint that wants them. */
function queueing(db: Kysely<Tables>, events: readonly SentEvent[]): CompiledQuery[] {
  if (events.length === 0) return []
  const insert = sql`
    insert into shop.webhook_deliveries (endpoint_id, event_id, position, type, message, trace)
    select e.endpoint_id, d.event_id, d.position, d.type, d.message, d.trace
    from ${due(events)}
    join shop.webhook_endpoints e on d.type = any(e.events)
    where e.disabled_at is null and d.position > e.starts_after
    on conflict on constraint webhook_deliveries_once do nothing
  `
  return [insert.compile(db)]
}

/** Notes events for one endpoint once more; what was sent before is sent again. */
export async function queueAgain(
  db: Kysely<Tables>,
  endpointId: string,
  events: readonly SentEvent[],
): Promise<void> {
  if (events.length === 0) return
  await sql`
    insert into shop.webhook_deliveries (endpoint_id, event_id, position, type, message, trace)
    select e.endpoint_id, d.event_id, d.position, d.type, d.message, d.trace
    from ${due(events)}
    join shop.webhook_endpoints e on d.type = any(e.events)
    where e.endpoint_id = ${endpointId}
    on conflict on constraint webhook_deliveries_once
      do update set status = 'pending', tries = 0, due_at = now(), updated_at = now()
  `.execute(db)
}

function due(events: readonly SentEvent[]) {
  const messages = events.map(messageOf)
  return sql`unnest(
    ${events.map(event => event.id)}::uuid[],
    ${events.map(event => event.position)}::bigint[],
    ${messages.map(({ type }) => type)}::text[],
    ${messages.map(message => JSON.stringify(message))}::jsonb[],
    ${events.map(traceparentOf)}::text[]
  ) as d(event_id, position, type, message, trace)`
}
