// Forgotten passwords: reset tokens, of which digests are kept, and the mails that carry them.
import { randomUUID } from 'node:crypto'
import type { MailSubject, Recovery, ResetToken } from '../../ports/accounts.ts'
import { authenticated, digestOf, isAuthentic, newSecret } from '../crypto/randomSecrets.ts'
import { boundHash } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement, transaction } from '../postgres/database.ts'
import { emailDigest } from './accounts.ts'
import { endOf, expiryColumn, issueOnlyToken } from './mailedTokens.ts'
import { afterPassword, lockAccount } from './passwordChanges.ts'

/** The longest that OWASP ASVS 6.5.5 allows for what is sent out of band. */
const ttlSeconds = 600
const perHourMax = 3

const queueMail: Statement = {
  name: 'account_mails_queue',
  text: `insert into shop.mails
      (event_id, template, account, email_digest)
    values ($1, $2, true, $3)`,
}

const findSubject: Statement = {
  name: 'account_mails_subject',
  text: `select a.customer_id, m.revision
    from shop.mails m
    join shop.accounts a on a.customer_id = m.customer_id or a.email_digest = m.email_digest
    where m.event_id = $1
      and m.template = $2
      and a.confirmed
      and not a.disabled`,
}

const issueToken: Statement = {
  name: 'password_resets_issue',
  text: `with account as (
      select a.customer_id
      from shop.accounts a
      where a.customer_id = $1
        and $4 > (
          select count(*)
          from shop.password_resets r
          where r.customer_id = a.customer_id and r.issued_at > now() - interval '1 hour'
        )
    ), voided as (
      update shop.password_resets r
      set ended_at = now()
      from account a
      where r.customer_id = a.customer_id and r.ended_at is null
    )
    insert into shop.password_resets (token_digest, customer_id, expires_at)
    select $2, customer_id, to_timestamp($3)
    from account
    returning customer_id`,
}

const withdrawToken: Statement = {
  name: 'password_resets_withdraw',
  text: 'delete from shop.password_resets where token_digest = $1',
}

const findToken: Statement = {
  name: 'password_resets_find',
  text: `select r.customer_id, ${expiryColumn('r.expires_at')}
    from shop.password_resets r
    join shop.accounts a using (customer_id)
    where r.token_digest = $2
      and r.customer_id = $1
      and r.ended_at is null
      and r.expires_at > now()
      and not a.disabled`,
}
// The row lock of the first update lets one of many through; the rest follows from it.
const useToken: Statement = {
  name: 'password_resets_use',
  text: `with used as (
      update shop.password_resets
      set ended_at = now()
      where token_digest = $2
        and customer_id = $1
        and ended_at is null
        and expires_at > now()
      returning customer_id
    ), ended as (
      update shop.sessions s
      set revoked_at = now()
      from used u
      where s.customer_id = u.customer_id and s.revoked_at is null
    ), changed as (
      update shop.accounts a
      -- The link proves access to the address that it was mailed to.
      set password_hash = $3, confirmed_digest = a.email_digest
      from used u
      where a.customer_id = u.customer_id and not a.disabled
      returning a.customer_id
    ), ${afterPassword}`,
}

interface CustomerRow {
  customer_id: string
}

interface SubjectRow extends CustomerRow {
  revision: number | null
}

/**
 * A token that was used is good no more whatever its row says, for the password has another number;
 * and one that has ended was made for the end that it had.
 */
function goodFor(
  { customerId, number }: Pick<ResetToken, 'customerId' | 'number'>,
  end: number | string,
): string[] {
  return ['reset', customerId, String(number), String(end)]
}

/** Recovery over shop.password_resets and shop.mails. Throws Unavailable. */
export function createRecovery(pool: Pool, secrets: Secrets): Recovery {
  const ask = <Row extends CustomerRow>(statement: Statement, values: unknown[]) =>
    rows<Row>(pool, statement, values)
  const isGood = async (reset: ResetToken) => {
    const values = [reset.customerId, digestOf(reset.token)]
    const [row] = await ask<CustomerRow & { ends_at: string }>(findToken, values)
    return row !== undefined && isAuthentic(secrets, reset.token, goodFor(reset, row.ends_at))
  }
  return {
    async askReset(email) {
      const digest = emailDigest(secrets, email)
      await ask(queueMail, [randomUUID(), 'password-reset', digest])
    },
    async issue(customerId, number) {
      const end = endOf(ttlSeconds)
      const token = authenticated(secrets, newSecret(), goodFor({ customerId, number }, end))
      const values = [customerId, digestOf(token), end, perHourMax]
      const isIssued = await issueOnlyToken(pool, customerId, { statement: issueToken, values })
      return isIssued ? token : undefined
    },
    async withdraw(token) {
      await ask(withdrawToken, [digestOf(token)])
    },
    isGood,
    use: async (reset, { hash, number }) => {
      const { customerId, token } = reset
      const current = boundHash(secrets, customerId, hash, number)
      if (!(await isGood(reset))) return false
      return transaction(pool, async session => {
        await lockAccount(session, customerId)
        return (await rows(session, useToken, [customerId, digestOf(token), current])).length > 0
      })
    },
    async subjectOf(eventId, template) {
      const [found] = await ask<SubjectRow>(findSubject, [eventId, template])
      if (found === undefined) return undefined
      const { customer_id: customerId, revision } = found
      return { customerId, revision } satisfies MailSubject
    },
  }
}
