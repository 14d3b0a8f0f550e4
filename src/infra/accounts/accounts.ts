// Accounts: who may sign in. Of an address only a digest is kept, enough to find its account.
import { createHmac } from 'node:crypto'
import type { Account, Accounts, NewAccount, Traces } from '../../ports/accounts.ts'
import { boundHash, openPassword } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'
import { passwordChanges } from './passwordChanges.ts'

interface AccountRow {
  customer_id: string
  username: string
  password_hash: string | null
  confirmed: boolean
  disabled: boolean
}

const columns = 'customer_id, username, password_hash, confirmed, disabled'

const insertAccount: Statement = {
  name: 'accounts_insert',
  text: `insert into shop.accounts
      (customer_id, username, email_digest, password_hash, requested_by)
    values ($1, $2, $3, $4, $5)
    on conflict do nothing
    returning ${columns}`,
}
const erasePersonKey = `insert into shop.person_keys (subject, erased_at)
    select customer_id, now()
    from gone
    on conflict (subject) do update set sealed_key = null, erased_at = now()
    returning subject`
// Their streams may hold what the person had entered: with the key it becomes unreadable.
const deleteStale: Statement = {
  name: 'accounts_forget_stale',
  text: `with gone as (
      delete from shop.accounts
      where not confirmed
        and created_at < now() - interval '60 seconds'
        and (lower(username) = lower($1) or email_digest = $2)
      returning customer_id
    )
    ${erasePersonKey}`,
}
const deleteUnconfirmed: Statement = {
  name: 'accounts_forget_unconfirmed',
  text: `with gone as (
      delete from shop.accounts
      where customer_id = $1 and not confirmed
      returning customer_id
    )
    ${erasePersonKey}`,
}
const findByUsername: Statement = {
  name: 'accounts_find_by_username',
  text: `select ${columns} from shop.accounts where lower(username) = lower($1)`,
}
const findByEmail: Statement = {
  name: 'accounts_find_by_email',
  text: `select ${columns} from shop.accounts where email_digest = $1`,
}
// The mail that asks its owner to confirm the address is queued with it, once.
const confirmAccount: Statement = {
  name: 'accounts_confirm',
  text: `with before as (
      select customer_id as id, confirmed as was
      from shop.accounts
      where customer_id = $1
      for update
    ), told as (
      insert into shop.mails (event_id, template, account, customer_id)
      select gen_random_uuid(), 'email-confirm', true, id from before where not was
    )
    update shop.accounts
    set confirmed = true
    from before
    where customer_id = before.id
    returning ${columns}`,
}
const findByLogin: Statement = {
  name: 'accounts_find_by_login',
  text: `select ${columns}
    from shop.accounts
    where lower(username) = lower($1) or email_digest = $2
    order by email_digest = $2 desc
    limit 1`,
}
const findById: Statement = {
  name: 'accounts_find_by_id',
  text: `select ${columns} from shop.accounts where customer_id = $1`,
}
const findByRequest: Statement = {
  name: 'accounts_find_by_request',
  text: `select ${columns} from shop.accounts where requested_by = $1`,
}
const setDisabled: Statement = {
  name: 'accounts_set_disabled',
  text: `update shop.accounts set disabled = $2 where customer_id = $1 returning ${columns}`,
}
// Where another account has taken the address, the account keeps its own.
const settleEmail: Statement = {
  name: 'accounts_settle_email',
  text: `with done as (
      delete from shop.email_changes where customer_id = $1 and email_digest = $2
    )
    update shop.accounts a
    set moving_since = null,
      email_digest = case
        when exists (
          select from shop.accounts b where b.email_digest = $2 and b.customer_id <> $1
        ) then a.email_digest
        else $2
      end
    where customer_id = $1`,
}
const findMoving: Statement = {
  name: 'accounts_moving',
  text: `select ${columns}
    from shop.accounts
    where moving_since < now() - make_interval(secs => $1)
    order by moving_since
    limit 100`,
}
const erase: Statement = {
  name: 'accounts_forget_for_good',
  text: 'select shop.forget_person($1)',
}
const countTraces: Statement = {
  name: 'accounts_traces',
  text: `select k.erased_at, k.sealed_key is not null as has_key,
      (select count(*) from shop.accounts where customer_id = $1)::integer as accounts,
      (select count(*) from shop.sessions where customer_id = $1)::integer as sessions,
      ((select count(*) from shop.password_resets where customer_id = $1)
        + (select count(*) from shop.email_tokens where customer_id = $1))::integer as resets,
      (select count(*) from shop.mails where customer_id = $1)::integer as mails
    from shop.person_keys k
    where k.subject = $1`,
}

