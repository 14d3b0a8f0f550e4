// Refresh tokens: each works once, reuse ends the session, a lost answer can be had again.
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSessions } from '../../src/infra/accounts/sessions.ts'
import type { Sessions } from '../../src/ports/accounts.ts'
import { type Lodge, openLodge } from '../support/accounts.ts'

let lodge: Lodge
let sessions: Sessions

beforeAll(async () => {
  lodge = await openLodge()
  sessions = createSessions(lodge.pool, lodge.secrets, { ttlSeconds: 30 * 86_400 })
})
afterAll(() => lodge.close())

async function rotated(token: string) {
  const outcome = await sessions.rotate(token)
  if (typeof outcome === 'string') throw new Error(outcome)
  return outcome
}

/** Lets time pass for one session. */
async function age(family: string, seconds: number) {
  for (const table of ['shop.sessions', 'shop.refresh_tokens']) {
    const spent =
      table === 'shop.sessions' ? '' : ', spent_at = spent_at - make_interval(secs => $2)'
    await lodge.pool.query(
      `update ${table} set expires_at = expires_at - make_interval(secs => $2) ${spent}
      where family = $1`,
      [family, seconds],
    )
  }
}

describe('a refresh token', () => {
  it('gives a successor in the same session', async () => {
    const customerId = randomUUID()
    const first = await sessions.open(customerId)
    const second = await rotated(first.refresh)
    expect(second).toMatchObject({ customerId, family: first.family })
    expect(second.refresh).not.toBe(first.refresh)
    expect(await rotated(second.refresh)).toMatchObject({ family: first.family })
  })

  it('is kept as a digest only', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    const { rows } = await lodge.pool.query<{ token_digest: string }>(
      'select token_digest from shop.refresh_tokens where family = $1',
      [family],
    )
    const digest = createHash('sha256').update(refresh).digest('base64url')
    expect(rows).toEqual([{ token_digest: digest }])
  })

  it.each([
    ['empty', ''],
    ['made up', 'A'.repeat(43)],
    ['longer', 'A'.repeat(64_000)],
    ['not a token', '\0; drop table shop.sessions'],
  ])('that is %s is unknown', async (_, token) => {
    expect(await sessions.rotate(token)).toBe('unknown')
  })

  it('has exactly one successor, however many ask at once', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    const answers = await Promise.all(Array.from({ length: 10 }, () => rotated(refresh)))
    expect(new Set(answers.map(answer => answer.refresh)).size).toBe(1)
    const { rows } = await lodge.pool.query(
      `select count(*) filter (where spent_at is null)::integer as live, count(*)::integer as all
      from shop.refresh_tokens
      where family = $1`,
      [family],
    )
    expect(rows).toEqual([{ live: 1, all: 2 }])
  })
})

describe('a refresh token that is used twice', () => {
  it('gives the same successor again within the grace', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    const answer = await rotated(refresh)
    await age(family, 9)
    expect(await rotated(refresh)).toEqual(answer)
  })

  it('ends the session after the grace', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    const answer = await rotated(refresh)
    await age(family, 11)
    expect(await sessions.rotate(refresh)).toBe('reused')
    expect(await sessions.rotate(answer.refresh)).toBe('unknown')
    expect(await sessions.rotate(refresh)).toBe('unknown')
  })

  it('ends the session within the grace once its successor has been used', async () => {
    const { refresh } = await sessions.open(randomUUID())
    const second = await rotated(refresh)
    const third = await rotated(second.refresh)
    expect(await sessions.rotate(refresh)).toBe('reused')
    expect(await sessions.rotate(third.refresh)).toBe('unknown')
  })

  it('leaves the other sessions of the customer alone', async () => {
    const customerId = randomUUID()
    const [one, other] = [await sessions.open(customerId), await sessions.open(customerId)]
    await rotated(one.refresh)
    await age(one.family, 11)
    expect(await sessions.rotate(one.refresh)).toBe('reused')
    expect(await rotated(other.refresh)).toMatchObject({ customerId })
  })
})

