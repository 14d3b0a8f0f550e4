// The queue of mails in PostgreSQL: due mails, claims of workers, and outcomes. Statements handle
// several rows: one statement per mail would cost more than sending it.

import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { AccountMailTemplate } from '../../../ports/accounts.ts'
import { executePrepared } from '../../../projections/core/pipeline.ts'
import type { Tables } from '../../../projections/core/tables.ts'
import type { MailTemplate } from './outbox.ts'

export type MailState = 'due' | 'retrying' | 'undeliverable' | 'sent' | 'dropped'

export interface MailKey {
  event_id: string
  template: MailTemplate | AccountMailTemplate
  /** Null for mails about accounts. */
  order_id: string | null
}

/** A mail to claim, with the digest of its address for the limits per recipient. */
export interface Addressed {
  key: MailKey
  recipient: string | null
}

export interface ClaimedMail {
  key: MailKey
  /** The command that caused it, as a W3C traceparent. */
  trace: string | null
  /** Failed attempts so far, and the seconds since the first of them. */
  attempts: number
  failingSeconds: number
  queuedSeconds: number
  /** Mails of the same kind sent, or being sent, to this recipient. */
  sentInHour: number
  sentInDay: number
  /** Mails of both kinds. */
  sentInDayAnyKind: number
}

/** The outcome of an attempt to send a mail. */
export interface Outcome {
  key: MailKey
  /** Undefined if unchanged. */
  state?: MailState
  /** The delay before the next attempt. */
  waitSeconds?: number
  /** Whether it counts as a failed attempt of this mail. */
  failed?: boolean
  /** The error code if it was not sent. */
  why: string | null
}

export interface MailQueue {
  /** How long a claim lasts without renewal; then another worker may send the mail. */
  claimSeconds: number
  /** Due mails without a claim, nine new ones for each retry. */
  due(account: boolean, limit: number): Promise<MailKey[]>
  /** Claims mails that are still due, in the given order, until `record` or expiry. */
  claim(mails: readonly Addressed[]): Promise<ClaimedMail[]>
  /** Extends claims while their mails are being sent. */
  renew(keys: readonly MailKey[]): Promise<void>
  /** Records outcomes and releases the claims. */
  record(outcomes: readonly Outcome[]): Promise<void>
}

/** New mails per retry. */
const newForEachRetry = 9

const defaults = { claimSeconds: 20 }

/** The owner and duration of claims. */
interface Claims {
  owner: string
  claimSeconds: number
}

/** The queue in this database; claims belong to this object. */
export function createMailQueue(
  db: Kysely<Tables>,
  { claimSeconds }: { claimSeconds: number } = defaults,
): MailQueue {
  const owner = randomUUID()
  return {
    claimSeconds,
    due: (account, limit) => dueMails(db, account, limit),
    claim: mails => claimMails(db, { owner, claimSeconds }, mails),
    async renew(keys) {
      await sql`
        update shop.mails m
        set claimed_until = now() + make_interval(secs => ${claimSeconds})
        from ${keysTable(keys)}
        where m.event_id = k.event_id and m.template = k.template and ${hasKey(keys)}
          and m.claimed_by = ${owner}
      `.execute(db)
    },
    record: outcomes => recordOutcomes(db, owner, outcomes),
  }
}

async function dueMails(db: Kysely<Tables>, account: boolean, limit: number): Promise<MailKey[]> {
  const first = (state: MailState) => sql`
    (
      select event_id, template, order_id, due_at, queued_at
      from shop.mails
      where account = ${account} and state = ${state} and due_at <= now() and ${isUnclaimed}
      order by due_at, queued_at
      limit ${limit}
    ) as found
  `
  const rank = (times: number) => sql`row_number() over (order by due_at, queued_at) * ${times}`
  const { rows } = await sql<MailKey>`
    select event_id, template, order_id
    from (
      select *, ${rank(1)}::bigint as turn from ${first('due')}
      union all
      select *, ${rank(newForEachRetry)}::bigint as turn from ${first('retrying')}
    ) as both_kinds
    order by turn, due_at, queued_at
    limit ${limit}
  `.execute(db)
  return rows
}

interface ClaimedRow extends Omit<ClaimedMail, 'key' | 'failingSeconds' | 'queuedSeconds'> {
  event_id: string
  template: string
  failing: number
  queued: number
  hour: number
  day: number
  at_all: number
}

