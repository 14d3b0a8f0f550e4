// The open sessions of a person, and the deletion of expired ones.
import type { OpenSession, Sessions } from '../../ports/accounts.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'

interface SessionRow {
  family: string
  device: string | null
  opened_at: Date
  last_used_at: Date
  expires_at: Date
}

const listSessions: Statement = {
  name: 'sessions_list',
  text: `select s.family, s.device, s.opened_at, s.expires_at,
      max(t.issued_at) as last_used_at
    from shop.sessions s
    join shop.refresh_tokens t using (family)
    where s.customer_id = $1
      and s.revoked_at is null
      and s.expires_at > now()
    group by s.family
    having max(t.expires_at) > now()
    order by last_used_at desc, s.family
    limit 1000`,
}
const closeSession: Statement = {
  name: 'sessions_close_own',
  text: `update shop.sessions
    set revoked_at = now()
    where customer_id = $1 and family = $2 and revoked_at is null and expires_at > now()
    returning family`,
}
const findGood: Statement = {
  name: 'sessions_find_good',
  text: `select s.family
    from shop.sessions s
    join shop.accounts a using (customer_id)
    where s.customer_id = $1
      and s.family = $2
      and s.revoked_at is null
      and s.expires_at > now()
      and not a.disabled`,
}
const findGoodOnes: Statement = {
  name: 'sessions_find_good_ones',
  text: `select s.family
    from shop.sessions s
    join shop.accounts a using (customer_id)
    where s.family = any($1::uuid[])
      and s.revoked_at is null
      and s.expires_at > now()
      and not a.disabled`,
}
// For a day it can still be seen what came of a session; then its tokens are like made-up ones.
const purgeSessions: Statement = {
  name: 'sessions_purge',
  text: `with ended as (
      delete from shop.sessions s
      where s.expires_at < now()
        or s.revoked_at < now() - interval '1 day'
        or not exists (
          select from shop.refresh_tokens t where t.family = s.family and t.expires_at > now()
        )
    ), used_tickets as (
      delete from shop.tickets where expires_at < now()
    ), old_resets as (
      delete from shop.password_resets where issued_at < now() - interval '1 day'
    ), old_confirmations as (
      delete from shop.email_tokens where expires_at < now()
    ), given_up as (
      delete from shop.email_changes e
      using shop.accounts a
      where e.asked_at < now() - interval '7 days'
        and a.customer_id = e.customer_id
        and a.moving_since is null
    )
    delete from shop.mails
    where account
      and revision is null
      and queued_at < now() - interval '1 day'
      and state <> 'undeliverable'`,
}
// Limits look back for a day.
const eraseRecipients: Statement = {
  name: 'mails_forget_recipients',
  text: `update shop.mails
    set recipient = null
    where recipient is not null and sent_at < now() - interval '1 day'`,
}

type OpenSessions = Pick<Sessions, 'list' | 'closeOwn' | 'isGood' | 'goodOf' | 'purge'>

/** What is asked about sessions as a whole. Throws Unavailable. */
export function openSessions(pool: Pool): OpenSessions {
  const find = (statement: Statement, values: unknown[]) =>
    rows<{ family: string }>(pool, statement, values)
  return {
    async list(customerId) {
      const found = await rows<SessionRow>(pool, listSessions, [customerId])
      return found.map(sessionOf)
    },
    closeOwn: async (customerId, family) =>
      (await find(closeSession, [customerId, family])).length > 0,
    isGood: async (customerId, family) => (await find(findGood, [customerId, family])).length > 0,
    goodOf: async families =>
      new Set((await find(findGoodOnes, [families])).map(({ family }) => family)),
    async purge() {
      await rows(pool, purgeSessions)
      await rows(pool, eraseRecipients)
    },
  }
}

function sessionOf(row: SessionRow): OpenSession {
  return {
    family: row.family,
    device: row.device,
    openedAt: row.opened_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  }
}
