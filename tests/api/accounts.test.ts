// Accounts over HTTP: registering, signing in, staying signed in, the profile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let ada: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
})
afterAll(() => app?.close())

const newcomer = (name: string, more: object = {}) => ({
  username: name,
  email: `${name}@example.com`,
  password,
  ...more,
})

describe('registering', () => {
  it('signs the new customer in', async () => {
    const answer = await app.anyone.post(
      '/auth/register',
      newcomer('grace', { passwordConfirm: password, firstName: 'Grace', lastName: 'Hopper' }),
    )
    expect(answer.status).toBe(201)
    expect(answer.headers.get('x-position')).toBe(answer.body.position)
    expect(answer.body).toMatchObject({
      user: {
        username: 'grace',
        email: 'grace@example.com',
        firstName: 'Grace',
        lastName: 'Hopper',
        roles: ['customer'],
      },
      tokens: { access: expect.any(String), refresh: expect.any(String) },
    })
  })

  it('refuses a name or an address that is taken', async () => {
    const again = { ...newcomer('other'), username: ada.username.toUpperCase() }
    expectProblem(await app.anyone.post('/auth/register', again), 409, 'account/username-taken')
    const taken = { ...newcomer('other'), email: ada.email }
    expectProblem(await app.anyone.post('/auth/register', taken), 409, 'account/email-taken')
  })

  it('names every field that cannot be used', async () => {
    const answer = await app.anyone.post('/auth/register', {
      username: 'a b',
      email: 'nowhere',
      password: 'short',
    })
    const { errors } = expectProblem(answer, 400, 'account/invalid')
    expect(errors.map(each => each.pointer)).toEqual(['/username', '/email', '/password'])
  })

  it('refuses a password that everybody tries', async () => {
    const answer = await app.anyone.post('/auth/register', {
      ...newcomer('weak'),
      password: 'password123',
    })
    const { errors } = expectProblem(answer, 400, 'account/weak-password')
    expect(errors[0]?.pointer).toBe('/password')
  })

  it('refuses two passwords that differ', async () => {
    const body = newcomer('twice', { passwordConfirm: 'another one altogether' })
    const { errors } = expectProblem(
      await app.anyone.post('/auth/register', body),
      400,
      'request/invalid',
    )
    expect(errors[0]?.pointer).toBe('/passwordConfirm')
  })

  it('refuses unknown fields instead of dropping them', async () => {
    const body = newcomer('mallory', { role: 'admin' })
    const { errors } = expectProblem(
      await app.anyone.post('/auth/register', body),
      400,
      'request/invalid',
    )
    expect(errors).toMatchObject([{ pointer: '/role' }])
  })
})

describe('signing in', () => {
  it('takes the name or the address', async () => {
    for (const login of [{ username: ada.username }, { email: ada.email }]) {
      const answer = await app.anyone.post('/auth/login', { ...login, password })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('private, no-store')
      expect(answer.body).toMatchObject({ user: { id: ada.id } })
    }
  })

  it('answers a wrong password and an unknown name alike', async () => {
    const wrong = await app.anyone.post('/auth/login', {
      username: ada.username,
      password: 'not hers',
    })
    const unknown = await app.anyone.post('/auth/login', { username: 'nobody-here', password })
    const { requestId: _, ...first } = expectProblem(wrong, 401, 'account/invalid-credentials')
    const { requestId: __, ...second } = expectProblem(unknown, 401, 'account/invalid-credentials')
    expect(first).toEqual(second)
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('asks who somebody is', async () => {
    const answer = await app.anyone.post('/auth/login', { password })
    expect(expectProblem(answer, 400, 'request/invalid').errors[0]?.pointer).toBe('/username')
  })
})

describe('a refresh token', () => {
  it('gives a new pair once; used again, it ends the whole session', async () => {
    const person = await app.person()
    const first = await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })
    expect(first.status).toBe(200)
    const { tokens } = Object.assign({ tokens: { refresh: '' } }, first.body)
    expect(tokens.refresh).not.toBe(person.refresh)
    const next = await app.anyone.post('/auth/token/refresh', { refresh: tokens.refresh })
    expect(next.status).toBe(200)
    const spent = await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })
    expectProblem(spent, 401, 'account/invalid-token')
    const newest = Object.assign({ tokens: { refresh: '' } }, next.body).tokens.refresh
    const revoked = await app.anyone.post('/auth/token/refresh', { refresh: newest })
    expectProblem(revoked, 401, 'account/invalid-token')
  })

  it('is worth nothing after logging out', async () => {
    const person = await app.person()
    expect((await person.client.post('/auth/logout')).status).toBe(204)
    const answer = await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })
    expectProblem(answer, 401, 'account/invalid-token')
  })

  it('that was made up is refused like a spent one', async () => {
    const answer = await app.anyone.post('/auth/token/refresh', { refresh: 'x'.repeat(64) })
    expectProblem(answer, 401, 'account/invalid-token')
    expectProblem(await app.anyone.post('/auth/token/refresh', {}), 400, 'request/invalid')
  })
})

