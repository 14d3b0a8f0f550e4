// Passwords over HTTP: changed by who knows the old one, reset by who gets the mail.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logIn as signIn } from '../../src/commands/account/accounts.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { mailsTo, resetLink } from '../support/accountMails.ts'
import { atOnce, expectProblem } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const newPassword = 'a staple for the horse'
let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ settings: { PUBLIC_URL: 'https://shop.example.com/' } })
})
afterAll(() => app?.close())

const logIn = (person: Person, using: string) =>
  app.anyone.post('/auth/login', { username: person.username, password: using })

async function secondSession(person: Person) {
  const { body } = await logIn(person, password)
  return Object.assign({ tokens: { access: '', refresh: '' } }, body).tokens
}

const refresh = (token: string) => app.anyone.post('/auth/token/refresh', { refresh: token })

describe('changing a password', () => {
  it('ends the other sessions, keeps this one, and tells the owner by mail', async () => {
    const person = await app.person()
    const other = await secondSession(person)
    const answer = await person.client.post('/auth/password/change', {
      oldPassword: password,
      newPassword,
    })
    expect(answer.status).toBe(204)
    expect((await logIn(person, password)).status).toBe(401)
    expect((await logIn(person, newPassword)).status).toBe(200)
    expectProblem(await refresh(other.refresh), 401, 'account/invalid-token')
    expect((await refresh(person.refresh)).status).toBe(200)
    await waitFor('the news', async () => {
      return (await mailsTo(app, person, 'Your password was changed')).length === 1
    })
  })

  it('ends sign-ins that were under way with the one of before', async () => {
    const person = await app.person()
    const { accounts, passwords, sessions, ...more } = app.back.accounts
    const change = () =>
      person.client.post('/auth/password/change', { oldPassword: password, newPassword })
    const slow = {
      ...passwords,
      // While it is being compared its owner changes it.
      async verify(given: string, hash: string) {
        const isRight = await passwords.verify(given, hash)
        expect((await change()).status).toBe(204)
        return isRight
      },
    }
    const services = { ...more, accounts, sessions, passwords: slow }
    const login = { login: person.username, password }
    expect(isRejection(await signIn(app.back.app, services, login))).toBe(true)
    expect(await sessions.list(person.id)).toHaveLength(1)
  })

  it.each(['a change', 'a reset'])('ends sessions that begin while it waits: %s', async how => {
    const person = await app.person()
    const { accounts, recovery, sessions } = app.back.accounts
    const token = (await recovery.issue(person.id, 0)) ?? ''
    const { passwordHash: hash = '' } = (await accounts.findById(person.id)) ?? {}
    const next = { hash, number: 1 }
    const customerId = person.id
    // As a sign-in does it that has found the password of before.
    const signingIn = await app.back.pool.connect()
    await signingIn.query('begin')
    await signingIn.query('select from shop.accounts where customer_id = $1 for share', [person.id])
    const keep = randomUUID()
    const done =
      how === 'a change'
        ? accounts.changePassword({ customerId, old: { hash, number: 0 }, next, keep })
        : recovery.use({ customerId, token, number: 0 }, next)
    await waitFor('whoever changes it to wait', async () => {
      const { rows } = await app.back.pool.query(`select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      return rows.length > 0
    })
    await sessions.open(person.id)
    await signingIn.query('commit')
    signingIn.release()
    expect(await done).toBe(true)
    expect(await sessions.list(person.id)).toEqual([])
  })

  it('needs the password that is there now', async () => {
    const person = await app.person()
    const wrong = { oldPassword: 'not the one', newPassword }
    const answer = await person.client.post('/auth/password/change', wrong)
    const { errors } = expectProblem(answer, 403, 'account/wrong-password')
    expect(errors[0]?.pointer).toBe('/oldPassword')
    expectProblem(
      await app.anyone.post('/auth/password/change', wrong),
      401,
      'request/unauthenticated',
    )
  })

  it('refuses what is weak: common, short, one’s own name or address', async () => {
    const person = await app.person()
    for (const weak of ['password123', person.username, person.email.toUpperCase()]) {
      const answer = await person.client.post('/auth/password/change', {
        oldPassword: password,
        newPassword: weak,
      })
      const { errors } = expectProblem(answer, 400, 'account/weak-password')
      expect(errors[0]?.pointer).toBe('/newPassword')
    }
    const short = { oldPassword: password, newPassword: 'seven77' }
    const answer = await person.client.post('/auth/password/change', short)
    expectProblem(answer, 400, 'account/invalid')
  })

  it('is not for a session that has ended', async () => {
    const person = await app.person()
    await person.client.post('/auth/logout')
    const change = { oldPassword: password, newPassword }
    const answer = await person.client.post('/auth/password/change', change)
    expectProblem(answer, 401, 'request/unauthenticated')
  })
})

describe('a password that was forgotten', () => {
  it('is set anew with the link of a mail; all sessions end, nobody is signed in', async () => {
    const person = await app.person()
    const { link, uid, token } = await resetLink(app, person)
    expect(link.href).toContain('https://shop.example.com/reset-password#')
    expect(link.search).toBe('')
    expect(uid).toBe(person.id)
    const answer = await app.anyone.post('/auth/password/reset/confirm', {
      uid,
      token,
      newPassword,
    })
    expect(answer.status).toBe(204)
    expect((await logIn(person, newPassword)).status).toBe(200)
    expectProblem(await refresh(person.refresh), 401, 'account/invalid-token')
    await waitFor('the news', async () => {
      return (await mailsTo(app, person, 'Your password was changed')).length === 1
    })
  })

  it('is set by one of fifty who use a link at the same time', async () => {
    const person = await app.person()
    const { uid, token } = await resetLink(app, person)
    const { recovery } = app.back.accounts
    const reset = { customerId: uid, token, number: 0 }
    const used = await atOnce(50, index =>
      recovery.use(reset, { hash: `hash ${index}`, number: 1 }),
    )
    expect(used.filter(Boolean)).toHaveLength(1)
    const late = await app.anyone.post('/auth/password/reset/confirm', { uid, token, newPassword })
    expectProblem(late, 400, 'account/reset-expired')
  })

  it('is not set with a link that is void, old, or somebody else’s', async () => {
    const [person, other] = [await app.person(), await app.person()]
    const first = await resetLink(app, person)
    const second = await resetLink(app, person, 2)
    const confirm = (uid: string, token: string) =>
      app.anyone.post('/auth/password/reset/confirm', { uid, token, newPassword })
    for (const [uid, token] of [
      [first.uid, first.token],
      [other.id, second.token],
      [person.id, 'x'.repeat(43)],
      [person.id, person.access.slice(0, 200)],
    ] as const) {
      expectProblem(await confirm(uid, token), 400, 'account/reset-expired')
    }
    await app.back.pool.query(
      `update shop.password_resets set expires_at = now() - interval '1 second'
      where customer_id = $1 and ended_at is null`,
      [person.id],
    )
    expectProblem(await confirm(person.id, second.token), 400, 'account/reset-expired')
    expect((await logIn(person, password)).status).toBe(200)
  })

  it('keeps its link when the new password is refused', async () => {
    const person = await app.person()
    const { uid, token } = await resetLink(app, person)
    const confirm = (given: string) =>
      app.anyone.post('/auth/password/reset/confirm', { uid, token, newPassword: given })
    expectProblem(await confirm('password123'), 400, 'account/weak-password')
    expect((await confirm(newPassword)).status).toBe(204)
  })

  it('asked for again and again is mailed about three times an hour', async () => {
    const person = await app.person()
    for (let count = 1; count <= 3; count += 1) await resetLink(app, person, count)
    await app.anyone.post('/auth/password/reset', { email: person.email })
    await waitFor('an empty queue', async () => (await waiting()).length === 0)
    expect(await mailsTo(app, person, 'Set a new password')).toHaveLength(3)
  })

  it('is answered alike for an unknown address, by the same one row', async () => {
    const stopped = await startTestApp({ workers: false })
    try {
      const known = await stopped.person()
      const ask = (email: string) => stopped.anyone.post('/auth/password/reset', { email })
      const [first, second] = [await ask(known.email), await ask('nobody@example.com')]
      expect([first.status, second.status]).toEqual([202, 202])
      expect(first.body).toEqual(second.body)
      const { rows } = await stopped.back.pool.query(
        `select * from shop.mails where template = 'password-reset'`,
      )
      expect(rows).toHaveLength(2)
      expect(Object.keys(rows[0])).toEqual(Object.keys(rows[1]))
      expect(rows.map(row => row.customer_id)).toEqual([null, null])
      expect(JSON.stringify(rows)).not.toContain('example.com')
    } finally {
      await stopped.close()
    }
  })

  it('leads to the shop, whatever host a request names', async () => {
    const person = await app.person()
    await app.anyone.post(
      '/auth/password/reset',
      { email: person.email.toUpperCase() },
      { headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' } },
    )
    const mail = await waitFor('the mail', async () => {
      return (await mailsTo(app, person, 'Set a new password'))[0]
    })
    expect(mail.text).toContain('https://shop.example.com/reset-password#')
    expect(mail.raw).not.toContain('evil.example')
  })

  it('has a token of which only a digest is kept', async () => {
    const person = await app.person()
    const { token } = await resetLink(app, person)
    const { rows } = await app.back.pool.query('select * from shop.password_resets')
    expect(JSON.stringify(rows)).toContain(person.id)
    expect(JSON.stringify(rows)).not.toContain(token)
  })
})

async function waiting() {
  return (
    await app.back.pool.query(
      `select mail_id from shop.mails where account and state in ('due', 'retrying')`,
    )
  ).rows
}

describe('a shop that is published over https', () => {
  it('tells browsers to come by https alone, whatever they ask for', async () => {
    for (const path of ['//healthz', '/products', '/orders', '/nowhere', '//reset-password']) {
      const { headers } = await app.anyone.get(path)
      expect(headers.get('strict-transport-security')).toMatch(/^max-age=31536000\b/)
    }
  })

  it('and one that is not does not', async () => {
    const plain = await startTestApp({ workers: false })
    try {
      const { headers } = await plain.anyone.get('/products')
      expect(headers.get('strict-transport-security')).toBeNull()
    } finally {
      await plain.close()
    }
  })
})
