// The queue of mails in PostgreSQL: which are due, who sends them, and what has become of them.
// Several rows a statement: one for each would cost the database more than the mail server.

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

/** A mail as it is claimed for: with the digest of its address, for limits per recipient. */
export interface Addressed {
  key: MailKey
  recipient: string | null
}

export interface ClaimedMail {
  key: MailKey
  /** The command that it is due to, as a W3C traceparent. */
  trace: string | null
  /** Failed attempts so far, and the seconds since the first of them. */
  attempts: number
  failingSeconds: number
  queuedSeconds: number
  /** Mails of the same kind that this recipient was sent, or that others are sending. */
  sentInHour: number
  sentInDay: number
  /** Mails of both kinds. */
  sentInDayAtAll: number
}

/** What has become of a mail. */
export interface Outcome {
  key: MailKey
  /** Undefined: as before. */
  state?: MailState
  /** Until the next attempt. */
  waitSeconds?: number
  /** Whether it counts as an attempt of this mail that failed. */
  failed?: boolean
  /** Why it was not sent, as a code. */
  why: string | null
}

export interface MailQueue {
  /** How long a claim lasts unless it is renewed: after that another worker sends the mail. */
  claimSeconds: number
  /** Mails of a lane that are due and that nobody has claimed: nine that are new for each retry. */
  due(account: boolean, limit: number): Promise<MailKey[]>
  /** Claims those that are still due, in the given order, until `settle` or their end. */
  claim(mails: readonly Addressed[]): Promise<ClaimedMail[]>
  /** Extends claims while their mails are being sent. */
  renew(keys: readonly MailKey[]): Promise<void>
  /** Records what has become of mails, and gives the claims back. */
  settle(outcomes: readonly Outcome[]): Promise<void>
}

/** One retry for so many new mails. */
const newForEachRetry = 9

const defaults = { claimSeconds: 20 }

/** Whose claims they are, and how long they last. */
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
        from ${named(keys)}
        where m.event_id = k.event_id and m.template = k.template and ${isOneOf(keys)}
          and m.claimed_by = ${owner}
      `.execute(db)
    },
    settle: outcomes => settleMails(db, owner, outcomes),
  }
}

async function dueMails(db: Kysely<Tables>, account: boolean, limit: number): Promise<MailKey[]> {
  const first = (state: MailState) => sql`
    (
      select event_id, template, order_id, due_at, queued_at
      from shop.mails
      where account = ${account} and state = ${state} and due_at <= now() and ${isFree}
      order by due_at, queued_at
      limit ${limit}
    ) as found
  `
  const turn = (times: number) => sql`row_number() over (order by due_at, queued_at) * ${times}`
  const { rows } = await sql<MailKey>`
    select event_id, template, order_id
    from (
      select *, ${turn(1)}::bigint as turn from ${first('due')}
      union all
      select *, ${turn(newForEachRetry)}::bigint as turn from ${first('retrying')}
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
      join ${named(keys)} using (event_id, template)
      join unnest(${mails.map(({ recipient }) => recipient)}::text[])
        with ordinality as r(recipient, n) using (n)
      where ${isOneOf(keys)} and m.state in ('due', 'retrying') and m.due_at <= now() and ${isFree}
      for update of m skip locked
    )
    update shop.mails m
    set claimed_until = now() + make_interval(secs => ${claimSeconds}),
      claimed_by = ${owner},
      recipient = free.recipient
    from free
    where m.event_id = free.event_id and m.template = free.template and ${isOneOf(keys)}
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
      { key, trace, attempts, ...times, sentInHour: hour, sentInDay: day, sentInDayAtAll: at_all },
    ]
  })
}

/** Of the recipient of `free`; those that others are sending count as sent. */
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

/** A mail that is sent stays sent, whoever records something else later. */
async function settleMails(
  db: Kysely<Tables>,
  owner: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (outcomes.length === 0) return
  const keys = outcomes.map(({ key }) => key)
  // The ids of the condition are read from `o`: where the server sees that the array is short, it
  // plans this statement for each call, which takes as long as the call itself.
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
 * Claims that have run out are free. Those that ran out while the database was away are free a
 * little later: a worker that has sent a mail meanwhile could not record it, and does so now.
 */
const isFree = sql`(
  claimed_until is null
  or claimed_until <= now() and (
    claimed_until > pg_postmaster_start_time()
    or pg_postmaster_start_time() < now() - interval '10 seconds'
  )
)`

function named(keys: readonly MailKey[]) {
  return sql`unnest(
    ${keys.map(({ event_id }) => event_id)}::uuid[],
    ${keys.map(({ template }) => template)}::text[]
  ) with ordinality as k(event_id, template, n)`
}

/**
 * Says again what the join says, in words that lead to the primary key: of a table that has grown
 * since its statistics were taken the server thinks that reading all of it is quicker.
 */
function isOneOf(keys: readonly MailKey[]) {
  return sql`m.event_id = any(${keys.map(({ event_id }) => event_id)}::uuid[])`
}

/** The name of a mail: an event and a template. */
export const nameOf = ({ event_id, template }: { event_id: string; template: string }) =>
  `${event_id} ${template}`
