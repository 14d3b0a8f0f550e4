// Accounts in the database: who has a name first, and what is left of those who never finished.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAccounts } from '../../src/infra/accounts/accounts.ts'
import { createSeals } from '../../src/infra/crypto/personKeys.ts'
import type { Accounts } from '../../src/ports/accounts.ts'
import { type Lodge, openLodge } from '../support/accounts.ts'

let lodge: Lodge
let accounts: Accounts

beforeAll(async () => {
  lodge = await openLodge()
  accounts = createAccounts(lodge.pool, lodge.secrets)
})
afterAll(() => lodge.close())

function account(username: string, email = `${username}@example.com`) {
  return { customerId: randomUUID(), username, email, passwordHash: 'hash' }
}

async function confirmed(username: string, email?: string) {
  const made = account(username, email)
  expect(await accounts.reserve(made)).toBe('reserved')
  expect(await accounts.confirm(made.customerId)).toBe(true)
  return made
}

async function age(customerId: string, seconds: number) {
  await lodge.pool.query(
    `update shop.accounts
    set created_at = created_at - make_interval(secs => $2)
    where customer_id = $1`,
    [customerId, seconds],
  )
}

describe('a name', () => {
  it('is had once, whatever its case', async () => {
    await confirmed('Ada')
    expect(await accounts.reserve(account('aDA', 'other@example.com'))).toBe('username-taken')
  })

  it('goes to exactly one of many who claim it at once', async () => {
    const claims = Array.from({ length: 10 }, (_, n) => account('grace', `${n}@example.com`))
    const answers = await Promise.all(claims.map(claim => accounts.reserve(claim)))
    expect(answers.filter(answer => answer === 'reserved')).toHaveLength(1)
    expect(answers.filter(answer => answer === 'username-taken')).toHaveLength(9)
  })
})

describe('an address', () => {
  it('is had once, whatever its case', async () => {
    await confirmed('mary', 'Mary@Example.com')
    expect(await accounts.reserve(account('mary2', 'mary@example.COM'))).toBe('email-taken')
  })

  it('is not in the table', async () => {
    await confirmed('secretive', 'canary@example.com')
    const { rows } = await lodge.pool.query('select * from shop.accounts')
    expect(JSON.stringify(rows)).not.toContain('canary')
  })

  it('finds its account before a name that looks the same', async () => {
    const impostor = await confirmed('victim@example.com', 'mallory@example.com')
    expect((await accounts.findByLogin('victim@example.com'))?.customerId).toBe(impostor.customerId)
    expect(await accounts.findByEmail('victim@example.com')).toBeUndefined()
    const victim = await confirmed('victim', 'victim@example.com')
    expect((await accounts.findByLogin('victim@example.com'))?.customerId).toBe(victim.customerId)
  })
})

describe('an account that is not confirmed', () => {
  it('holds its name for a minute', async () => {
    const first = account('slow')
    await accounts.reserve(first)
    await age(first.customerId, 55)
    expect(await accounts.reserve(account('slow'))).toBe('username-taken')
  })

  it('is taken over after it, and its person forgotten', async () => {
    const first = account('stalled')
    await accounts.reserve(first)
    const seals = () => createSeals(lodge.pool, lodge.secrets)
    const sealed = await seals().seal(first.customerId, 'stalled@example.com')
    await age(first.customerId, 61)
    const second = account('stalled')
    expect(await accounts.reserve(second)).toBe('reserved')
    expect(await accounts.confirm(first.customerId)).toBe(false)
    expect(await accounts.confirm(second.customerId)).toBe(true)
    expect(await seals().open(first.customerId, sealed)).toBeUndefined()
  })

  it('gives way when name and address are held by two of them', async () => {
    const holders = [account('half1'), account('half2')]
    for (const holder of holders) {
      await accounts.reserve(holder)
      await age(holder.customerId, 61)
    }
    expect(await accounts.reserve(account('half1', 'half2@example.com'))).toBe('reserved')
  })

  it('goes to one of many who take it over at once', async () => {
    const first = account('popular')
    await accounts.reserve(first)
    await age(first.customerId, 61)
    const claims = Array.from({ length: 8 }, () => account('popular'))
    const answers = await Promise.all(claims.map(claim => accounts.reserve(claim)))
    expect(answers.filter(answer => answer === 'reserved')).toHaveLength(1)
  })

  it('is given up at once where that is asked', async () => {
    const first = account('failed')
    await accounts.reserve(first)
    await accounts.release(first.customerId)
    expect(await accounts.reserve(account('failed'))).toBe('reserved')
  })
})

describe('a confirmed account', () => {
  it('is neither taken over nor given up', async () => {
    const { customerId, username } = await confirmed('settled')
    await age(customerId, 86_400)
    await accounts.release(customerId)
    expect(await accounts.reserve(account(username))).toBe('username-taken')
    expect(await accounts.findById(customerId)).toMatchObject({ username, confirmed: true })
  })

  it('can be disabled and enabled again', async () => {
    const { customerId } = await confirmed('naughty')
    expect(await accounts.setDisabled(customerId, true)).toBe(true)
    expect(await accounts.findByLogin('NAUGHTY@example.com ')).toMatchObject({ disabled: true })
    await accounts.setDisabled(customerId, false)
    expect(await accounts.findByUsername('Naughty')).toMatchObject({ disabled: false })
    expect(await accounts.setDisabled(randomUUID(), true)).toBe(false)
  })
})

it.each(['nobody', '\0', "' or 1=1 --", '', 'x'.repeat(10_000)])('%j finds nobody', async login => {
  expect(await accounts.findByLogin(login)).toBeUndefined()
})
