// Signing up, in and out, as a customer meets it; real accounts, tokens and hashes.
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createAdmin,
  logIn,
  logOut,
  refresh,
  register,
} from '../../src/commands/account/accounts.ts'
import { isRejection, type Rejection } from '../../src/domain/kernel/rejection.ts'
import { createAccounts } from '../../src/infra/accounts/accounts.ts'
import { newRefreshToken } from '../../src/infra/accounts/refreshTokens.ts'
import { createSessions } from '../../src/infra/accounts/sessions.ts'
import { createPool } from '../../src/infra/postgres/database.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import { type AccountShop, openAccountShop, testSecretKey } from '../support/accounts.ts'

let open: AccountShop

beforeAll(async () => {
  open = await openAccountShop()
})
afterAll(() => open.close())

const password = 'difference engine'

function credentials(username: string) {
  return { username, email: `${username}@example.com`, password }
}

function accepted<T>(outcome: T | Rejection): T {
  if (isRejection(outcome)) throw new Error(outcome.rejected)
  return outcome
}

const registered = async (username: string) =>
  accepted(await register(open.app, open.services, credentials(username)))
const loggedIn = (login: string, word = password) =>
  logIn(open.app, open.services, { login, password: word })
const refreshed = (token: string) => refresh(open.app, open.services, { refresh: token })

async function speaksFor(access: string) {
  return open.services.tokens.verifyAccess(access)
}

describe('registering', () => {
  it('makes a customer and signs them in', async () => {
    const { app, services, eventStore } = open
    const names = { firstName: 'Ada', lastName: '' }
    const made = accepted(await register(app, services, { ...credentials('ada'), ...names }))
    expect(made.user).toEqual({
      id: made.user.id,
      username: 'ada',
      email: 'ada@example.com',
      firstName: 'Ada',
      lastName: null,
      roles: ['customer'],
    })
    expect(made.position).toBe(await eventStore.head())
    expect(await speaksFor(made.tokens.access)).toMatchObject({
      customerId: made.user.id,
      roles: ['customer'],
    })
  })

  it('refuses a name or an address that is taken, and records nothing', async () => {
    const { app, services, eventStore } = open
    await registered('bob')
    const head = await eventStore.head()
    const sameName = { ...credentials('Bob'), email: 'robert@example.com' }
    const sameAddress = { ...credentials('robert'), email: 'BOB@example.com' }
    expect(await register(app, services, sameName)).toMatchObject({
      rejected: 'account/username-taken',
    })
    expect(await register(app, services, sameAddress)).toMatchObject({
      rejected: 'account/email-taken',
    })
    expect(await eventStore.head()).toBe(head)
  })

  it('refuses what cannot be used before anything is stored', async () => {
    const outcome = await register(open.app, open.services, {
      ...credentials('weakling'),
      password: 'password123',
    })
    expect(outcome).toMatchObject({ rejected: 'account/weak-password' })
    expect(await open.services.accounts.findByLogin('weakling')).toBeUndefined()
  })

  it('lets one of ten at once have the name', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => register(open.app, open.services, credentials('contended'))),
    )
    expect(outcomes.filter(outcome => !isRejection(outcome))).toHaveLength(1)
    expect(await loggedIn('contended')).toHaveProperty('tokens')
  })

  it('can be tried again at once when the log was away', async () => {
    const away = new Unavailable('the event store cannot be reached')
    const customers = { ...open.app.customers, decide: () => Promise.reject(away) }
    const broken = register({ ...open.app, customers }, open.services, credentials('unlucky'))
    await expect(broken).rejects.toBe(away)
    expect(await registered('unlucky')).toHaveProperty('tokens')
  })

  it('keeps password, address and name out of the log', async () => {
    await registered('canary-name')
    const texts: string[] = []
    for await (const { data, metadata } of open.eventStore.readAll()) {
      texts.push(JSON.stringify({ data, metadata }))
    }
    const text = texts.join()
    expect(text).toContain('[erased]')
    for (const secret of [password, 'canary-name', '$2b$']) expect(text).not.toContain(secret)
  })
})

