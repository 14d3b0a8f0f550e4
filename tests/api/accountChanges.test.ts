// Changes of address and password when the process dies at any point: sign-in and profile agree in
// the end, and the owner hears of it.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { confirmToken, mailsTo } from '../support/accountMails.ts'
import { password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

const signIn = async (email: string) =>
  (await app.anyone.post('/auth/login', { email, password })).status

describe('a change of address whose process dies once the address is confirmed', () => {
  it('is finished by a worker: log, sign-in and the news to the old address', async () => {
    const person = await app.person()
    const email = `moved-${person.email}`
    await person.client.patch('/auth/profile', { email, currentPassword: password })
    const token = await confirmToken(app, email)
    const { customerId, moves } = await usedBy(token)
    expect([customerId, moves]).toEqual([person.id, true])
    // Nothing more has happened when the process dies.
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
    await app.back.pool.query(
      `update shop.accounts set moving_since = now() - interval '1 minute' where customer_id = $1`,
      [person.id],
    )
    await waitFor('the log', async () => {
      return (await person.client.get('/auth/profile')).body.pendingEmail === null
    })
    expect((await person.client.get('/auth/profile')).body).toMatchObject({
      email,
      emailConfirmed: true,
    })
    expect([await signIn(email), await signIn(person.email)]).toEqual([200, 401])
    await waitFor('the news', async () => {
      return (await mailsTo(app, person, 'Your address was changed')).length === 1
    })
  })
})

async function usedBy(token: string) {
  const used = await app.back.accounts.addresses.use(token)
  if (typeof used === 'string') throw new Error(used)
  return used
}

describe('a change of password', () => {
  it('is one step with the mail that tells of it', async () => {
    const person = await app.person()
    const { accounts } = app.back.accounts
    const { passwordHash: hash = '' } = (await accounts.findById(person.id)) ?? {}
    // Nothing of it may be there when one part cannot be.
    await app.back.pool.query(
      `alter table shop.mails add constraint no_news check (template <> 'password-changed')`,
    )
    const [old, next] = [
      { hash, number: 0 },
      { hash, number: 1 },
    ]
    const change = { customerId: person.id, old, next, keep: randomUUID() }
    await expect(accounts.changePassword(change)).rejects.toThrow()
    expect((await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })).status).toBe(
      200,
    )
    await app.back.pool.query('alter table shop.mails drop constraint no_news')
    expect(await accounts.changePassword(change)).toBe(true)
    await waitFor('the news', async () => {
      return (await mailsTo(app, person, 'Your password was changed')).length === 1
    })
  })
})
