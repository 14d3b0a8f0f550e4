// The rows of the outbox as jobs see them. Jobs at the same time share their round trips: one
// statement and one commit a mail would cost the database more than the mail costs everybody else.
import { type Kysely, sql } from 'kysely'
import { gather } from '../../kit/gather.ts'
import type { Tables } from '../../projections/tables.ts'
import type { MailTemplate } from './outbox.ts'

export interface MailKey {
  event_id: string
  template: MailTemplate
  order_id: string
}

export interface ClaimedMail {
  order_id: string
  trace: string | null
}

export interface OutboxRows {
  /** Counts an attempt. Undefined for a mail that has been sent. */
  claim(key: MailKey): Promise<ClaimedMail | undefined>
  /** Notes that there is nothing left to be done, and why where nothing was sent. */
  markSent(key: MailKey, why: string | null): Promise<void>
  noteFailure(key: MailKey, code: string): Promise<void>
}

/** The outbox in this database. */
export function createOutboxRows(db: Kysely<Tables>): OutboxRows {
  const claim = gather((keys: readonly MailKey[]) => claimAll(db, keys))
  const mark = gather((marks: readonly Mark[]) => markAll(db, marks))
  return {
    claim,
    markSent: (key, why) => mark({ key, why }),
    async noteFailure({ event_id, template }, code) {
      await sql`
        update shop.mails
        set last_error = ${code}
        where event_id = ${event_id} and template = ${template}
      `.execute(db)
    },
  }
}

interface Mark {
  key: MailKey
  why: string | null
}

async function claimAll(db: Kysely<Tables>, keys: readonly MailKey[]) {
  const { rows } = await sql<ClaimedMail & Pick<MailKey, 'event_id' | 'template'>>`
    update shop.mails m
    set attempts = attempts + 1
    from ${named(keys)}
    where m.event_id = k.event_id and m.template = k.template and ${isOneOf(keys)}
      -- "is null" would lead to the index of all that wait instead of to the primary key.
      and coalesce(m.sent_at, 'infinity') = 'infinity'
    returning m.event_id, m.template, m.order_id, m.trace
  `.execute(db)
  const found = new Map(rows.map(row => [nameOf(row), row]))
  return keys.map(key => found.get(nameOf(key)))
}

async function markAll(db: Kysely<Tables>, marks: readonly Mark[]) {
  const keys = marks.map(({ key }) => key)
  await sql`
    update shop.mails m
    set sent_at = now(), last_error = w.why
    from ${named(keys)}
    join unnest(${marks.map(({ why }) => why)}::text[]) with ordinality as w(why, n) using (n)
    where m.event_id = k.event_id and m.template = k.template and ${isOneOf(keys)}
  `.execute(db)
  return marks.map(() => undefined)
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

const nameOf = ({ event_id, template }: Pick<MailKey, 'event_id' | 'template'>) =>
  `${event_id} ${template}`