describe('a registration that died half-way', () => {
  /** The process ends between two steps: whatever comes after never happens. */
  async function die(username: string, at: 'introduce' | 'confirm') {
    const { app, services } = open
    const dead = new Promise<never>(() => undefined)
    const reached = Promise.withResolvers<void>()
    const stop = () => {
      reached.resolve()
      return dead
    }
    const accounts = { ...services.accounts, ...(at === 'confirm' && { confirm: stop }) }
    const customers = { ...app.customers, ...(at === 'introduce' && { decide: stop }) }
    void register({ ...app, customers }, { ...services, accounts }, credentials(username))
    await reached.promise
  }

  it('cannot be logged in to when the customer does not exist', async () => {
    await die('ghost', 'introduce')
    expect(await loggedIn('ghost')).toMatchObject({ rejected: 'account/invalid-credentials' })
  })

  it('is finished by its first login when the customer exists', async () => {
    await die('nearly', 'confirm')
    expect(await loggedIn('nearly', 'wrong password')).toHaveProperty('rejected')
    expect(await loggedIn('nearly')).toMatchObject({ user: { username: 'nearly' } })
    expect(await open.services.accounts.findByLogin('nearly')).toMatchObject({ confirmed: true })
  })

  it('gives its name to the next one after a minute', async () => {
    await die('phoenix', 'confirm')
    const again = () => register(open.app, open.services, credentials('phoenix'))
    expect(await again()).toMatchObject({ rejected: 'account/username-taken' })
    await open.pool.query(
      `update shop.accounts set created_at = now() - interval '61 seconds' where username = $1`,
      ['phoenix'],
    )
    expect(await again()).toMatchObject({ user: { username: 'phoenix' } })
  })
})

describe('logging in', () => {
  it('takes the name or the address, in any case', async () => {
    const { user } = await registered('carol')
    for (const login of ['carol', 'CAROL', 'Carol@Example.com']) {
      expect(await loggedIn(login)).toMatchObject({ user })
    }
  })

  it('gives one answer to wrong passwords and unknown names', async () => {
    await registered('dave')
    const wrong = await loggedIn('dave', 'not his password')
    expect(wrong).toMatchObject({ rejected: 'account/invalid-credentials' })
    expect(await loggedIn('nobody', 'not his password')).toEqual(wrong)
  })

  it('does the same work for unknown names', async () => {
    await registered('erin')
    const work: string[] = []
    const passwords = new Proxy(open.services.passwords, {
      get(target, name) {
        work.push(String(name))
        return Reflect.get(target, name)
      },
    })
    const services = { ...open.services, passwords }
    await logIn(open.app, services, { login: 'erin', password: 'wrong' })
    await logIn(open.app, services, { login: 'nobody', password: 'wrong' })
    expect(work).toEqual(['verify', 'verifyNothing'])
  })

  it('tells only who knows the password that an account is disabled', async () => {
    const { user, tokens } = await registered('frank')
    await open.services.accounts.setDisabled(user.id, true)
    expect(await loggedIn('frank')).toMatchObject({ rejected: 'account/disabled' })
    expect(await loggedIn('frank', 'wrong')).toMatchObject({
      rejected: 'account/invalid-credentials',
    })
    expect(await refreshed(tokens.refresh)).toMatchObject({ rejected: 'account/disabled' })
    await open.services.accounts.setDisabled(user.id, false)
    expect(await refreshed(tokens.refresh)).toMatchObject({ rejected: 'account/invalid-token' })
  })
})

