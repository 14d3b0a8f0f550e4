// Addresses are confirmed by a link that is mailed to them; until then the one before is good.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { confirmAddress, confirmToken, mailsTo, resetLink } from '../support/accountMails.ts'
import { atOnce, expectProblem } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

const currentPassword = password
const signIn = async (email: string, using = password) =>
  (await app.anyone.post('/auth/login', { email, password: using })).status
const profileOf = async (person: Person) => (await person.client.get('/auth/profile')).body
const ask = (person: Person, email: string) =>
  person.client.patch('/auth/profile', { email, currentPassword })
const lockedOf = async ({ id }: Person) => {
  const found = 'select disabled from shop.accounts where customer_id = $1'
  return (await app.back.pool.query<{ disabled: boolean }>(found, [id])).rows[0]?.disabled
}

const confirm = (token: string) => app.anyone.post('/auth/email/confirm', { token })

describe('a new account', () => {
  it('works at once, and its address is confirmed by the link in a mail, once', async () => {
    const person = await app.person()
    const before = await person.client.get('/auth/profile')
    expect(before.body).toMatchObject({ emailConfirmed: false, pendingEmail: null })
    const token = await confirmToken(app, person.email)
    const answers = await atOnce(5, () => confirm(token))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 400, 400, 400, 400])
    expectProblem(await confirm(token), 400, 'account/confirmation-expired')
    expect(await profileOf(person)).toMatchObject({ email: person.email, emailConfirmed: true })
    const ifNoneMatch = before.headers.get('etag') ?? ''
    expect((await person.client.get('/auth/profile', { ifNoneMatch })).status).toBe(200)
    expectProblem(await person.client.post('/auth/email/resend'), 409, 'account/email-confirmed')
  })

  it('can have the link mailed again, which voids the one before', async () => {
    const person = await app.person()
    const first = await confirmToken(app, person.email)
    expect((await person.client.post('/auth/email/resend')).status).toBe(202)
    expectProblem(await confirm(first), 400, 'account/confirmation-expired')
    expect((await confirmAddress(app, person.email, 2)).status).toBe(204)
    expectProblem(await app.anyone.post('/auth/email/resend'), 401, 'request/unauthenticated')
  })

  it('has shown its address by a reset of the password, too', async () => {
    const person = await app.person()
    const { uid, token } = await resetLink(app, person)
    const newPassword = 'a staple for the horse'
    await app.anyone.post('/auth/password/reset/confirm', { uid, token, newPassword })
    const { addresses } = app.back.accounts
    expect(await addresses.isConfirmed(person.id, person.email)).toBe(true)
  })
})

describe('another address', () => {
  it.each(['put', 'patch'] as const)('asks for the password (%s)', async method => {
    const person = await app.person()
    const email = `moved-${person.email}`
    for (const wrong of [{}, { currentPassword: 'not the one' }]) {
      const answer = await person.client[method]('/auth/profile', { email, city: 'York', ...wrong })
      const { errors } = expectProblem(answer, 403, 'account/wrong-password')
      expect(errors[0]?.pointer).toBe('/currentPassword')
    }
    expect(await profileOf(person)).toMatchObject({ city: null, pendingEmail: null })
    const same = await person.client[method]('/auth/profile', { email: person.email, city: 'York' })
    expect(same.status).toBe(200)
  })

  it('waits for the link in a mail to it, while the one before is warned and good', async () => {
    const person = await app.person()
    await confirmAddress(app, person.email)
    const email = `moved-${person.email}`
    const changed = await ask(person, ` ${email} `)
    expect(changed.status).toBe(200)
    expect(await profileOf(person)).toMatchObject({
      email: person.email,
      emailConfirmed: true,
      pendingEmail: email,
    })
    expect([await signIn(person.email), await signIn(email)]).toEqual([200, 401])
    await waitFor('the warning', async () => {
      const all = await mailsTo(app, person, 'Your address is to be changed')
      return all.filter(mail => mail.deliveredTo.includes(person.email)).length === 1
    })
    expect((await confirmAddress(app, email)).status).toBe(204)
    expect(await profileOf(person)).toMatchObject({
      email,
      emailConfirmed: true,
      pendingEmail: null,
    })
    expect([await signIn(person.email), await signIn(email)]).toEqual([401, 200])
    await waitFor('the news', async () => {
      const all = await mailsTo(app, person, 'Your address was changed')
      return all.some(mail => mail.deliveredTo.includes(person.email))
    })
  })

  it('is asked for anew: the link of before is void', async () => {
    const person = await app.person()
    const [second, third] = [`second-${person.email}`, `third-${person.email}`]
    await ask(person, second)
    const token = await confirmToken(app, second)
    await ask(person, third)
    expectProblem(await confirm(token), 400, 'account/confirmation-expired')
    expect((await confirmAddress(app, third)).status).toBe(204)
    expect(await profileOf(person)).toMatchObject({ email: third, pendingEmail: null })
  })

  it('is asked for once by repeats of one request', async () => {
    const person = await app.person()
    const email = `moved-${person.email}`
    const again = () =>
      person.client.patch('/auth/profile', { email, currentPassword }, { key: 'once-and-only' })
    expect((await again()).status).toBe(200)
    const token = await confirmToken(app, email)
    expect((await again()).status).toBe(200)
    expect((await confirm(token)).status).toBe(204)
  })

  it('belongs to whoever has it when it is confirmed', async () => {
    const person = await app.person()
    const email = `wanted-${person.email}`
    await ask(person, email)
    const token = await confirmToken(app, email)
    const credentials = { username: `w${person.username}`, email, password }
    expect((await app.anyone.post('/auth/register', credentials)).status).toBe(201)
    expectProblem(await confirm(token), 409, 'account/email-taken')
    expect((await profileOf(person)).email).toBe(person.email)
    expectProblem(await ask(person, email), 409, 'account/email-taken')
  })

  it('is forgotten when the password is changed, for whoever asked may have known it', async () => {
    const person = await app.person()
    const email = `thief-${person.email}`
    await ask(person, email)
    const token = await confirmToken(app, email)
    const change = { oldPassword: password, newPassword: 'a staple for the horse' }
    expect((await person.client.post('/auth/password/change', change)).status).toBe(204)
    expect((await profileOf(person)).pendingEmail).toBeNull()
    expectProblem(await confirm(token), 400, 'account/confirmation-expired')
  })
})