describe('a session', () => {
  it('ends after a week of idleness', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    await age(family, 7 * 86_400 + 1)
    expect(await sessions.rotate(refresh)).toBe('unknown')
  })

  it('ends at its absolute end, however busy it is', async () => {
    let { refresh, family } = await sessions.open(randomUUID())
    for (let day = 0; day < 30; day += 6) {
      refresh = (await rotated(refresh)).refresh
      await age(family, 6 * 86_400)
    }
    expect(await sessions.rotate(refresh)).toBe('unknown')
  })

  it('that is closed stays closed', async () => {
    const { refresh, family } = await sessions.open(randomUUID())
    const next = await rotated(refresh)
    await sessions.close(family)
    expect(await sessions.rotate(next.refresh)).toBe('unknown')
    expect(await sessions.rotate(refresh)).toBe('unknown')
  })

  it('that is closed while its token rotates has no live successor', async () => {
    const rounds = Array.from({ length: 20 }, async () => {
      const { refresh, family } = await sessions.open(randomUUID())
      const [answer] = await Promise.all([sessions.rotate(refresh), sessions.close(family)])
      return typeof answer === 'string' ? answer : sessions.rotate(answer.refresh)
    })
    expect(new Set(await Promise.all(rounds))).toEqual(new Set(['unknown']))
  })

  it('ends with all others of its customer', async () => {
    const customerId = randomUUID()
    const mine = [await sessions.open(customerId), await sessions.open(customerId)]
    const theirs = await sessions.open(randomUUID())
    await sessions.closeAll(customerId)
    for (const { refresh } of mine) expect(await sessions.rotate(refresh)).toBe('unknown')
    expect(await rotated(theirs.refresh)).toMatchObject({ family: theirs.family })
  })
})

describe('clearing away', () => {
  const left = async (family: string) => {
    const { rows } = await lodge.pool.query('select 1 from shop.sessions where family = $1', [
      family,
    ])
    return rows.length
  }

  it('deletes sessions that have ended, idled or were closed long ago, and no others', async () => {
    const [busy, ended, idle, closed] = [
      await sessions.open(randomUUID()),
      await sessions.open(randomUUID()),
      await sessions.open(randomUUID()),
      await sessions.open(randomUUID()),
    ]
    await age(ended.family, 31 * 86_400)
    await age(idle.family, 8 * 86_400)
    await sessions.close(closed.family)
    await sessions.purge()
    // For a day it can still be seen what came of it.
    expect(await left(closed.family)).toBe(1)
    await lodge.pool.query(
      `update shop.sessions set revoked_at = now() - interval '2 days' where family = $1`,
      [closed.family],
    )
    await sessions.purge()
    expect(
      await Promise.all([busy, ended, idle, closed].map(({ family }) => left(family))),
    ).toEqual([1, 0, 0, 0])
    expect(await rotated(busy.refresh)).toMatchObject({ family: busy.family })
  })

  it('deletes tickets, reset tokens and mails that are too old for anybody', async () => {
    const customerId = randomUUID()
    const { family } = await sessions.open(customerId)
    const old = await sessions.issueTicket(customerId, family)
    await lodge.pool.query('update shop.tickets set expires_at = now()')
    const fresh = await sessions.issueTicket(customerId, family)
    await lodge.pool.query(
      `insert into shop.password_resets (token_digest, customer_id, issued_at, expires_at)
      values ('old', $1, now() - interval '25 hours', now()), ('new', $1, now(), now())`,
      [customerId],
    )
    await lodge.pool.query(
      `insert into shop.mails (event_id, template, account, queued_at)
      values ($1, 'password-reset', true, now() - interval '25 hours'),
        ($2, 'password-reset', true, now())`,
      [randomUUID(), randomUUID()],
    )
    await sessions.purge()
    const { rows } = await lodge.pool.query(
      `select (select count(*) from shop.tickets)::integer as tickets,
        (select string_agg(token_digest, ' ') from shop.password_resets) as resets,
        (select count(*) from shop.mails)::integer as mails`,
    )
    expect(rows).toEqual([{ tickets: 1, resets: 'new', mails: 1 }])
    expect(await sessions.redeemTicket(old)).toBeUndefined()
    expect(await sessions.redeemTicket(fresh)).toEqual({ customerId, family })
    expect(await sessions.redeemTicket(fresh)).toBeUndefined()
  })
})