interface TracesRow extends Omit<Traces, 'erasedAt' | 'hasKey'> {
  erased_at: Date | null
  has_key: boolean
}

/** Accounts over shop.accounts. Throws Unavailable. */
export function createAccounts(pool: Pool, secrets: Secrets): Accounts {
  const ask = (statement: Statement, values: unknown[]) => rows<AccountRow>(pool, statement, values)
  const find = async (statement: Statement, ...values: string[]) => {
    // PostgreSQL text cannot hold NUL, so no account has such a name.
    if (values.some(value => value.includes('\0'))) return undefined
    const [row] = await ask(statement, values)
    return row && accountOf(secrets, row)
  }
  return {
    reserve: account => {
      const passwordHash = boundHash(secrets, account.customerId, account.passwordHash)
      return reserve(ask, { ...account, passwordHash }, emailDigest(secrets, account.email))
    },
    confirm: async customerId => (await ask(confirmAccount, [customerId])).length > 0,
    async release(customerId) {
      await ask(deleteUnconfirmed, [customerId])
    },
    findByLogin(login) {
      const text = plain(login)
      return find(findByLogin, text, emailDigest(secrets, text))
    },
    findByUsername: username => find(findByUsername, plain(username)),
    findByEmail: email => find(findByEmail, emailDigest(secrets, plain(email))),
    findById: customerId => find(findById, customerId),
    findByRequest: requestedBy => find(findByRequest, requestedBy),
    setDisabled: async (customerId, disabled) =>
      (await ask(setDisabled, [customerId, disabled])).length > 0,
    ...passwordChanges(pool, secrets),
    ...addressMoves(ask, secrets),
    digestOf: email => emailDigest(secrets, email),
    async forget(customerId) {
      await rows(pool, erase, [customerId])
    },
    async traces(customerId) {
      const [row] = await rows<TracesRow>(pool, countTraces, [customerId])
      return tracesOf(row)
    },
  }
}

type Ask = (statement: Statement, values: unknown[]) => Promise<AccountRow[]>
type AddressMoves = Pick<Accounts, 'settleEmail' | 'moving'>

function addressMoves(ask: Ask, secrets: Secrets): AddressMoves {
  return {
    async settleEmail(customerId, email) {
      await ask(settleEmail, [customerId, emailDigest(secrets, email)])
    },
    async moving(forSeconds) {
      const found = await ask(findMoving, [forSeconds])
      return found.map(({ customer_id }) => customer_id)
    },
  }
}

function tracesOf(row: TracesRow | undefined): Traces {
  const { accounts = 0, sessions = 0, resets = 0, mails = 0 } = row ?? {}
  const erasedAt = row?.erased_at ?? undefined
  return { erasedAt, hasKey: row?.has_key ?? false, accounts, sessions, resets, mails }
}

async function reserve(
  ask: (statement: Statement, values: unknown[]) => Promise<AccountRow[]>,
  { customerId, username, passwordHash, requestedBy }: NewAccount,
  digest: string,
) {
  const values = [customerId, username, digest, passwordHash, requestedBy ?? null]
  const insert = () => ask(insertAccount, values)
  if ((await insert()).length > 0) return 'reserved'
  const forgotten = await ask(deleteStale, [username, digest])
  if (forgotten.length > 0 && (await insert()).length > 0) return 'reserved'
  const [holder] = await ask(findByUsername, [username])
  return holder === undefined ? 'email-taken' : 'username-taken'
}

// As commands/account/credentials.ts leaves what is registered.
function plain(login: string): string {
  return login.trim().normalize('NFKC')
}

/** By which an address can be recognised and not be read; without regard to case and spelling. */
export function emailDigest(secrets: Secrets, email: string): string {
  const hmac = createHmac('sha256', secrets.key('email'))
  return hmac.update(plain(email).toLowerCase()).digest('base64url')
}

/** No password leads to it. */
const noHash = ''

function accountOf(secrets: Secrets, row: AccountRow): Account {
  // One that was brought here from another account opens nothing.
  const password = openPassword(secrets, row.customer_id, row.password_hash ?? '')
  return {
    customerId: row.customer_id,
    username: row.username,
    passwordHash: password?.hash ?? noHash,
    passwordNumber: password?.number ?? 0,
    confirmed: row.confirmed,
    disabled: row.disabled,
  }
}