describe('an access token', () => {
  it('is needed for what is one’s own', async () => {
    for (const path of ['/auth/profile', '/orders']) {
      expectProblem(await app.anyone.get(path), 401, 'request/unauthenticated')
    }
    expectProblem(await app.anyone.post('/auth/logout'), 401, 'request/unauthenticated')
  })

  it('that is not ours is refused, even where none is needed', async () => {
    for (const token of ['nonsense', `${ada.access}x`, ada.refresh]) {
      expectProblem(await app.as(token).get('/orders'), 401, 'request/unauthenticated')
      expectProblem(await app.as(token).get('/products'), 401, 'request/unauthenticated')
    }
  })

  it('can be checked with the published keys', async () => {
    const { status, body } = await app.anyone.get('//.well-known/jwks.json')
    expect(status).toBe(200)
    expect(body.keys).toEqual([expect.objectContaining({ kty: 'OKP', crv: 'Ed25519' })])
    expect(JSON.stringify(body)).not.toContain('"d"')
  })
})

describe('the profile', () => {
  it('shows every field, empty ones as null', async () => {
    const person = await app.person()
    const { body, headers } = await person.client.get('/auth/profile')
    expect(body).toMatchObject({ id: person.id, email: person.email, firstName: null, city: null })
    const ifNoneMatch = headers.get('etag') ?? ''
    const again = await person.client.get('/auth/profile', { ifNoneMatch })
    expect(again.status).toBe(304)
  })

  it.each(['put', 'patch'] as const)('is changed by %s, field by field', async method => {
    const person = await app.person()
    const changed = await person.client[method]('/auth/profile', {
      firstName: 'Zoë',
      dateOfBirth: '1990-02-28',
      city: 'Łódź',
    })
    expect(changed.status).toBe(200)
    await person.client[method]('/auth/profile', { city: null })
    const { body } = await person.client.get('/auth/profile')
    expect(body).toMatchObject({ firstName: 'Zoë', dateOfBirth: '1990-02-28', city: null })
  })

  it('takes no address that is somebody else’s, or none at all', async () => {
    const person = await app.person()
    const taken = await person.client.patch('/auth/profile', {
      email: ada.email.toUpperCase(),
      currentPassword: password,
    })
    expectProblem(taken, 409, 'account/email-taken')
    const strange = await person.client.patch('/auth/profile', {
      email: 'nowhere',
      currentPassword: password,
    })
    expect(expectProblem(strange, 400, 'account/invalid').errors[0]?.pointer).toBe('/email')
    const none = await person.client.patch('/auth/profile', { email: null })
    expectProblem(none, 400, 'request/invalid')
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
  })

  it('keeps its address when the rest of the change is refused', async () => {
    const person = await app.person()
    const change = { email: `moved-${person.email}`, currentPassword: password }
    const stale = await person.client.patch('/auth/profile', change, { ifMatch: '"99"' })
    expectProblem(stale, 412, 'command/stale')
    expect((await person.client.get('/auth/profile')).body.pendingEmail).toBeNull()
  })

  it('refuses what does not belong in it', async () => {
    for (const [field, value] of Object.entries({
      role: 'admin',
      dateOfBirth: 'yesterday',
      firstName: 7,
      city: 'x'.repeat(101),
    })) {
      const answer = await ada.client.patch('/auth/profile', { [field]: value })
      const { errors } = expectProblem(answer, 400, 'request/invalid')
      expect(errors[0]?.pointer).toBe(`/${field}`)
    }
  })

  it('is not changed on a revision that is gone', async () => {
    const stale = await ada.client.patch('/auth/profile', { city: 'York' }, { ifMatch: '"99"' })
    expect(expectProblem(stale, 412, 'command/stale').currentRevision).toEqual(expect.any(Number))
    const strange = await ada.client.patch('/auth/profile', { city: 'York' }, { ifMatch: 'x' })
    expectProblem(strange, 400, 'request/invalid')
  })
})
