// The rows of the outbox as jobs see them, several at a time: a statement and a commit for each
// would cost the database more than a mail costs everybody else.
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../../projections/tables.ts'
import type { MailTemplate } from './outbox.ts'

export interface MailKey {
  event_id: string
  template: MailTemplate
  order_id: string
}

export interface ClaimedMail {
  key: MailKey
  /** The command that it is due to, as a W3C traceparent. */
  trace: string | null
}

/** What has become of a mail: it is done with, or its time will come again. */
export interface Outcome {
  key: MailKey
  isDone: boolean
  /** Why nothing was sent, as a code. */
  why: string | null
}

export interface OutboxRows {
  /**
   * Takes those that wait and belong to nobody, in the given order, and counts an attempt for each.
   * They belong to the caller until `settle`, or for so long as sending one may take.
   */
  claim(keys: readonly MailKey[]): Promise<ClaimedMail[]>
  /** Notes what has become of mails, which then belong to nobody. */
  settle(outcomes: readonly Outcome[]): Promise<void>
  /** Whether any of these is still to be sent. */
  areWaiting(keys: readonly MailKey[]): Promise<boolean>
}

/** Longer than a mail server that has stopped answering holds a mail up: see mailThread.ts. */
const claimSeconds = 20

/** The outbox in this database. */
export function createOutboxRows(db: Kysely<Tables>): OutboxRows {
  return {
    async claim(keys) {
      const { rows } = await sql<Name & Pick<ClaimedMail, 'trace'>>`
        with /* planned once */ free as (
          select m.event_id, m.template
          from shop.mails m join ${named(keys)} using (event_id, template)
          where ${isOneOf(keys)} and ${isWaiting}
            and coalesce(m.claimed_until, '-infinity') <= now()
          for update of m skip locked
        )
        update shop.mails m
        set attempts = attempts + 1, claimed_until = now() + make_interval(secs => ${claimSeconds})
        from free
        where m.event_id = free.event_id and m.template = free.template and ${isOneOf(keys)}
        returning m.event_id, m.template, m.trace
      `.execute(db)
      const traces = new Map(rows.map(row => [nameOf(row), row.trace]))
      return keys.flatMap(key => {
        const trace = traces.get(nameOf(key))
        return trace === undefined ? [] : [{ key, trace }]
      })
    },
    async settle(outcomes) {
      const keys = outcomes.map(({ key }) => key)
      await sql`
        update shop.mails m
        set sent_at = case when o.is_done then now() end, last_error = o.why, claimed_until = null
        from ${named(keys)}
        join unnest(
          ${outcomes.map(({ isDone }) => isDone)}::boolean[],
          ${outcomes.map(({ why }) => why)}::text[]
        ) with ordinality as o(is_done, why, n) using (n)
        where m.event_id = k.event_id and m.template = k.template and ${isOneOf(keys)}
      `.execute(db)
    },
    async areWaiting(keys) {
      const { rows } = await sql`
        select from shop.mails m join ${named(keys)} using (event_id, template)
        where ${isOneOf(keys)} and ${isWaiting}
        limit 1
      `.execute(db)
      return rows.length > 0
    },
  }
}

function named(keys: readonly MailKey[]) {
  return sql`unnest(
    ${keys.map(({ event_id }) => event_id)}::uuid[],
    ${keys.map(({ template }) => template)}::text[]
  ) with ordinality as k(event_id, template, n)`
}

/**
 * Says again what the join says, in words that lead to the primary key: of a table that has grown
 * since it was looked at the server thinks that reading all of it is quicker.
 */
function isOneOf(keys: readonly MailKey[]) {
  return sql`m.event_id = any(${keys.map(({ event_id }) => event_id)}::uuid[])`
}

/** "is null" would lead to the index of all that wait instead of to the primary key. */
const isWaiting = sql`coalesce(m.sent_at, 'infinity') = 'infinity'`

type Name = Pick<MailKey, 'event_id' | 'template'>

const nameOf = ({ event_id, template }: Name) => `${event_id} ${template}`
