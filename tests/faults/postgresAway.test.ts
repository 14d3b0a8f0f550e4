// PostgreSQL away: whatever is read answers 503 with Retry-After, and works again by itself.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ProxiedApp, startProxiedApp } from '../support/proxiedApp.ts'
import { waitFor } from '../support/waitFor.ts'

let proxied: ProxiedApp
beforeAll(async () => {
  proxied = await startProxiedApp({ workers: false })
}, 60_000)
afterAll(() => proxied?.close(), 60_000)

async function get(path: string) {
  const { app } = proxied
  const response = await fetch(app.url + path, {
    headers: { authorization: `Bearer ${app.admin.access}` },
    signal: AbortSignal.timeout(15_000),
  })
  const { status, headers } = response
  return { path, status, headers, text: await response.text() }
}

/** The address of every operation that reads, with ids that nothing has. */
async function reads(): Promise<string[]> {
  const { paths } = JSON.parse((await get('/openapi.json')).text)
  return Object.entries<{ get?: object }>(paths)
    .filter(([path, { get: read }]) => read !== undefined && !/stream|feed|ws/.test(path))
    .map(([path]) => path.replace(/\{\w+\}/g, randomUUID()))
}

/** What comes from read models; everything else may have it from elsewhere. */
const fromReadModels = [
  ...['/api/orders', '/api/products?search=lantern', '/api/categories', '/api/cart'],
  ...['/api/admin/users', '/api/admin/projections', '/api/audit/events', '/api/auth/sessions'],
]

it('every read answers 503 with Retry-After and never 500, and works when it is back', async () => {
  const paths = [...new Set([...(await reads()), ...fromReadModels])]
  expect(paths.length).toBeGreaterThan(30)
  await proxied.postgres.refuse(true)
  const answers = await Promise.all(paths.map(get))
  const statuses = answers.map(({ path, status }) => `${status} ${path}`)
  expect(statuses.filter(each => /^5/.test(each) && !each.startsWith('503'))).toEqual([])
  for (const { status, headers, text } of answers.filter(each => each.status === 503)) {
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(JSON.parse(text)).toMatchObject({ type: '/problems/request/unavailable', status })
  }
  for (const path of fromReadModels) expect(statuses).toContain(`503 ${path}`)
  await proxied.postgres.refuse(false)
  const isBack = async () => (await get('/api/orders')).status === 200
  await waitFor('the shop', isBack, 15_000)
}, 90_000)
