// "Try it out" of /docs: every operation works as it is prefilled, with defaults and examples.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../support/apiContract.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { project } from '../support/tidy/sources.ts'

interface Trial {
  name: string
  method: string
  path: string
  operation: Operation
}

/** Reads first, and what takes something away last. */
const order = ['get', 'post', 'put', 'patch', 'delete']
/** What a request cannot have without an answer from before: tokens and signatures. */
const unmakeable: Readonly<Record<string, number>> = {
  refresh: 401,
  confirmPasswordReset: 400,
  confirmEmail: 400,
  receivePaymentCallback: 400,
}
/** Begun with things of one's own that a new shop does not have. */
const unknownId = '01980000-0000-7000-8000-000000000001'
const png = await readFile(join(project, 'examples/lantern.png'))

let app: TestApp
let trials: Trial[] = []
beforeAll(async () => {
  app = await startTestApp({ settings: { ACCESS_TOKEN_TTL_SECONDS: '3600' } })
  trials = Object.entries(app.contract.document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        return { name: `${method.toUpperCase()} ${path}`, method, path, operation }
      }),
    )
    .sort((one, other) => order.indexOf(one.method) - order.indexOf(other.method))
  const after = await app.back.eventStore.head()
  await app.anyone.get('/products', { after })
  await app.admin.client.get('/admin/users', { after })
}, 60_000)
afterAll(() => app?.close())

/** As the page sends it: what has an example or a default. */
function addressOf({ path, operation }: Trial): { address: string; headers: [string, string][] } {
  const filled = (operation.parameters ?? []).flatMap(({ name, in: where, schema, example }) => {
    const value = example ?? schema?.default
    return value === undefined ? [] : [{ name, where, value: String(value) }]
  })
  const query = new URLSearchParams()
  const headers: [string, string][] = []
  let address = path
  for (const { name, where, value } of filled) {
    if (where === 'path') address = address.replace(`{${name}}`, encodeURIComponent(value))
    if (where === 'query') query.append(name, value)
    if (where === 'header') headers.push([name, value])
  }
  return { address: `${address}?${query}`, headers }
}

function bodyOf({ operation }: Trial): { type?: string; body?: string | FormData } {
  const [[type, media] = []] = Object.entries(operation.requestBody?.content ?? {})
  if (type === undefined || media === undefined) return {}
  if (type === 'multipart/form-data') {
    const body = new FormData()
    body.append('file', new Blob([png], { type: 'image/png' }), 'dot.png')
    return { body }
  }
  const { example } = media
  return { type, body: typeof example === 'string' ? example : JSON.stringify(example) }
}

/** Whoever may: those who lose their account or session by it are asked for it anew. */
async function tokenFor({ operation }: Trial): Promise<string | undefined> {
  if (!operation.security?.some(each => 'bearer' in each)) return undefined
  const isDisposable = /^(logOut|changePassword|eraseProfile)$/.test(operation.operationId ?? '')
  if (isDisposable) return (await app.person()).access
  return app.admin.access
}

async function tried(trial: Trial): Promise<{ status: number; text: string }> {
  const { address, headers } = addressOf(trial)
  const { type, body } = bodyOf(trial)
  const token = await tokenFor(trial)
  const aborting = new AbortController()
  const response = await fetch(app.url + address, {
    method: trial.method.toUpperCase(),
    headers: [
      ...headers,
      ...(token === undefined ? [] : [['authorization', `Bearer ${token}`] as [string, string]]),
      ...(type === undefined ? [] : [['content-type', type] as [string, string]]),
    ],
    ...(body === undefined ? {} : { body }),
    signal: aborting.signal,
  })
  const { status } = response
  const isEndless = trial.operation.operationId === 'followOrders'
  const text = isEndless ? '' : await response.text()
  aborting.abort()
  return { status, text }
}

describe('trying the operations of the document out', () => {
  it('as they are prefilled is never a malformed request', async () => {
    const faults: string[] = []
    for (const trial of trials) {
      const { operation, name } = trial
      const { status, text } = await tried(trial)
      const sent = `${addressOf(trial).address} ${String(bodyOf(trial).body)}`
      const isMadeUp =
        sent.includes(unknownId) || sent.includes('abab') || /parked|rebuild/.test(sent)
      const allowed = [409, ...(isMadeUp ? [404] : []), unmakeable[operation.operationId ?? '']]
      const isFine = (status >= 200 && status < 300) || allowed.includes(status)
      if (!isFine) faults.push(`${name} ${sent} → ${status} ${text.slice(0, 300)}`)
    }
    expect(faults).toEqual([])
    expect(trials.length).toBeGreaterThan(100)
  }, 120_000)

  it('finds the products and the category of the samples', async () => {
    const find = (path: string) => trials.find(each => each.name === `GET ${path}`)
    for (const path of ['/api/categories/{categoryId}/products', '/api/products']) {
      const trial = find(path)
      if (trial === undefined) throw new Error(`${path} is not there`)
      const { status, text } = await tried(trial)
      expect([path, status]).toEqual([path, 200])
      expect(JSON.parse(text).data.length).toBeGreaterThan(0)
    }
  })
})

describe('every operation', () => {
  it('is described, and its body has an example', () => {
    for (const { name, operation } of trials) {
      expect(operation.description, name).toMatch(/^[A-Z`].{15,}\.$/s)
      for (const [type, media] of Object.entries(operation.requestBody?.content ?? {})) {
        if (type.startsWith('multipart/')) continue
        expect(media.example, `${name} ${type}`).toBeDefined()
        const { required = [] } = media.schema
        const names = Array.isArray(required) ? required.map(String) : []
        if (names.length > 0)
          expect(Object.keys(Object(media.example)), name).toEqual(expect.arrayContaining(names))
      }
    }
  })

  it('has no default in its address that another one excludes', () => {
    const exclusive = ['page', 'pageSize', 'cursor', 'limit']
    const lists = trials.filter(({ operation }) =>
      exclusive.every(name => operation.parameters?.some(each => each.name === name)),
    )
    const defaults = lists.flatMap(({ name, operation }) =>
      (operation.parameters ?? [])
        .filter(each => exclusive.includes(each.name) && each.schema?.default !== undefined)
        .map(each => `${name} ${each.name}`),
    )
    expect(lists.length).toBeGreaterThan(5)
    expect(defaults).toEqual([])
  })

  it('names the values of a list that a value is not in', async () => {
    const values = ['name', 'price', 'createdAt', 'relevance']
    const { body } = await app.anyone.get('/products?ordering=colour')
    for (const value of values) expect(JSON.stringify(body.errors)).toContain(value)
    const role = await app.admin.client.get('/admin/users?role=chef')
    expect(JSON.stringify(role.body.errors)).toContain('warehouse')
    const path = `/products/${unknownId}/stock-adjustments`
    const reason = await app.admin.client.post(path, { delta: 1, reason: 'magic' })
    expect(JSON.stringify(reason.body.errors)).toContain('received')
  })
})
