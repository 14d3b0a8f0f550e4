// The reaction that turns events into rows of the mail outbox. Jobs are made from the rows.
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { traceparentOf } from '../../../ports/tracing.ts'
import type { ReadEvent } from '../../../projections/core/events.ts'
import { defineReaction, erasedIn } from '../../../projections/core/projection.ts'
import { defineSignal } from '../../../projections/core/signals.ts'
import type { Tables } from '../../../projections/core/tables.ts'

/** The events that customers get a mail about, and its template. */
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

/** Whether customers get a mail about this event: an order of 0.00 has no payment to report. */
export function isMailed(event: ReadEvent): event is MailedEvent {
  if (event.type === 'OrderPaid' && event.data.amount.amount === 0) return false
  return hasTemplate(event)
}

/** New mails are in the outbox. */
export const mailsQueued = defineSignal('mails-queued')

/**
 * Inserts each mail once, in the transaction that moves the checkpoint. Imported history causes no
 * mails.
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
    'CustomerErased',
  ],
  signals: [mailsQueued],
  async plan(events, db) {
    const due = events.filter(isMailed).filter(event => event.source === undefined)
    const changes = events.filter(isProfileChange).filter(event => event.source === undefined)
    const writes = [
      ...insertOrderMails(db, due),
      ...insertAddressMails(db, changes),
      ...deleteAccountMails(db, erasedIn(events)),
    ]
    return { writes, signals: () => (writes.length > 0 ? [mailsQueued.raise()] : []) }
  },
})

function insertOrderMails(db: Kysely<Tables>, events: readonly MailedEvent[]): CompiledQuery[] {
  if (events.length === 0) return []
  const insert = sql`
    insert into shop.mails (event_id, template, order_id, trace, queued_at)
    -- clock_timestamp() keeps the order of the log within a batch.
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

type ProfileChange = ReadEvent & { type: 'ProfileChanged' }

function isProfileChange(event: ReadEvent): event is ProfileChange {
  return event.type === 'ProfileChanged'
}

/** Whether the address has changed is checked when the mail is composed. */
function insertAddressMails(db: Kysely<Tables>, events: readonly ProfileChange[]): CompiledQuery[] {
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

/** A change of a profile that was read after its person was erased has left a mail. */
function deleteAccountMails(db: Kysely<Tables>, people: readonly string[]): CompiledQuery[] {
  if (people.length === 0) return []
  const remove = sql`
    delete from shop.mails where account and customer_id = any(${people}::uuid[])
  `
  return [remove.compile(db)]
}
