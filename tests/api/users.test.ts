// Users as admins manage them: found, given roles, locked out; effective at once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app?.close())

async function change(person: Person, wanted: object) {
  const answer = await app.admin.client.patch(`/admin/users/${person.id}`, wanted, {
    ifMatch: '*',
  })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer
}

describe('looking for users', () => {
  it('finds them by part of a name, by address and by role', async () => {
    const person = await app.person('warehouse')
    const { body: profile } = await person.client.patch('/auth/profile', { firstName: 'Zoë' })
    const after = { after: profile.position }
    for (const query of [
      `search=${person.username.slice(2).toUpperCase()}`,
      `search=${encodeURIComponent(person.email)}`,
      `search=zo%C3%AB`,
      'role=warehouse',
    ]) {
      const { body } = await app.admin.client.get(`/admin/users?${query}`, after)
      expect(body.data, query).toHaveLength(1)
      expect(body).toMatchObject({ total: 1, data: [{ id: person.id, email: person.email }] })
    }
    for (const query of ['search=%25', 'search=_', 'search=%5C', 'disabled=true']) {
      const { body } = await app.admin.client.get(`/admin/users?${query}`, after)
      expect(body.total, query).toBe(0)
    }
  })

  it('goes by page and by cursor', async () => {
    await app.person()
    const { body } = await app.admin.client.get('/admin/users?limit=1')
    expect(body.data).toHaveLength(1)
    const next = await app.admin.client.get(
      `/admin/users?limit=1&cursor=${encodeURIComponent(String(body.nextCursor))}`,
    )
    expect(next.body.data).toHaveLength(1)
    expect(next.body.data[0]?.id).not.toBe(body.data[0]?.id)
  })

  it('is for admins, and auditors may look', async () => {
    const auditor = await app.person('auditor')
    expect((await auditor.client.get('/admin/users')).status).toBe(200)
    const path = `/admin/users/${auditor.id}`
    const refused = await auditor.client.patch(path, { roles: ['admin'] }, { ifMatch: '*' })
    expectProblem(refused, 403, 'command/forbidden')
    for (const person of [await app.person(), await app.person('support')]) {
      expectProblem(await person.client.get('/admin/users'), 403, 'command/forbidden')
      expectProblem(await person.client.get(path), 403, 'command/forbidden')
    }
  })
})

describe('changing a user', () => {
  it('goes by the version that the admin has seen', async () => {
    const person = await app.person()
    const path = `/admin/users/${person.id}`
    const seen = await waitFor('the user', async () => {
      const answer = await app.admin.client.get(path)
      return answer.status === 200 ? answer : undefined
    })
    const ifMatch = seen.headers.get('etag') ?? ''
    expectProblem(
      await app.admin.client.patch(path, { roles: ['support'] }, { ifMatch: null }),
      428,
      'request/precondition-required',
    )
    const changed = await app.admin.client.patch(path, { roles: ['support'] }, { ifMatch })
    expect(changed.status).toBe(200)
    const late = await app.admin.client.patch(path, { disabled: true }, { ifMatch })
    expectProblem(late, 412, 'command/stale')
    const after = { after: changed.body.position }
    expect((await app.admin.client.get(path, after)).body.roles).toEqual(['support'])
  })

  it('takes staff rights away at once, whatever the token says', async () => {
    const person = await app.person('admin')
    expect((await person.client.get('/admin/users')).status).toBe(200)
    await change(person, { roles: ['customer'] })
    expectProblem(await person.client.get('/admin/users'), 403, 'command/forbidden')
    expect((await person.client.get('/auth/profile')).status).toBe(200)
  })

  it('locks somebody out at once, with every session, and lets them in again', async () => {
    const person = await app.person('support')
    await change(person, { disabled: true })
    expectProblem(await person.client.get('/orders'), 401, 'request/unauthenticated')
    const login = { username: person.username, password }
    expectProblem(await app.anyone.post('/auth/login', login), 403, 'account/disabled')
    const open = `select from shop.sessions where customer_id = $1 and revoked_at is null`
    await waitFor('the sessions to end', async () => {
      return (await app.back.pool.query(open, [person.id])).rowCount === 0
    })
    await change(person, { disabled: false })
    await waitFor('the way back in', async () => {
      return (await app.anyone.post('/auth/login', login)).status === 200
    })
    const spent = await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })
    expectProblem(spent, 401, 'account/invalid-token')
  })

  it('leaves admins their own rights, and strangers nothing to change', async () => {
    const own = `/admin/users/${app.admin.id}`
    for (const wanted of [{ disabled: true }, { roles: ['customer'] }]) {
      const answer = await app.admin.client.patch(own, wanted, { ifMatch: '*' })
      expectProblem(answer, 409, 'customer/own-rights')
    }
    const nobody = '/admin/users/00000000-0000-7000-8000-000000000000'
    const answer = await app.admin.client.patch(nobody, { disabled: true }, { ifMatch: '*' })
    expectProblem(answer, 404, 'customer/not-found')
    expectProblem(await app.admin.client.get(nobody), 404, 'customer/not-found')
    expectProblem(await app.admin.client.get(`${nobody}/erasure`), 404, 'customer/not-found')
  })

  it('asked for with the same key happens once', async () => {
    const person = await app.person()
    const path = `/admin/users/${person.id}`
    const wanted = { ifMatch: '*', key: person.id }
    const first = await app.admin.client.patch(path, { roles: ['support'] }, wanted)
    const again = await app.admin.client.patch(path, { roles: ['support'] }, wanted)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
  })
})