describe('links', () => {
  it('end after a day, and made-up ones are none', async () => {
    const person = await app.person()
    const token = await confirmToken(app, person.email)
    const { rows } = await app.back.pool.query(
      `update shop.email_tokens set expires_at = now() - interval '1 second'
      where customer_id = $1
      returning extract(epoch from expires_at - issued_at) as seconds, token_digest`,
      [person.id],
    )
    expect(JSON.stringify(rows)).not.toContain(token.slice(0, 43))
    for (const each of [token, 'x'.repeat(65), 'x', '\u0000']) {
      expect((await confirm(each)).status).toBe(400)
    }
    expect((await profileOf(person)).emailConfirmed).toBe(false)
  })

  it('are none where somebody has written the row for one that the shop has not made', async () => {
    const person = await app.person()
    const made = `${'x'.repeat(43)}${'y'.repeat(22)}`
    await app.back.pool.query(
      `insert into shop.email_tokens (token_digest, customer_id, email_digest, expires_at)
      select $2, customer_id, email_digest, now() + interval '1 hour'
      from shop.accounts where customer_id = $1`,
      [person.id, createHash('sha256').update(made).digest('base64url')],
    )
    expect(await app.back.accounts.addresses.use(made)).toBe('expired')
    expect((await confirm(made)).status).toBe(400)
  })

  it('confirm nothing of an account that is locked out', async () => {
    const person = await app.person()
    const token = await confirmToken(app, person.email)
    const { admin } = app
    const path = `/admin/users/${person.id}`
    await admin.client.patch(path, { disabled: true }, { ifMatch: '*' })
    const { addresses } = app.back.accounts
    await waitFor('the account to be locked', async () => (await lockedOf(person)) === true)
    expect((await confirm(token)).status).toBe(400)
    expect((await addresses.stateOf(person.id))?.isConfirmed).toBe(false)
  })

  it('are five an hour at most, however often somebody asks', async () => {
    const person = await app.person()
    for (let asked = 1; asked <= 8; asked += 1) {
      expect((await person.client.post('/auth/email/resend')).status).toBe(202)
    }
    await waitFor('the mails to be settled', async () => {
      const { rows } = await app.back.pool.query<{ settled: number }>(
        `select count(*)::integer as settled from shop.mails
        where customer_id = $1 and template = 'email-confirm' and state in ('sent', 'dropped')`,
        [person.id],
      )
      return rows[0]?.settled === 9
    })
    expect(await mailsTo(app, person, 'Confirm your address')).toHaveLength(5)
  })

  it('lead to a page that asks before it confirms', async () => {
    const person = await app.person()
    const [mail] = await waitFor('the mail', async () => {
      const mails = await mailsTo(app, person, 'Confirm your address')
      return mails.length > 0 ? mails : undefined
    })
    expect(mail?.text).toContain(`${app.url}/confirm-email#token=`)
    expect(mail?.text).toMatch(/^Hello,/)
    const page = await fetch(`${app.url}/confirm-email`)
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
    const html = await page.text()
    expect(html).toContain('<button')
    expect(html).not.toMatch(/<script(?![^>]*src=)|\son\w+=|https?:/)
  })
})

describe('somebody who is erased', () => {
  it('leaves no address that was wanted, and no token', async () => {
    const person = await app.person()
    await ask(person, `wanted-${person.email}`)
    await confirmToken(app, `wanted-${person.email}`)
    expect((await person.client.delete('/auth/profile', { password })).status).toBeLessThan(300)
    const { rows } = await app.back.pool.query(
      `select (select count(*) from shop.email_changes where customer_id = $1)::integer as changes,
        (select count(*) from shop.email_tokens where customer_id = $1)::integer as tokens,
        (select count(*) from shop.mails where customer_id = $1)::integer as mails`,
      [person.id],
    )
    expect(rows).toEqual([{ changes: 0, tokens: 0, mails: 0 }])
  })
})
