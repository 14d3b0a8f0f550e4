// The dashboard of the queues: admins alone, by a cookie that is good for nothing else.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queueNames } from '../../src/workers/jobs/jobQueue.ts'
import { expectProblem } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let cookie = ''
beforeAll(async () => {
  app = await startTestApp()
  const answer = await app.admin.client.post('/admin/queues/session')
  cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
})
afterAll(() => app?.close())

const open = (path: string, init: RequestInit = {}) => fetch(`${app.url}${path}`, init)
const withCookie = { headers: { cookie: '' } }
beforeAll(() => {
  withCookie.headers.cookie = cookie
})

describe('an admin', () => {
  it('gets a short-lived cookie that neither scripts nor other sites can use', async () => {
    const answer = await app.admin.client.post('/admin/queues/session')
    expect(answer.status).toBe(204)
    const [pair, ...attributes] = (answer.headers.get('set-cookie') ?? '').split('; ')
    expect(pair).toMatch(/^orderstream-queues=[\w.-]+$/)
    expect(attributes.sort()).toEqual([
      'HttpOnly',
      'Max-Age=300',
      'Path=/admin/queues',
      'SameSite=Strict',
    ])
  })

  it('sees every queue with it', async () => {
    const page = await open('/admin/queues', withCookie)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('__UI_CONFIG__')
    const text = await (await open('/admin/queues/api/queues', withCookie)).text()
    const { queues }: { queues: { name: string; readOnlyMode: boolean }[] } = JSON.parse(text)
    expect(queues.map(({ name }) => name).sort()).toEqual([...queueNames].sort())
    expect(queues.every(({ readOnlyMode }) => readOnlyMode)).toBe(true)
  })

  it('finds every file that the page asks for, all of them here', async () => {
    const page = await (await open('/admin/queues', withCookie)).text()
    const files = [...page.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, path]) => path)
    expect(files.length).toBeGreaterThan(3)
    for (const file of files) {
      expect((await open(`/admin/queues/${file}`, withCookie)).status).toBe(200)
    }
  })

  it.each([
    ['PUT', '/admin/queues/api/queues/mails/pause'],
    ['PUT', '/admin/queues/api/queues/mails/clean/completed'],
    ['PUT', '/admin/queues/api/queues/mails/retry/failed'],
    ['POST', '/admin/queues/api/queues/mails/add'],
  ])('changes nothing there: %s %s is refused', async (method, path) => {
    const answer = await open(path, { method, ...withCookie })
    expect([403, 404, 405]).toContain(answer.status)
  })

  it('gets nowhere else with the cookie', async () => {
    for (const path of ['/api/auth/profile', '/api/admin/users', '/api/admin/projections']) {
      expect((await open(path, withCookie)).status).toBe(401)
    }
  })
})

describe('a page of the dashboard', () => {
  it('loads nothing from elsewhere and runs no script that is not a file of ours', async () => {
    const policy = (await open('/admin/queues', withCookie)).headers.get('content-security-policy')
    expect(policy).toContain("default-src 'self'")
    expect(policy).not.toMatch(/https?:|script-src[^;]*unsafe/)
  })

  it('asks no other host for anything, not even for fonts', async () => {
    const page = await (await open('/admin/queues', withCookie)).text()
    expect(page).toContain('static/css/')
    expect([...page.matchAll(/(?:src|href)="((?:https?:)?\/\/[^"]*)"/g)]).toEqual([])
  })

  it('asks strangers in a browser to sign in, and refuses programs', async () => {
    const page = await open('/admin/queues', { headers: { accept: 'text/html' } })
    expect(page.status).toBe(401)
    expect(await page.text()).toContain('autocomplete="current-password"')
    for (const path of ['/admin/queues', '/admin/queues/api/queues', '/admin/queues/static/x.js']) {
      const answer = await open(path)
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect(answer.status).toBe(401)
    }
  })

  it.each(['nonsense', 'a.b.c', '', '%00'])('is not opened by the cookie %j', async token => {
    const headers = { cookie: `orderstream-queues=${token}` }
    expect((await open('/admin/queues/api/queues', { headers })).status).toBe(401)
  })

  it.each(['customer', 'support', 'warehouse', 'auditor'] as const)(
    'is not for somebody who is %s',
    async role => {
      const person = await app.person(...(role === 'customer' ? [] : [role]))
      expectProblem(await person.client.post('/admin/queues/session'), 403, 'command/forbidden')
      const headers = { cookie: `orderstream-queues=${person.access}` }
      expect((await open('/admin/queues/api/queues', { headers })).status).toBe(403)
    },
  )

  it('is closed as soon as the admin signs out', async () => {
    const admin = await app.person('admin')
    const headers = { cookie: `orderstream-queues=${admin.access}` }
    expect((await open('/admin/queues/api/queues', { headers })).status).toBe(200)
    await admin.client.post('/auth/logout')
    expect((await open('/admin/queues/api/queues', { headers })).status).toBe(401)
  })
})
