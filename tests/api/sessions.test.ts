// Where somebody is signed in, and tickets that open a WebSocket once.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../support/goods.ts'
import { followSocket, handshakeStatus } from '../support/liveFeed.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

describe('the sessions of somebody', () => {
  it('are listed with their device, this one marked, and end one by one', async () => {
    const person = await app.person()
    const login = await app.anyone.post(
      '/auth/login',
      { username: person.username, password },
      { headers: { 'user-agent': 'Telephone/7' } },
    )
    const { tokens } = Object.assign({ tokens: { refresh: '' } }, login.body)
    const { body } = await person.client.get('/auth/sessions')
    expect(body.data).toHaveLength(2)
    const other = body.data.find(each => each.device === 'Telephone/7')
    expect(other).toMatchObject({ current: false, id: expect.any(String) })
    expect(body.data.filter(each => each.current)).toHaveLength(1)
    expect((await person.client.delete(`/auth/sessions/${other?.id}`)).status).toBe(204)
    const spent = await app.anyone.post('/auth/token/refresh', { refresh: tokens.refresh })
    expectProblem(spent, 401, 'account/invalid-token')
    expect((await person.client.get('/auth/sessions')).body.data).toHaveLength(1)
  })

  it('are nobody else’s to end', async () => {
    const [person, stranger] = [await app.person(), await app.person()]
    const { body } = await person.client.get('/auth/sessions')
    const path = `/auth/sessions/${body.data[0]?.id}`
    const { requestId: _, ...foreign } = expectProblem(
      await stranger.client.delete(path),
      404,
      'request/not-found',
    )
    const { requestId: __, ...missing } = expectProblem(
      await stranger.client.delete(`/auth/sessions/${stranger.id}`),
      404,
      'request/not-found',
    )
    expect(foreign).toEqual(missing)
    expect((await person.client.get('/auth/sessions')).status).toBe(200)
  })

  it('are closed to a token whose session has ended', async () => {
    const person = await app.person()
    const { body } = await person.client.get('/auth/sessions')
    await person.client.delete(`/auth/sessions/${body.data[0]?.id}`)
    for (const answer of [
      await person.client.get('/auth/sessions'),
      await person.client.post('/auth/tickets'),
    ]) {
      expectProblem(answer, 401, 'request/unauthenticated')
    }
  })
})

describe('a session that has ended', () => {
  const newPassword = 'another good sentence 7'
  it.each([
    ['by signing out', (one: Person) => one.client.post('/auth/logout')],
    [
      'by name',
      async (one: Person) => {
        const { data } = (await one.client.get('/auth/sessions')).body
        return one.client.delete(`/auth/sessions/${data.find(({ current }) => current)?.id}`)
      },
    ],
    [
      'by another password',
      async ({ username }: Person) => {
        const { body } = await app.anyone.post('/auth/login', { username, password })
        const { tokens } = Object.assign({ tokens: { access: '' } }, body)
        const change = { oldPassword: password, newPassword }
        return app.as(tokens.access).post('/auth/password/change', change)
      },
    ],
  ])('lets nobody order or read any more: %s', async (_, end) => {
    const person = await app.person()
    expect((await person.client.get('/orders')).status).toBe(200)
    expect((await end(person)).status).toBe(204)
    expectProblem(await person.client.get('/orders'), 401, 'request/unauthenticated')
  })
})

describe('a ticket', () => {
  const ticketOf = async (person: { client: TestApp['anyone'] }) => {
    const answer = await person.client.post('/auth/tickets')
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    return String(answer.body.ticket)
  }
  const open = (ticket: string) => followSocket(app.url, { protocols: ['ticket', ticket] })
  const statusOf = (ticket: string) =>
    handshakeStatus(app.url, { protocols: ['ticket', ticket].filter(Boolean) })

  it('opens one WebSocket, and no second one', async () => {
    const ticket = await ticketOf(await app.person())
    const follower = await open(ticket)
    await waitFor('a greeting', () => follower.messages.some(({ type }) => type === 'connected'))
    expect(await statusOf(ticket)).toBe(401)
    follower.cut()
  })

  it('speaks for the staff in the roles of now', async () => {
    const follower = await open(await ticketOf(await app.person('support')))
    follower.say({ subscribe: 'orders:all' })
    await waitFor('an answer', () => follower.messages.some(({ type }) => type === 'subscribed'))
    follower.cut()
  })

  it('is worth nothing when it is old, made up, or its session has ended', async () => {
    const person = await app.person()
    const old = await ticketOf(person)
    await app.back.pool.query('update shop.tickets set expires_at = now() where customer_id = $1', [
      person.id,
    ])
    expect(await statusOf(old)).toBe(401)
    const orphaned = await ticketOf(person)
    await person.client.post('/auth/logout')
    for (const ticket of [orphaned, 'x'.repeat(43), '']) {
      expect(await statusOf(ticket)).toBe(401)
    }
  })

  it('is worth nothing where somebody has written it into the database', async () => {
    const made = 'x'.repeat(65)
    await app.back.pool.query(
      `insert into shop.tickets (ticket_digest, customer_id, family, expires_at)
      select $1, customer_id, family, now() + interval '1 minute'
      from shop.sessions where customer_id = $2 and revoked_at is null limit 1`,
      [createHash('sha256').update(made).digest('base64url'), app.admin.id],
    )
    expect(await statusOf(made)).toBe(401)
  })

  it('is kept as a digest', async () => {
    const ticket = await ticketOf(await app.person())
    const { rows } = await app.back.pool.query('select * from shop.tickets')
    expect(rows.length).toBeGreaterThan(0)
    expect(JSON.stringify(rows)).not.toContain(ticket)
  })
})