async function claimMails(
  db: Kysely<Tables>,
  { owner, claimSeconds }: Claims,
  mails: readonly Addressed[],
): Promise<ClaimedMail[]> {
  if (mails.length === 0) return []
  const keys = mails.map(({ key }) => key)
  const { rows } = await executePrepared(
    db,
    sql<ClaimedRow>`
    with free as (
      select m.event_id, m.template, r.recipient
      from shop.mails m
      join ${keysTable(keys)} using (event_id, template)
      join unnest(${mails.map(({ recipient }) => recipient)}::text[])
        with ordinality as r(recipient, n) using (n)
      where ${hasKey(keys)} and m.state in ('due', 'retrying') and m.due_at <= now()
        and ${isUnclaimed}
      for update of m skip locked
    )
    update shop.mails m
    set claimed_until = now() + make_interval(secs => ${claimSeconds}),
      claimed_by = ${owner},
      recipient = free.recipient
    from free
    where m.event_id = free.event_id and m.template = free.template and ${hasKey(keys)}
    returning m.event_id, m.template, m.trace, m.attempts,
      coalesce(extract(epoch from now() - m.failed_since), 0)::float8 as failing,
      extract(epoch from now() - m.queued_at)::float8 as queued,
      ${sentSince('1 hour')} as hour,
      ${sentSince('1 day')} as day,
      ${sentSince('1 day', sql`true`)} as at_all
  `,
  )
  const byName = new Map(rows.map(row => [nameOf(row), row]))
  return keys.flatMap(key => {
    const row = byName.get(nameOf(key))
    if (row === undefined) return []
    const { trace, attempts, failing, queued, hour, day, at_all } = row
    const times = { failingSeconds: failing, queuedSeconds: queued }
    return [
      {
        key,
        trace,
        attempts,
        ...times,
        sentInHour: hour,
        sentInDay: day,
        sentInDayAnyKind: at_all,
      },
    ]
  })
}

/** Mails to the recipient of `free`; those being sent by other workers count as sent. */
function sentSince(period: '1 hour' | '1 day', kind = sql`s.account = m.account`) {
  return sql`(
    select count(*)
    from shop.mails s
    where s.recipient = free.recipient
      and ${kind}
      and (s.sent_at > now() - ${period}::interval
        or s.sent_at is null and s.claimed_until > now())
  )::integer`
}

/** The state `sent` is final: a later outcome from another worker is ignored. */
async function recordOutcomes(
  db: Kysely<Tables>,
  owner: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (outcomes.length === 0) return
  const keys = outcomes.map(({ key }) => key)
  // The ids come from `o`, not from the parameter: for a short array the server would plan this
  // statement on each call, which takes as long as running it.
  await executePrepared(
    db,
    sql`
    with o as materialized (
      select *
      from unnest(
        ${keys.map(({ event_id }) => event_id)}::uuid[],
        ${keys.map(({ template }) => template)}::text[],
        ${outcomes.map(({ state }) => state ?? null)}::text[],
        ${outcomes.map(({ waitSeconds }) => waitSeconds ?? 0)}::float8[],
        ${outcomes.map(({ failed, state }) => (failed || state === 'sent' ? 1 : 0))}::integer[],
        ${outcomes.map(({ why }) => why)}::text[]
      ) as o(event_id, template, state, wait, counted, why)
    )
    update shop.mails m
    set state = coalesce(o.state, m.state),
      sent_at = case when o.state = 'sent' then now() end,
      due_at = now() + make_interval(secs => o.wait),
      attempts = m.attempts + o.counted,
      failed_since = case when o.counted > 0 then coalesce(m.failed_since, now())
        else m.failed_since end,
      email_digest = case when o.state in ('sent', 'dropped') then null else m.email_digest end,
      recipient = case when o.state = 'sent' then m.recipient end,
      last_error = o.why,
      claimed_by = null,
      claimed_until = null
    from o
    where m.event_id = o.event_id and m.template = o.template
      and m.event_id = any(array(select event_id from o))
      and m.state <> 'sent'
      and (o.state = 'sent' or m.claimed_by = ${owner})
  `,
  )
}

/**
 * Expired claims are free. Those that expired while the database was down are free 10 seconds after
 * its start: a worker that sent a mail meanwhile records it in that time.
 */
const isUnclaimed = sql`(
  claimed_until is null
  or claimed_until <= now() and (
    claimed_until > pg_postmaster_start_time()
    or pg_postmaster_start_time() < now() - interval '10 seconds'
  )
)`

function keysTable(keys: readonly MailKey[]) {
  return sql`unnest(
    ${keys.map(({ event_id }) => event_id)}::uuid[],
    ${keys.map(({ template }) => template)}::text[]
  ) with ordinality as k(event_id, template, n)`
}

/**
 * Repeats the join as a condition on the primary key. Without it the planner chooses a full scan
 * when the table has grown since its statistics were collected.
 */
function hasKey(keys: readonly MailKey[]) {
  return sql`m.event_id = any(${keys.map(({ event_id }) => event_id)}::uuid[])`
}

/** The name of a mail: an event and a template. */
export const nameOf = ({ event_id, template }: { event_id: string; template: string }) =>
  `${event_id} ${template}`
