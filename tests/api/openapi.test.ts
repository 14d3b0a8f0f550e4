// The API describes itself: a sound OpenAPI document, pages to read it, and errors of one shape.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation, Schema } from '../support/apiContract.ts'
import { expectProblem } from '../support/goods.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let operations: { name: string; path: string; operation: Operation }[] = []
beforeAll(async () => {
  app = await startTestApp()
  operations = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  )
})
afterAll(() => app?.close())

const routes = [
  '/api/admin/projections',
  '/api/admin/projections/{name}',
  '/api/admin/projections/{name}/parked',
  '/api/admin/projections/{name}/parked/{position}/retry',
  '/api/admin/projections/{name}/parked/{position}/skip',
  '/api/admin/projections/{name}/rebuild',
  '/api/admin/users',
  '/api/admin/users/{customerId}',
  '/api/admin/users/{customerId}/erasure',
  '/api/audit/checkpoints',
  '/api/audit/events',
  '/api/audit/orders/{id}',
  '/api/audit/orders/{id}/diff',
  '/api/audit/streams/{stream}',
  '/api/audit/trace/{correlationId}',
  '/api/audit/verify',
  '/api/auth/email/confirm',
  '/api/auth/email/resend',
  '/api/auth/login',
  '/api/auth/logout',
  '/api/auth/password/change',
  '/api/auth/password/reset',
  '/api/auth/password/reset/confirm',
  '/api/auth/profile',
  '/api/auth/register',
  '/api/auth/sessions',
  '/api/auth/sessions/{id}',
  '/api/auth/tickets',
  '/api/auth/token/refresh',
  '/api/cart',
  '/api/cart/items',
  '/api/cart/items/{productId}',
  '/api/cart/total',
  '/api/categories',
  '/api/categories/{categoryId}',
  '/api/categories/{categoryId}/image',
  '/api/categories/{categoryId}/products',
  '/api/images/{hash}/{rendition}',
  '/api/orders',
  '/api/orders/checkout',
  '/api/orders/notifications',
  '/api/orders/{orderId}',
  '/api/orders/{orderId}/cancel',
  '/api/orders/{orderId}/history',
  '/api/orders/{orderId}/pay',
  '/api/orders/{orderId}/status',
  '/api/products',
  '/api/products/featured',
  '/api/products/imports',
  '/api/products/imports/{importId}',
  '/api/products/imports/{importId}/undo',
  '/api/products/low-stock',
  '/api/products/{productId}',
  '/api/products/{productId}/images',
  '/api/products/{productId}/images/{imageId}',
  '/api/products/{productId}/price-history',
  '/api/products/{productId}/stock',
  '/api/products/{productId}/stock-adjustments',
]

/** Every schema in there, with where it is. */
function walk(value: unknown, where: string): { where: string; schema: Schema }[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([key, child]) => walk(child, `${where}/${key}`))
  const isSchema = 'type' in value && typeof value.type === 'string'
  return isSchema
    ? [{ where, schema: Object.fromEntries(Object.entries(value)) }, ...inside]
    : inside
}

describe('the OpenAPI document', () => {
  it('is version 3.1 and names every route of the contract', () => {
    const { openapi, info, paths } = app.contract.document
    expect(openapi).toMatch(/^3\.1\./)
    expect(info).toMatchObject({ title: 'Orderstream API', version: '1' })
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(routes))
  })

  it('has one path for one address, however its parameters are called', () => {
    const shapes = Object.keys(app.contract.document.paths).map(path =>
      path.replace(/\{\w+\}/g, '{}'),
    )
    expect(shapes.filter((shape, index) => shapes.indexOf(shape) !== index)).toEqual([])
  })

  it('gives every operation a name of its own, a tag, a summary and its answers', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
    for (const { name, operation } of operations) {
      expect(operation.operationId, name).toMatch(/^[A-Za-z]\w+$/)
      expect(operation.tags, name).toHaveLength(1)
      expect(operation.summary, name).toMatch(/\S/)
      const statuses = Object.keys(operation.responses)
      expect(
        statuses.filter(status => status.startsWith('2')),
        name,
      ).toHaveLength(1)
      expect(statuses, name).toEqual(expect.arrayContaining(['400', '401', '403', '404', '503']))
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.description, `${name} ${status}`).toMatch(/\S/)
        const types = Object.keys(response.content ?? {})
        if (Number(status) >= 400) expect(types).toEqual(['application/problem+json'])
      }
    }
  })

  it('declares every parameter of every path', () => {
    for (const { name, path, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1])
      const declared = (operation.parameters ?? [])
        .filter(parameter => parameter.in === 'path')
        .map(parameter => parameter.name)
      expect(declared, name).toEqual(inPath)
    }
  })

  it('says where a guest’s cart can be sent along, and that it need not be', () => {
    const named = operations.filter(({ operation }) =>
      (operation.parameters ?? []).some(({ name }) => name.toLowerCase() === 'x-cart-token'),
    )
    const cart = named.filter(({ path }) => path.startsWith('/api/cart'))
    expect(cart.map(({ name }) => name).sort()).toEqual([
      'DELETE /api/cart',
      'DELETE /api/cart/items/{productId}',
      'GET /api/cart',
      'GET /api/cart/total',
      'PATCH /api/cart/items/{productId}',
      'POST /api/cart/items',
      'PUT /api/cart/items/{productId}',
    ])
    for (const { name, operation } of cart) {
      expect(operation.security, name).toEqual([{ bearer: [] }, {}])
    }
    const others = named.filter(each => !cart.includes(each))
    expect(others.map(({ name }) => name).sort()).toEqual([
      'POST /api/auth/login',
      'POST /api/auth/register',
    ])
  })

  it('bounds everything that can be sent', () => {
    const sent = operations.flatMap(({ name, operation }) => [
      ...walk(operation.requestBody, name),
      ...walk(operation.parameters, name),
    ])
    for (const { where, schema } of sent) {
      const { type } = schema
      const { maxLength, format, enum: options, maximum, maxItems } = schema
      if (type === 'string') expect(maxLength ?? format ?? options, where).toBeDefined()
      if (type === 'integer' || type === 'number') expect(maximum, where).toBeDefined()
      if (type === 'array') expect(maxItems, where).toBeDefined()
      if (type === 'object') expect(schema.additionalProperties, where).toBe(false)
    }
    expect(sent.length).toBeGreaterThan(50)
  })

  it('can be had as YAML, and read in a browser', async () => {
    const yaml = await app.anyone.get('//openapi.yaml')
    expect(String(yaml.body)).toMatch(/^openapi: "?3\.1/)
    const page = await app.anyone.get('//docs')
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const [script] =
      /\.\/static\/[\w-]+\.js|\/docs\/static\/[\w-]+\.js/.exec(String(page.body)) ?? []
    expect(script).toBeDefined()
    const loaded = await app.anyone.get(`//docs/static/${script?.split('/').at(-1)}`)
    expect(loaded.status).toBe(200)
  })
})

