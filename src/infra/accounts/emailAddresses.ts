// Confirmed and pending e-mail addresses, and their confirmation tokens.

import { createKeyLoader } from '../../kit/batchLoader.ts'
import type { Addresses, AddressState, ConfirmedAddress } from '../../ports/accounts.ts'
import { authenticated, digestOf, isAuthentic, newSecret } from '../crypto/randomSecrets.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement, violatedConstraint } from '../postgres/database.ts'
import { emailDigest } from './accounts.ts'
import { endOf, expiryColumn, issueOnlyToken } from './mailedTokens.ts'

const ttlSeconds = 86_400
const perHourMax = 5

const voidTokens = `update shop.email_tokens t
      set ended_at = now()
      from changed c
      where t.customer_id = c.customer_id and t.ended_at is null`
// A move that is under way is not overwritten. The mails are queued in the same step.
const askForAddress: Statement = {
  name: 'email_changes_ask',
  text: `with changed as (
      insert into shop.email_changes as e (customer_id, sealed_email, email_digest, command_id)
      select a.customer_id, $2, $3, $4
      from shop.accounts a
      where a.customer_id = $1
        and a.moving_since is null
        and not exists (
          select from shop.accounts b where b.email_digest = $3 and b.customer_id <> $1
        )
      on conflict (customer_id) do update
      set sealed_email = $2, email_digest = $3, command_id = $4, asked_at = now()
      where e.command_id <> $4
      returning customer_id
    ), voided as (
      ${voidTokens}
    ), dropped as (
      -- It would go to the new address, too, and its link would void the other one.
      update shop.mails m
      set state = 'dropped', recipient = null
      from changed c
      where m.account
        and m.state in ('due', 'retrying')
        and m.template = 'email-confirm'
        and m.customer_id = c.customer_id
    ), told as (
      insert into shop.mails (event_id, template, account, customer_id)
      select gen_random_uuid(), t.template, true, c.customer_id
      from changed c
      cross join unnest(array['email-confirm', 'email-requested']) as t(template)
    )
    select customer_id from changed`,
}

const askAgain: Statement = {
  name: 'email_tokens_ask_again',
  text: `with changed as (
      select a.customer_id
      from shop.accounts a
      where a.customer_id = $1
        and (
          a.confirmed_digest is distinct from a.email_digest
          or exists (select from shop.email_changes e where e.customer_id = $1)
        )
    ), voided as (
      ${voidTokens}
    ), told as (
      insert into shop.mails (event_id, template, account, customer_id)
      select gen_random_uuid(), 'email-confirm', true, customer_id from changed
    )
    select customer_id from changed`,
}

const issueToken: Statement = {
  name: 'email_tokens_issue',
  text: `with changed as (
      select a.customer_id
      from shop.accounts a
      where a.customer_id = $1
        and $5 > (
          select count(*)
          from shop.email_tokens t
          where t.customer_id = a.customer_id and t.issued_at > now() - interval '1 hour'
        )
    ), voided as (
      ${voidTokens} and t.email_digest = $3
    )
    insert into shop.email_tokens (token_digest, customer_id, email_digest, expires_at)
    select $2, customer_id, $3, to_timestamp($4)
    from changed
    returning customer_id`,
}

const withdrawToken: Statement = {
  name: 'email_tokens_withdraw',
  text: 'delete from shop.email_tokens where token_digest = $1',
}

const findToken: Statement = {
  name: 'email_tokens_find',
  text: `select t.customer_id, t.email_digest, ${expiryColumn('t.expires_at')},
      exists (
        select from shop.accounts b
        where b.email_digest = t.email_digest and b.customer_id <> t.customer_id
      ) as is_taken
    from shop.email_tokens t
    where t.token_digest = $1 and t.ended_at is null and t.expires_at > now()`,
}
// The row lock of the first update lets one of many through; the rest follows from it. An address
// that is neither the one of the account nor the one that is wanted is not confirmed any more.
const useToken: Statement = {
  name: 'email_tokens_use',
  text: `with used as (
      update shop.email_tokens t
      set ended_at = now()
      from shop.accounts a
      left join shop.email_changes e using (customer_id)
      where t.token_digest = $1
        and t.ended_at is null
        and t.expires_at > now()
        and a.customer_id = t.customer_id
        and not a.disabled
        and t.email_digest in (a.email_digest, e.email_digest)
        and not exists (
          select from shop.accounts b
          where b.email_digest = t.email_digest and b.customer_id <> a.customer_id
        )
      returning t.customer_id, t.email_digest, t.email_digest <> a.email_digest as moves
    ), voided as (
      update shop.password_resets r
      set ended_at = now()
      from used u
      where u.moves and r.customer_id = u.customer_id and r.ended_at is null
    ), confirmed as (
      update shop.accounts a
      set email_digest = u.email_digest,
        confirmed_digest = u.email_digest,
        moving_since = case when u.moves then now() else a.moving_since end
      from used u
      where a.customer_id = u.customer_id
    )
    select customer_id, moves from used`,
}

