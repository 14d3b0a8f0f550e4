// Password changes, safe against concurrent sign-ins with the previous password.
import type { Accounts } from '../../ports/accounts.ts'
import { boundHash } from '../crypto/rowSeals.ts'
import type { Secrets } from '../crypto/secrets.ts'
import {
  type Pool,
  type Queryable,
  rows,
  type Statement,
  transaction,
} from '../postgres/database.ts'

/**
 * After a password change: a pending change of the e-mail address is cancelled, because it may have
 * been requested with the previous password, and the owner is informed.
 */
export const afterPassword = `unwanted as (
      delete from shop.email_changes e
      using changed c
      join shop.accounts a using (customer_id)
      where e.customer_id = c.customer_id and a.moving_since is null
    ), told as (
      insert into shop.mails (event_id, template, account, customer_id)
      select gen_random_uuid(), 'password-changed', true, customer_id from changed
    )
    select customer_id from changed`
const replacePassword: Statement = {
  name: 'accounts_replace_password',
  text: `with changed as (
      update shop.accounts
      set password_hash = $3
      where customer_id = $1 and password_hash = $2
      returning customer_id
    ), voided as (
      update shop.password_resets r
      set ended_at = now()
      from changed c
      where r.customer_id = c.customer_id and r.ended_at is null
    ), ended as (
      update shop.sessions s
      set revoked_at = now()
      from changed c
      where s.customer_id = c.customer_id and s.family <> $4 and s.revoked_at is null
    ), ${afterPassword}`,
}
// The row lock serialises this with password changes.
const hasPassword: Statement = {
  name: 'accounts_has_password',
  text: `select customer_id from shop.accounts
    where customer_id = $1 and password_hash = $2
    for share`,
}

/**
 * Keeps an account for the rest of a transaction. Sessions that are opened with its password are
 * opened before, so that the next statement sees and ends them, or find that it has changed.
 */
export async function lockAccount(session: Queryable, customerId: string): Promise<void> {
  const text = 'select from shop.accounts where customer_id = $1 for update'
  await rows(session, { name: 'accounts_lock', text }, [customerId])
}

/** How the password of an account is changed, and whether it still is the one. */
export function passwordChanges(
  pool: Pool,
  secrets: Secrets,
): Pick<Accounts, 'changePassword' | 'hasPassword'> {
  return {
    changePassword: ({ customerId, old, next, keep }) =>
      transaction(pool, async session => {
        await lockAccount(session, customerId)
        const hashes = [old, next].map(({ hash, number }) =>
          boundHash(secrets, customerId, hash, number),
        )
        const changed = await rows(session, replacePassword, [customerId, ...hashes, keep])
        return changed.length > 0
      }),
    async hasPassword({ customerId, passwordHash, passwordNumber }) {
      const current = boundHash(secrets, customerId, passwordHash, passwordNumber)
      return (await rows(pool, hasPassword, [customerId, current])).length > 0
    },
  }
}
