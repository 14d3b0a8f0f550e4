// Changes of address and password when the process dies at any point: sign-in and profile agree in
// the end, and the owner hears of it.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute, systemEnvelope } from '../../src/commands/command.ts'
import { changeProfile } from '../../src/commands/customer.ts'
import { mailsTo } from '../support/accountMails.ts'
import { type Person, password, startTestShop, type TestShop } from '../support/testShop.ts'
import { waitFor } from '../support/waitFor.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await startTestShop()
})
afterAll(() => shop?.close())

const signIn = async (email: string) =>
  (await shop.anyone.post('/auth/login', { email, password })).status

/** The account is claimed for the new address, and then the process dies. */
async function claim(person: Person): Promise<string> {
  const email = `moved-${person.email}`
  expect(await shop.back.accounts.accounts.changeEmail(person.id, email)).toBe(true)
  return email
}

const pretendItWasLongAgo = (person: Person) =>
  shop.back.pool.query(
    `update shop.accounts set moving_since = now() - interval '1 minute' where customer_id = $1`,
    [person.id],
  )

describe('a change of address whose process dies', () => {
  it('before the log has it, has not happened', async () => {
    const person = await shop.person()
    const email = await claim(person)
    expect(await signIn(email)).toBe(200)
    await pretendItWasLongAgo(person)
    await waitFor('the old address', async () => (await signIn(person.email)) === 200)
    expect(await signIn(email)).toBe(401)
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
  })

  it('after the log has it, has happened, and the old address is told', async () => {
    const person = await shop.person()
    const email = await claim(person)
    const actor = { role: 'customer', id: person.id, roles: ['customer'] } as const
    const envelope = { ...systemEnvelope('test', new Date(), randomUUID()), actor }
    await execute(shop.back.shop, changeProfile, { email }, envelope)
    await pretendItWasLongAgo(person)
    await waitFor('the end of the move', async () => {
      const { rows } = await shop.back.pool.query(
        'select moving_since from shop.accounts where customer_id = $1',
        [person.id],
      )
      return rows[0]?.moving_since === null
    })
    expect([await signIn(email), await signIn(person.email)]).toEqual([200, 401])
    expect((await person.client.get('/auth/profile')).body.email).toBe(email)
    await waitFor('the warning', async () => {
      return (await mailsTo(shop, person, 'Your address was changed')).length === 1
    })
  })
})

describe('a change of password', () => {
  it('is one step with the mail that tells of it', async () => {
    const person = await shop.person()
    const { accounts } = shop.back.accounts
    const { passwordHash: oldHash = '' } = (await accounts.findById(person.id)) ?? {}
    // Nothing of it may be there when one part cannot be.
    await shop.back.pool.query(
      `alter table shop.mails add constraint no_news check (template <> 'password-changed')`,
    )
    const change = { customerId: person.id, oldHash, newHash: oldHash, keep: randomUUID() }
    await expect(accounts.changePassword(change)).rejects.toThrow()
    expect(
      (await shop.anyone.post('/auth/token/refresh', { refresh: person.refresh })).status,
    ).toBe(200)
    await shop.back.pool.query('alter table shop.mails drop constraint no_news')
    expect(await accounts.changePassword(change)).toBe(true)
    await waitFor('the news', async () => {
      return (await mailsTo(shop, person, 'Your password was changed')).length === 1
    })
  })
})