const findState: Statement = {
  name: 'email_changes_standing',
  text: `select a.customer_id, e.sealed_email,
      a.confirmed_digest is not distinct from a.email_digest as is_confirmed,
      a.moving_since is not null and e.email_digest = a.email_digest as moves
    from shop.accounts a
    left join shop.email_changes e using (customer_id)
    where a.customer_id = $1`,
}

const findConfirmed: Statement = {
  name: 'accounts_confirmed_digests',
  text: `select customer_id, confirmed_digest
    from shop.accounts
    where customer_id = any($1::uuid[]) and confirmed_digest is not null`,
}

interface CustomerRow {
  customer_id: string
}

interface AddressRow extends CustomerRow {
  sealed_email: string | null
  is_confirmed: boolean
  moves: boolean | null
}

/** Addresses over shop.accounts, shop.email_changes and shop.email_tokens. Throws Unavailable. */
export function createAddresses(pool: Pool, secrets: Secrets): Addresses {
  const isDone = async (statement: Statement, values: unknown[]) =>
    (await rows(pool, statement, values)).length > 0
  const confirmedDigest = createKeyLoader<string>(async ids => {
    const found = await rows<CustomerRow & { confirmed_digest: string }>(pool, findConfirmed, [ids])
    return new Map(found.map(row => [row.customer_id, row.confirmed_digest]))
  }, 1_000)
  return {
    ask: ({ customerId, email, commandId }) => {
      const sealed = secrets.seal('pending-emails', email, customerId)
      const values = [customerId, sealed, emailDigest(secrets, email), commandId]
      return isDone(askForAddress, values)
    },
    askAgain: customerId => isDone(askAgain, [customerId]),
    issue: (customerId, email) => issue(pool, secrets, { customerId, email }),
    async withdraw(token) {
      await rows(pool, withdrawToken, [digestOf(token)])
    },
    use: token => use(pool, secrets, token),
    async stateOf(customerId) {
      const [row] = await rows<AddressRow>(pool, findState, [customerId])
      return row && addressStateOf(secrets, row)
    },
    async isConfirmed(customerId, email) {
      return (await confirmedDigest(customerId)) === emailDigest(secrets, email)
    },
  }
}

function addressStateOf(secrets: Secrets, row: AddressRow): AddressState {
  const { customer_id: id, sealed_email: sealed, is_confirmed: isConfirmed, moves } = row
  const wanted = sealed === null ? undefined : secrets.open('pending-emails', sealed, id)
  return { isConfirmed, wanted, moves: moves === true }
}

async function issue(
  pool: Pool,
  secrets: Secrets,
  { customerId, email }: { customerId: string; email: string },
): Promise<string | undefined> {
  const digest = emailDigest(secrets, email)
  const end = endOf(ttlSeconds)
  const token = authenticated(secrets, newSecret(), ['email', customerId, digest, String(end)])
  const values = [customerId, digestOf(token), digest, end, perHourMax]
  const isIssued = await issueOnlyToken(pool, customerId, { statement: issueToken, values })
  return isIssued ? token : undefined
}

interface TokenRow extends CustomerRow {
  email_digest: string
  ends_at: string
  is_taken: boolean
}

async function use(
  pool: Pool,
  secrets: Secrets,
  token: string,
): Promise<ConfirmedAddress | 'expired' | 'taken'> {
  const digest = digestOf(token)
  const [found] = await rows<TokenRow>(pool, findToken, [digest])
  if (found === undefined) return 'expired'
  const goodFor = ['email', found.customer_id, found.email_digest, found.ends_at]
  if (!isAuthentic(secrets, token, goodFor)) return 'expired'
  if (found.is_taken) return 'taken'
  try {
    const [used] = await rows<CustomerRow & { moves: boolean }>(pool, useToken, [digest])
    return used === undefined ? 'expired' : { customerId: used.customer_id, moves: used.moves }
  } catch (error) {
    // Somebody has registered with it at the same moment.
    if (violatedConstraint(error) === 'accounts_email') return 'taken'
    throw error
  }
}
