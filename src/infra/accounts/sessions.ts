// Sessions and their refresh tokens, which work once; only digests of them are kept.
import { randomUUID } from 'node:crypto'
import type { Session, Sessions } from '../../ports/accounts.ts'
import { digestOf } from '../crypto/randomSecrets.ts'
import type { Secrets } from '../crypto/secrets.ts'
import { type Pool, rows, type Statement } from '../postgres/database.ts'
import { openSessions } from './openSessions.ts'
import { newRefreshToken, readRefreshToken, successorOf, type TokenOwner } from './refreshTokens.ts'
import { tickets } from './tickets.ts'

export interface SessionsOptions {
  /** A session ends this long after its sign-in, however busy it is. */
  ttlSeconds: number
  idleSeconds?: number
  /** How long a client that lost an answer may ask for it again. */
  graceSeconds?: number
}

interface FamilyRow {
  family: string
  customer_id: string
}

interface SpentRow extends FamilyRow {
  is_spent: boolean
  is_graced: boolean
}

const openSession: Statement = {
  name: 'sessions_open',
  text: `with session as (
      insert into shop.sessions (family, customer_id, expires_at, device)
      values ($1, $2, now() + make_interval(secs => $4), $6)
      returning family, expires_at
    )
    insert into shop.refresh_tokens (token_digest, family, expires_at)
    select $3, family, least(now() + make_interval(secs => $5), expires_at)
    from session`,
}
// The row lock of the update lets one of many concurrent requests through.
const spendToken: Statement = {
  name: 'sessions_spend',
  text: `with spent as (
      update shop.refresh_tokens t
      set spent_at = now()
      from shop.sessions s
      where t.token_digest = $1
        and t.spent_at is null
        and t.expires_at > now()
        and s.family = t.family
        and s.revoked_at is null
        and s.expires_at > now()
      returning t.family, s.customer_id, s.expires_at
    ), successor as (
      insert into shop.refresh_tokens (token_digest, family, expires_at)
      select $2, family, least(now() + make_interval(secs => $3), expires_at)
      from spent
    )
    select family, customer_id from spent`,
}
// Grace is for the immediate predecessor only: once the successor has been used, both are known.
const findSpent: Statement = {
  name: 'sessions_find_spent',
  text: `select t.family, s.customer_id, t.spent_at is not null as is_spent,
      coalesce(
        t.spent_at > now() - make_interval(secs => $3)
          and successor.spent_at is null
          and successor.expires_at > now(),
        false
      ) as is_graced
    from shop.refresh_tokens t
    join shop.sessions s using (family)
    left join shop.refresh_tokens successor on successor.token_digest = $2
    where t.token_digest = $1
      and s.revoked_at is null
      and s.expires_at > now()`,
}
const findFamily: Statement = {
  name: 'sessions_find_family',
  text: `select t.family, s.customer_id
    from shop.refresh_tokens t
    join shop.sessions s using (family)
    where t.token_digest = $1`,
}
const revokeFamily: Statement = {
  name: 'sessions_revoke',
  text: `update shop.sessions set revoked_at = now()
    where family = $1 and revoked_at is null`,
}
const revokeAll: Statement = {
  name: 'sessions_revoke_all',
  text: `update shop.sessions set revoked_at = now()
    where customer_id = $1 and revoked_at is null`,
}

/** Sessions over shop.sessions and shop.refresh_tokens. Throws Unavailable. */
export function createSessions(pool: Pool, secrets: Secrets, options: SessionsOptions): Sessions {
  const { ttlSeconds, idleSeconds = 7 * 86_400, graceSeconds = 10 } = options
  const ask = <Row extends FamilyRow>(statement: Statement, values: unknown[]) =>
    rows<Row>(pool, statement, values)
  return {
    async open(customerId, device): Promise<Session> {
      const family = randomUUID()
      const refresh = newRefreshToken(secrets, { family, customerId })
      const digest = digestOf(refresh)
      const made = [family, customerId, digest, ttlSeconds, idleSeconds, device ?? null]
      await ask(openSession, made)
      return { refresh, family }
    },
    async rotate(token) {
      const owner = readRefreshToken(secrets, token)
      if (owner === undefined) return 'unknown'
      const refresh = successorOf(secrets, token, owner)
      const digests = [digestOf(token), digestOf(refresh)]
      const [rotated] = await ask(spendToken, [...digests, idleSeconds])
      if (rotated !== undefined) {
        return isOf(owner, rotated) ? sessionOf(rotated, refresh) : 'unknown'
      }
      const [spent] = await ask<SpentRow>(findSpent, [...digests, graceSeconds])
      if (spent !== undefined && !isOf(owner, spent)) return 'unknown'
      if (spent?.is_graced) return sessionOf(spent, refresh)
      if (!spent?.is_spent) return 'unknown'
      await ask(revokeFamily, [spent.family])
      return 'reused'
    },
    async familyOf(refresh) {
      const owner = readRefreshToken(secrets, refresh)
      if (owner === undefined) return undefined
      const [row] = await ask(findFamily, [digestOf(refresh)])
      return row !== undefined && isOf(owner, row) ? row.family : undefined
    },
    async close(family) {
      await ask(revokeFamily, [family])
    },
    async closeAll(customerId) {
      await ask(revokeAll, [customerId])
    },
    ...openSessions(pool),
    ...tickets(pool, secrets),
  }
}

function sessionOf({ family, customer_id: customerId }: FamilyRow, refresh: string) {
  return { customerId, family, refresh }
}

/** A row that was written or moved past the shop belongs to somebody else than its token. */
function isOf(owner: TokenOwner, { family, customer_id: customerId }: FamilyRow): boolean {
  return owner.family === family && owner.customerId === customerId
}