describe('every refusal', () => {
  it('has a page that says what it means', async () => {
    const { status, body } = await app.anyone.get('//problems/order/out-of-stock')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      type: '/problems/order/out-of-stock',
      status: 409,
      title: 'Out of stock',
    })
    expectProblem(await app.anyone.get('//problems/order/unheard-of'), 404, 'request/not-found')
  })

  it.each([
    ['an unknown address', '//nowhere', 404, 'request/not-found'],
    ['an unknown address of the API', '/nowhere', 404, 'request/not-found'],
  ])('of %s is a problem, too', async (_, path, status, code) => {
    expectProblem(await app.anyone.get(path), status, code)
    expectProblem(await app.anyone.post(path, {}), status, code)
  })

  it('of a body that is no JSON, not JSON, or too large says which', async () => {
    const login = '/auth/login'
    expectProblem(await app.anyone.post(login, '{"user'), 400, 'request/invalid')
    const xml = { headers: { 'content-type': 'application/xml' } }
    expectProblem(await app.anyone.post(login, '<a/>', xml), 415, 'request/unsupported')
    const large = { username: 'x'.repeat(70_000), password: 'y' }
    expectProblem(await app.anyone.post(login, large), 413, 'request/too-large')
    for (const body of ['null', '[]', '7', '"x"']) {
      expectProblem(await app.anyone.post(login, body), 400, 'request/invalid')
    }
  })

  it('survives what tries to break out of JSON', async () => {
    for (const body of [
      '{"__proto__":{"admin":true},"password":"x","username":"y"}',
      '{"constructor":{"prototype":{}},"password":"x","username":"y"}',
      `${'['.repeat(20_000)}`,
      `{"password":"x","username":${'9'.repeat(400)}}`,
    ]) {
      const answer = await app.anyone.post('/auth/login', body)
      expect([400, 401]).toContain(answer.status)
    }
  })

  it('carries the caller’s request id, if that is harmless', async () => {
    const mine = await app.anyone.get('/nowhere', { headers: { 'x-request-id': 'trace-7' } })
    expect(mine.body.requestId).toBe('trace-7')
    const long = await app.anyone.get('/nowhere', { headers: { 'x-request-id': 'x'.repeat(200) } })
    expect(long.body.requestId).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('operators', () => {
  it('see whether the shop lives and is ready', async () => {
    expect((await app.anyone.get('//healthz')).body).toEqual({ status: 'ok' })
    // A machine that is busy with other tests may have kept a check waiting for too long.
    const readiness = async () => (await app.anyone.get('//readyz', { expects: 503 })).body
    const body = await waitFor('the shop', async () => {
      const said = await readiness()
      return said.status === 'ready' && said
    })
    expect(body).toEqual({ status: 'ready' })
  })

  it('see how far the projections are, if they may', async () => {
    const { body } = await app.admin.client.get('/admin/projections')
    const names = [
      'accountUpkeep',
      'carts',
      'catalogue',
      'customers',
      'imageOutbox',
      'mailOutbox',
      'orderProcesses',
      'orders',
      'priceHistory',
      'sales',
      'stock',
    ]
    expect(body.data.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    const customer = await app.person()
    expectProblem(await customer.client.get('/admin/projections'), 403, 'command/forbidden')
  })
})
