// The tables that the query builder knows: times and big numbers as the driver gives them. Read
// models add theirs where they declare them.

import type { Generated, JSONColumnType } from 'kysely'
import type { Position } from '../../kit/position.ts'

export interface Tables {
  'shop.checkpoints': {
    name: string
    version: number | null
    position: Position
    runner: string | null
    epoch: bigint
    leased_until: Date | null
    updated_at: Generated<Date>
  }
  'shop.parked_events': {
    name: string
    position: Position
    stream: string
    type: string
    error: string
    awaits: string | null
    parked_at: Generated<Date>
  }
  'shop.image_jobs': {
    hash: string
    requested_by: Generated<string>
    queued_at: Generated<Date>
    made_at: Date | null
    attempts: Generated<number>
    last_error: string | null
  }
  'shop.mails': {
    event_id: string
    template: string
    order_id: string | null
    mail_id: Generated<string>
    state: Generated<'due' | 'retrying' | 'undeliverable' | 'sent' | 'dropped'>
    due_at: Generated<Date>
    failed_since: Date | null
    claimed_by: string | null
    account: Generated<boolean>
    customer_id: string | null
    email_digest: string | null
    revision: number | null
    recipient: string | null
    queued_at: Generated<Date>
    sent_at: Date | null
    attempts: Generated<number>
    last_error: string | null
    trace: string | null
    claimed_until: Date | null
  }
  'shop.payment_findings': {
    finding_id: string
    provider: string
    kind: 'payment' | 'refund' | 'dispute' | 'unreadable'
    reference: string
    problem: string
    detail: string
    order_id: string | null
    payment_id: string | null
    amount_minor: bigint | null
    currency: string | null
    found_at: Generated<Date>
    resolved_at: Date | null
    resolved_by: string | null
  }
  'shop.webhook_deliveries': {
    delivery_id: Generated<string>
    endpoint_id: string
    event_id: string
    position: Position
    type: string
    message: JSONColumnType<object>
    body: string | null
    trace: string
    status: Generated<'pending' | 'delivered' | 'dead'>
    attempts: Generated<number>
    tries: Generated<number>
    due_at: Generated<Date>
    last_status: number | null
    last_error: string | null
    created_at: Generated<Date>
    updated_at: Generated<Date>
    delivered_at: Date | null
  }
}
