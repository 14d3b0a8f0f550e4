// The reaction that turns order events into mails to be sent: rows first, jobs from rows.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { traceparentOf } from '../../../ports/tracing.ts'
import type { ReadEvent } from '../../../projections/core/events.ts'
import { defineReaction } from '../../../projections/core/projection.ts'
import { defineSignal } from '../../../projections/core/signals.ts'
import type { Tables } from '../../../projections/core/tables.ts'

/** The events that customers are written about, and the template for each. */
export const mailTemplates = {
  OrderPlaced: 'order-placed',
  OrderPaid: 'order-paid',
  OrderShipped: 'order-shipped',
  OrderDelivered: 'order-delivered',
  OrderCancelled: 'order-cancelled',
  OrderExpired: 'order-expired',
  OrderRefunded: 'order-refunded',
} as const satisfies Partial<Record<ReadEvent['type'], string>>

export type MailTemplate = (typeof mailTemplates)[keyof typeof mailTemplates]

/** Whether a mail with this template is about an order. */
export function isOrderTemplate(template: string): template is MailTemplate {
  return Object.values<string>(mailTemplates).includes(template)
}

export type MailedEvent = ReadEvent & { type: keyof typeof mailTemplates }

/** Whether there is a template for this event. */
export function hasTemplate(event: ReadEvent): event is MailedEvent {
  return event.type in mailTemplates
}

/** Whether customers are written about this event. Nothing was received for an order of 0.00. */
export function isMailed(event: ReadEvent): event is MailedEvent {
  if (event.type === 'OrderPaid' && event.data.amount.amount === 0) return false
  return hasTemplate(event)
}

/** There are new mails to send. */
export const mailsQueued = defineSignal('mails-queued')

/**
 * A mail is written about once, in the transaction that moves the checkpoint. History that was
 * imported is not.
 */
export const mailOutbox = defineReaction({
  name: 'mailOutbox',
  on: [
    'OrderPlaced',
    'OrderPaid',
    'OrderShipped',
    'OrderDelivered',
    'OrderCancelled',
    'OrderExpired',
    'OrderRefunded',
    'ProfileChanged',
  ],
  signals: [mailsQueued],
  async plan(events, db) {
    const due = events.filter(isMailed).filter(event => event.source === undefined)
    const changes = events.filter(isChange).filter(event => event.source === undefined)
    const writes = [...queueing(db, due), ...queueingChanges(db, changes)]
    return { writes, signals: () => (writes.length > 0 ? [mailsQueued.raise()] : []) }
  },
})

function queueing(db: Kysely<Tables>, events: readonly MailedEvent[]): CompiledQuery[] {
  if (events.length === 0) return []
  const insert = sql`
    insert into shop.mails (event_id, template, order_id, trace, queued_at)
    -- In the order of the log: of a batch, too, what happened first is told first.
    select event_id, template, order_id, trace, clock_timestamp()
    from unnest(
      ${events.map(event => event.id)}::uuid[],
      ${events.map(event => mailTemplates[event.type])}::text[],
      ${events.map(event => event.data.orderId)}::uuid[],
      ${events.map(traceparentOf)}::text[]
    ) as due(event_id, template, order_id, trace)
    on conflict (event_id, template) do nothing
  `
  return [insert.compile(db)]
}

type Change = ReadEvent & { type: 'ProfileChanged' }

function isChange(event: ReadEvent): event is Change {
  return event.type === 'ProfileChanged'
}

/** Whether the address is another one is found out when the mail is written. */
function queueingChanges(db: Kysely<Tables>, events: readonly Change[]): CompiledQuery[] {
  if (events.length === 0) return []
  const insert = sql`
    insert into shop.mails (event_id, template, account, customer_id, revision, trace)
    select event_id, 'email-changed', true, customer_id, revision, trace
    from unnest(
      ${events.map(event => event.id)}::uuid[],
      ${events.map(event => event.data.customerId)}::uuid[],
      ${events.map(event => event.revision)}::integer[],
      ${events.map(traceparentOf)}::text[]
    ) as due(event_id, customer_id, revision, trace)
    on conflict (event_id, template) do nothing
  `
  return [insert.compile(db)]
}