describe('a session', () => {
  it('goes on with a new pair of tokens', async () => {
    const { user, tokens } = await registered('grace')
    const next = accepted(await refreshed(tokens.refresh))
    expect(next.user).toEqual(user)
    expect(next.tokens.refresh).not.toBe(tokens.refresh)
    const before = await speaksFor(tokens.access)
    expect(await speaksFor(next.tokens.access)).toEqual({ ...before, endsAt: expect.any(Date) })
  })

  it('ends when an old token comes back', async () => {
    const { tokens } = await registered('heidi')
    const second = accepted(await refreshed(tokens.refresh))
    const third = accepted(await refreshed(second.tokens.refresh))
    for (const token of [tokens.refresh, third.tokens.refresh, 'made up', tokens.access]) {
      expect(await refreshed(token)).toMatchObject({ rejected: 'account/invalid-token' })
    }
  })

  it('ends with logging out, and no other with it', async () => {
    const one = await registered('ivan')
    const other = accepted(await loggedIn('ivan'))
    const claims = await speaksFor(one.tokens.access)
    await logOut(open.services, claims?.sessionId ?? '')
    expect(await refreshed(one.tokens.refresh)).toHaveProperty('rejected')
    expect(await refreshed(other.tokens.refresh)).toHaveProperty('tokens')
  })

  it('has a refresh token that is no access token', async () => {
    const { tokens } = await registered('judy')
    expect(await speaksFor(tokens.refresh)).toBeUndefined()
  })
})

describe('creating an admin', () => {
  const asked = (username: string, email = `${username}@example.com`) =>
    createAdmin(open.app, open.services, {
      username,
      email,
      password: async () => password,
    })

  it('makes the account where there is none', async () => {
    expect(await asked('root')).toMatchObject({ created: true })
    expect(await loggedIn('root')).toMatchObject({ user: { roles: ['customer', 'admin'] } })
  })

  it('gives the role to an existing account without a password, from its next tokens', async () => {
    const { tokens } = await registered('kate')
    const request = { username: 'KATE', email: 'kate@example.com' }
    const outcome = await createAdmin(open.app, open.services, {
      ...request,
      password: () => Promise.reject(new Error('asked for a password')),
    })
    expect(outcome).toMatchObject({ created: false })
    const { tokens: next } = accepted(await refreshed(tokens.refresh))
    expect(await speaksFor(next.access)).toMatchObject({ roles: ['customer', 'admin'] })
  })

  it('gives nothing to somebody who has only the name or only the address', async () => {
    await registered('mallory')
    await registered('trent')
    const sameName = await asked('mallory', 'boss@example.com')
    const sameAddress = await asked('boss', 'mallory@example.com')
    const ofTwo = await asked('mallory', 'trent@example.com')
    expect(sameName).toMatchObject({ rejected: 'account/username-taken' })
    expect(sameAddress).toMatchObject({ rejected: 'account/email-taken' })
    expect(ofTwo).toMatchObject({ rejected: 'account/username-taken' })
    expect(await loggedIn('mallory')).toMatchObject({ user: { roles: ['customer'] } })
  })

  it('takes no name that looks like the address for it', async () => {
    const boss = 'boss@example.org'
    const impostor = { username: boss, email: 'evil@example.org', password }
    accepted(await register(open.app, open.services, impostor))
    expect(await asked(boss, boss)).toMatchObject({ rejected: 'account/username-taken' })
  })
})

describe('a database that is away', () => {
  it('is weather, and the error shows no password, hash, address or key', async () => {
    const away = createPool('postgres://postgres:canary@127.0.0.1:1/none')
    const { secrets, services } = open
    const accounts = createAccounts(away, secrets)
    const sessions = createSessions(away, secrets, { ttlSeconds: 60 })
    const token = newRefreshToken(secrets, { family: randomUUID(), customerId: randomUUID() })
    const failures = await Promise.allSettled([
      register(open.app, { ...services, accounts }, credentials('logged')),
      logIn(open.app, { ...services, accounts }, { login: 'logged@example.com', password }),
      register(open.app, { ...services, sessions }, credentials('noted')),
      refresh(open.app, { ...services, sessions }, { refresh: token }),
    ])
    for (const failure of failures) {
      expect(failure).toMatchObject({ reason: expect.any(Unavailable) })
      const printed = inspect(failure, { depth: 10, showHidden: true })
      for (const secret of [password, '$2b$', '@example', token, 'canary', testSecretKey]) {
        expect(printed).not.toContain(secret)
      }
    }
    await away.end()
  })
})
