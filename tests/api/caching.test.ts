// What caches may keep: nothing that is about one caller; and ETags are compared as HTTP says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let ada: Person
let productId = ''
let orderId = ''
beforeAll(async () => {
  app = await startTestApp()
  ada = await app.person()
  const product = await newProduct(app)
  productId = product.id
  const order = await newOrder(ada, productId)
  orderId = order.body.id
  await ada.client.get(`/orders/${orderId}`, { after: order.body.position })
})
afterAll(() => app?.close())

describe('an answer in which it mattered who asked', () => {
  it('is private and is not used again unasked, whatever its status', async () => {
    const operations = Object.entries(app.contract.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    const guarded = operations.filter(({ operation }) => operation['x-access'] !== 'public')
    expect(guarded.length).toBeGreaterThan(50)
    for (const { path, method } of guarded) {
      const address = app.url + path.replace(/\{\w+\}/g, 'x')
      const response = await fetch(address, { method: method.toUpperCase() })
      await response.body?.cancel()
      const where = `${method} ${path}`
      expect(response.headers.get('cache-control'), where).toMatch(/^private, no-(store|cache)$/)
    }
  })

  it.each([
    '/orders',
    '/auth/profile',
    '/auth/sessions',
    '/cart',
    '/products',
    '/products/low-stock',
    '/admin/users',
    '/audit/events',
  ])('is so for %s', async path => {
    const { status, headers } = await app.admin.client.get(path)
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('private, no-cache')
  })

  it('is so for a guest’s cart, and for tokens that somebody has just been given', async () => {
    const cart = await app.anyone.post('/cart/items', { productId, quantity: 1 })
    expect(cart.headers.get('cache-control')).toBe('private, no-store')
    const token = cart.headers.get('x-cart-token') ?? ''
    const read = await app.anyone.get('/cart', { headers: { 'x-cart-token': token } })
    expect(read.headers.get('cache-control')).toBe('private, no-cache')
    const refreshed = await app.anyone.post('/auth/token/refresh', { refresh: ada.refresh })
    expect(refreshed.headers.get('cache-control')).toBe('private, no-store')
  })

  it('is not so for what is the same for everybody', async () => {
    const { headers } = await app.anyone.get('/products')
    expect(headers.get('cache-control')).toBeNull()
  })
})

describe('If-None-Match', () => {
  const paths = () => ['/products', `/products/${productId}`, `/orders/${orderId}`, '/auth/profile']
  const forms = (etag: string) => [
    etag,
    `W/${etag}`,
    `"other", ${etag}`,
    `"a,b",W/${etag} , "other"`,
    '*',
    ' * ',
  ]

  it('is compared weakly, in lists, and with *', async () => {
    for (const path of paths()) {
      const etag = (await ada.client.get(path)).headers.get('etag') ?? 'none'
      for (const ifNoneMatch of forms(etag)) {
        const { status } = await ada.client.get(path, { ifNoneMatch })
        expect(status, `${path} ${ifNoneMatch}`).toBe(304)
      }
      for (const ifNoneMatch of ['"other"', `x${etag.slice(1)}`, etag.slice(1, -1), 'W/"*"', '']) {
        const { status } = await ada.client.get(path, { ifNoneMatch })
        expect(status, `${path} ${ifNoneMatch}`).toBe(200)
      }
    }
  })
})
