// Checks the outbox against the log: a mail an event and template, none forgotten, none made up.
import { type Kysely, sql } from 'kysely'
import { positionOf } from '../../projections/checkpoints.ts'
import type { Tables } from '../../projections/tables.ts'
import { hasTemplate, isMailed, mailOutbox, mailTemplates } from '../mails/outbox.ts'
import type { LogCheck } from './logCheck.ts'

type Db = Kysely<Tables>

interface MailRow {
  event_id: string
  template: string
  settled: boolean
}

/**
 * A check that knows what the outbox holds; mails due since `settledBefore` may wait. Those that
 * failed are listed elsewhere: they wait for another attempt, or for somebody to look at them.
 */
export async function mailsAreOneAnEvent(db: Db, settledBefore: Date): Promise<LogCheck> {
  // In this order: whatever is queued meanwhile is more than is asked for, never less.
  const reached = await positionOf(db, mailOutbox.name)
  const { rows } = await sql<MailRow>`
    select event_id, template,
      sent_at is not null
        or state in ('retrying', 'undeliverable', 'dropped')
        or state = 'due' and due_at >= ${settledBefore} as settled
    from shop.mails
    where not account
  `.execute(db)
  const outbox = new Map(rows.map(row => [`${row.event_id} ${row.template}`, row]))
  const accounted = new Set<string>()
  let examined = 0
  return {
    name: 'one mail an event and template, sent',
    see(_, event) {
      if (event === undefined || !hasTemplate(event)) return []
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
      return mail.settled ? [] : [`${key}: queued and not sent`]
    },
    conclude: () =>
      [...outbox.keys()].filter(key => !accounted.has(key)).map(key => `${key}: no such event`),
    examined: () => examined,
  }
}
