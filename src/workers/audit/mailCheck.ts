// Checks the outbox against the log: a mail an event and template, none forgotten, none made up.
import { setTimeout } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { positionOf } from '../../projections/checkpoints.ts'
import type { Tables } from '../../projections/tables.ts'
import { hasTemplate, isMailed, mailOutbox, mailTemplates } from '../mails/outbox.ts'
import type { LogCheck } from './logCheck.ts'
import type { Part } from './parts.ts'

type Db = Kysely<Tables>

interface MailRow {
  event_id: string
  template: string
  settled: boolean
}

export interface MailCheckParts {
  db: Db
  settledBefore: Date
  /** Waits until it is time to look again at what is queued; 5 seconds. */
  beforeLook?: () => Promise<unknown>
}

const pageSize = 10_000
const standsStillMs = 5_000
/** As long as others are sent, a mail waits its turn; this often is looked in vain. */
const looksMax = 24

/**
 * A check that knows what the outbox holds of a part; mails due since `settledBefore` may wait.
 * Those that failed are listed elsewhere: they wait for another attempt, or for somebody to look
 * at them.
 */
export async function mailsAreOneAnEvent(parts: MailCheckParts, part: Part): Promise<LogCheck> {
  // In this order: whatever is queued meanwhile is more than is asked for, never less.
  const reached = await positionOf(parts.db, mailOutbox.name)
  const outbox = new Map<string, MailRow>()
  for await (const row of outboxRows(parts)) {
    if (part.has(row.event_id)) outbox.set(keyOf(row), row)
  }
  const accounted = new Set<string>()
  const waiting = new Set<string>()
  let examined = 0
  return {
    name: 'one mail an event and template, sent',
    see(_, event) {
      if (event === undefined || !part.has(event.id) || !hasTemplate(event)) return []
      const key = `${event.id} ${mailTemplates[event.type]}`
      accounted.add(key)
      // Earlier releases wrote about some of these, too.
      if (!isMailed(event)) return []
      if (event.source !== undefined) {
        return outbox.has(key) ? [`${key}: history was mailed`] : []
      }
      examined += 1
      const mail = outbox.get(key)
      if (mail === undefined) return event.position <= reached ? [`${key}: never queued`] : []
      if (!mail.settled) waiting.add(key)
      return []
    },
    async *conclude() {
      for (const key of outbox.keys()) if (!accounted.has(key)) yield `${key}: no such event`
      for (const key of await stuck(parts, waiting)) yield `${key}: queued and not sent`
    },
    examined: () => examined,
  }
}

const keyOf = ({ event_id, template }: MailRow) => `${event_id} ${template}`

/** What is queued and stays so: looks again until nothing has been sent between two looks. */
async function stuck(
  parts: MailCheckParts,
  waiting: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  let left = waiting
  let before = await lastSent(parts.db)
  for (let inVain = 0; left.size > 0 && inVain < looksMax; ) {
    await (parts.beforeLook ?? (() => setTimeout(standsStillMs)))()
    const still = new Set<string>()
    for await (const row of outboxRows(parts)) {
      const key = keyOf(row)
      if (left.has(key) && !row.settled) still.add(key)
    }
    const now = await lastSent(parts.db)
    if (still.size === left.size && now === before) return still
    inVain = still.size < left.size ? 0 : inVain + 1
    left = still
    before = now
  }
  return left
}

async function lastSent(db: Db): Promise<string> {
  const { rows } = await sql<{ sent: string }>`
    select count(sent_at) || ' ' || coalesce(max(sent_at)::text, '') as sent from shop.mails
  `.execute(db)
  return rows[0]?.sent ?? ''
}

/** The rows of the outbox page by page, as there may be any number. */
async function* outboxRows({ db, settledBefore }: MailCheckParts): AsyncGenerator<MailRow> {
  let after = { event_id: '00000000-0000-0000-0000-000000000000', template: '' }
  for (;;) {
    const { rows } = await sql<MailRow>`
      select event_id, template,
        sent_at is not null
          or state in ('retrying', 'undeliverable', 'dropped')
          or state = 'due' and due_at >= ${settledBefore} as settled
      from shop.mails
      where not account and (event_id, template) > (${after.event_id}, ${after.template})
      order by event_id, template
      limit ${pageSize}
    `.execute(db)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = last
  }
}
