// The deliveries of webhooks in PostgreSQL: what is due, what came of it, what is given up.
import { type Kysely, sql } from 'kysely'
import type { WebhookMessage } from '../../../ports/webhooks.ts'
import type { Tables } from '../../../projections/core/tables.ts'

type Db = Kysely<Tables>

/** An attempt that is due; the number tells it from the ones before. */
export interface Attempt {
  delivery_id: string
  endpoint_id: string
  attempts: number
}

/** A delivery that this process alone is at work on. */
export interface Claimed {
  endpoint_id: string
  event_id: string
  url: string
  message: WebhookMessage
  body: string | null
  trace: string
  tries: number
}

const dueMax = 1_000
/** So that an endpoint with much to hear does not keep the others waiting. */
const dueMaxEach = 50
/** Longer than any attempt takes: whoever has not said by then what came of it is gone. */
const claimSeconds = 60
const keptDays = 30

/** The attempts that are due, at most so many for one endpoint. */
export async function dueAttempts(db: Db): Promise<Attempt[]> {
  const { rows } = await sql<Attempt>`
    select d.delivery_id, e.endpoint_id, d.attempts
    from shop.webhook_endpoints e
    cross join lateral (
      select delivery_id, attempts, due_at
      from shop.webhook_deliveries
      where endpoint_id = e.endpoint_id and status = 'pending' and due_at <= now()
      order by due_at
      limit ${dueMaxEach}
    ) d
    where e.disabled_at is null
    order by d.due_at
    limit ${dueMax}
  `.execute(db)
  return rows
}

/** Takes an attempt; undefined when somebody else has, or when there is nothing to do any more. */
export async function claim(db: Db, attempt: Attempt): Promise<Claimed | undefined> {
  const { rows } = await sql<Claimed>`
    update shop.webhook_deliveries d
    set attempts = d.attempts + 1, tries = d.tries + 1,
      due_at = now() + ${claimSeconds} * interval '1 second'
    from shop.webhook_endpoints e
    where d.delivery_id = ${attempt.delivery_id} and d.attempts = ${attempt.attempts}
      and d.status = 'pending'
      and e.endpoint_id = d.endpoint_id and e.disabled_at is null
    returning d.endpoint_id, d.event_id, e.url, d.message, d.body, d.trace, d.tries
  `.execute(db)
  return rows[0]
}

/** Writes down what is sent, before it is sent for the first time. */
export async function keepBody(db: Db, deliveryId: string, body: string): Promise<void> {
  await sql`
    update shop.webhook_deliveries set body = ${body} where delivery_id = ${deliveryId}
  `.execute(db)
}

/** It was taken; what has failed at this endpoint before is forgotten. */
export async function delivered(db: Db, deliveryId: string, status: number): Promise<void> {
  await sql`
    with done as (
      update shop.webhook_deliveries
      set status = 'delivered', delivered_at = now(), updated_at = now(),
        last_status = ${status}, last_error = null
      where delivery_id = ${deliveryId}
      returning endpoint_id
    )
    update shop.webhook_endpoints e
    set failures = 0
    from done
    where e.endpoint_id = done.endpoint_id and e.failures > 0
  `.execute(db)
}

export interface Failure {
  status: number | null
  error: string | null
  /** Until the next attempt; null when there is none. */
  waitMs: number | null
  /** Failed attempts in a row after which an endpoint is left alone. */
  failuresMax: number
}

/** It was not taken. True when the endpoint is now left alone because of that. */
export async function failed(db: Db, deliveryId: string, failure: Failure): Promise<boolean> {
  const { status, error, waitMs, failuresMax } = failure
  const { rows } = await sql<{ disabled: boolean }>`
    with done as (
      update shop.webhook_deliveries
      set status = ${waitMs === null ? 'dead' : 'pending'}, updated_at = now(),
        due_at = now() + ${waitMs ?? 0} * interval '1 millisecond',
        last_status = ${status}, last_error = ${error}
      where delivery_id = ${deliveryId}
      returning endpoint_id
    )
    update shop.webhook_endpoints e
    set failures = failures + 1,
      disabled_at = case when ${isLastDrop(failure)} then coalesce(disabled_at, now())
        else disabled_at end,
      disabled_because = case when ${isLastDrop(failure)}
        then coalesce(disabled_because, ${status === 410 ? 'gone' : 'failures'})
        else disabled_because end
    from done
    where e.endpoint_id = done.endpoint_id
    returning failures >= ${failuresMax} or ${status === 410}::boolean as disabled
  `.execute(db)
  return rows[0]?.disabled === true
}

function isLastDrop({ status, failuresMax }: Failure) {
  return sql<boolean>`(failures + 1 >= ${failuresMax} or ${status === 410}::boolean)`
}

/** Forgets what has been delivered or given up for a month. */
export async function dropOld(db: Db): Promise<void> {
  await sql`
    delete from shop.webhook_deliveries
    where status <> 'pending' and updated_at < now() - ${keptDays} * interval '1 day'
  `.execute(db)
}
