// What admins do with mails of the queue: try one again, or give it up.
import type { MailBox, MailVerdict } from '../../ports/mailBox.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

// A mail that is sent stays sent. One that is being sent at this moment may be sent nevertheless.
const retryMail: Statement = {
  name: 'mails_retry',
  text: `with found as (
      select event_id, template, state from shop.mails where mail_id = $1 for update
    ), changed as (
      update shop.mails m
      set state = 'due', due_at = now(), attempts = 0, failed_since = null
      from found f
      where m.event_id = f.event_id and m.template = f.template and f.state <> 'sent'
      returning m.mail_id
    )
    select f.state <> 'sent' as changed from found f`,
}

const dropMail: Statement = {
  name: 'mails_drop',
  text: `with found as (
      select event_id, template, state from shop.mails where mail_id = $1 for update
    ), changed as (
      update shop.mails m
      set state = 'dropped', recipient = null
      from found f
      where m.event_id = f.event_id and m.template = f.template and f.state <> 'sent'
      returning m.mail_id
    )
    select f.state <> 'sent' as changed from found f`,
}

interface Found {
  changed: boolean
}

/** Over shop.mails. Throws Unavailable. */
export function createMailBox(pool: Pool): MailBox {
  const decide = async (statement: Statement, mailId: string): Promise<MailVerdict> => {
    const [found] = await rows<Found>(pool, statement, [mailId])
    if (found === undefined) return 'not-found'
    return found.changed ? 'changed' : 'sent'
  }
  return {
    retry: mailId => decide(retryMail, mailId),
    drop: mailId => decide(dropMail, mailId),
  }
}
