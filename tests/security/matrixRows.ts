// The rows of the matrix: what a route is about, whose that is, and a request that makes sense.
import { randomUUID } from 'node:crypto'
import type { Role } from '../../src/domain/kernel/types.ts'
import { delivery, gbp, newOrder, newProduct } from '../support/goods.ts'
import { type Person, password, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

export type Thing = 'order' | 'product' | 'category' | 'user' | 'session' | 'import' | 'webhook'

export interface Row {
  /** What the first id in the path is of. */
  of?: Thing
  /** Where things belong to people: the roles that may do this to other people's. */
  over?: readonly Role[]
  body?(things: Things, id: string): unknown
  query?: string
  /** Content type of the body. */
  type?: string
  /** Statuses that are as good as done, beside 2xx and 409. */
  may?: readonly number[]
  /** It ends a session or a person: everybody sends somebody else to try it. */
  disposable?: true
  /** What is not there is gone already. */
  idempotent?: true
  /** Of further ids in the path. */
  more?: Record<string, string>
}

export interface Things {
  /** One of each, for those who do not get that far. */
  standing: Record<Thing, string>
  make: Record<Thing, (owner: Person) => Promise<string>>
  /** Who owns what belongs to somebody else. */
  third: Person
}

/** What the shop has to ask for. */
export async function thingsOf(app: TestApp): Promise<Things> {
  const third = await app.person()
  const product = await newProduct(app, { stock: 10_000 })
  const made = {
    order: async (owner: Person) => {
      const { body } = await newOrder(owner, product.id)
      await owner.client.get(`/orders/${body.id}`, { after: body.position })
      return body.id
    },
    product: async () => {
      const { id, position } = await newProduct(app)
      await app.admin.client.get(`/products/${id}`, { after: position })
      await app.admin.client.get(`/products/${id}/price-history`, { after: position })
      return id
    },
    category: async () => {
      const { body } = await app.admin.client.post('/categories', { name: randomUUID() })
      await app.admin.client.get(`/categories/${body.id}`, { after: body.position })
      return body.id
    },
  }
  const make = { ...made, ...peopleAndJobs(app) }
  const standing = {
    product: product.id,
    order: await make.order(third),
    category: await make.category(),
    user: third.id,
    session: await make.session(third),
    import: await make.import(),
    webhook: await make.webhook(),
  }
  return { standing, make, third }
}

function peopleAndJobs(app: TestApp) {
  return {
    user: async () => {
      const { id } = await app.person()
      await waitFor('the new user', async () => {
        return (await app.admin.client.get(`/admin/users/${id}`)).status === 200
      })
      return id
    },
    session: async ({ username }: Person) => {
      const { body } = await app.anyone.post('/auth/login', { username, password })
      const tokens = body.tokens
      const access = typeof tokens === 'object' && tokens !== null && 'access' in tokens
      const there = app.as(access ? String(tokens.access) : '')
      const { data } = (await there.get('/auth/sessions')).body
      return String(data.find(({ current }) => current)?.id)
    },
    import: async () => {
      const headers = { 'content-type': 'text/csv' }
      const { body } = await app.admin.client.post('/products/imports', csv(), { headers })
      return body.id
    },
    webhook: async () => (await app.admin.client.post('/admin/webhooks', hook())).body.id,
  }
}

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const image = () => {
  const form = new FormData()
  form.append('file', new Blob([Buffer.from(png, 'base64')], { type: 'image/png' }), 'dot.png')
  return form
}
const csv = () => `sku,name,price\n${randomUUID()},Lamp,100\n`
const staff: Role[] = ['support', 'warehouse', 'auditor', 'admin']
const one = (things: Things) => ({ productId: things.standing.product, quantity: 1 })
const inline = (things: Things) => ({ ...delivery, items: [one(things)] })
// A name that never means anything: nothing is sent.
const hook = () => ({ url: 'https://hooks.invalid/', events: ['order.paid'] })
const named = () => ({ name: randomUUID() })
const somebody = () => {
  const username = `m-${randomUUID()}`
  return { username, email: `${username}@example.com`, password }
}

const states = ['orders', 'carts', 'products', 'stock', 'customers']
const thingOf: Record<string, Thing> = {
  orders: 'order',
  products: 'product',
  stock: 'product',
  customers: 'user',
}
/** Auditors and admins alone, everybody's, as it was. */
const audit = states.flatMap((kind): [string, Row][] => {
  const of = thingOf[kind]
  const row: Row = of === undefined ? { may: [404] } : { of }
  return [
    [`GET /api/audit/${kind}/{id}`, row],
    [`GET /api/audit/${kind}/{id}/diff`, row],
  ]
})

export const rows: Record<string, Row> = {
  ...Object.fromEntries(audit),
  'GET /api/audit/checkpoints': {},
  'GET /api/audit/events': {},
  'GET /api/audit/streams/{stream}': { may: [400, 404] },
  'GET /api/audit/trace/{correlationId}': { may: [404] },
  'GET /api/audit/verify': {},
  'GET /api/admin/mails': {},
  'POST /api/admin/mails/{mailId}/retry': { may: [404] },
  'POST /api/admin/mails/{mailId}/drop': { may: [404] },
  'GET /api/admin/projections': {},
  'GET /api/admin/projections/{name}': { may: [404] },
  'GET /api/admin/projections/{name}/parked': {},
  'POST /api/admin/projections/{name}/parked/{position}/retry': { may: [400, 404] },
  'POST /api/admin/projections/{name}/parked/{position}/skip': {
    body: () => ({ reason: 'Never happened' }),
    may: [400, 404],
  },
  'GET /api/admin/projections/{name}/rebuild': { may: [404] },
  'POST /api/admin/projections/{name}/rebuild': { may: [404] },
  'POST /api/admin/queues/session': {},
  'GET /api/admin/reports/sales': {},
  'GET /api/admin/webhooks': {},
  'POST /api/admin/webhooks': { body: hook },
  'GET /api/admin/webhooks/{webhookId}': { of: 'webhook' },
  'PATCH /api/admin/webhooks/{webhookId}': { of: 'webhook', body: () => ({ enabled: false }) },
  'DELETE /api/admin/webhooks/{webhookId}': { of: 'webhook' },
  'POST /api/admin/webhooks/{webhookId}/secret': { of: 'webhook' },
  'POST /api/admin/webhooks/{webhookId}/replay': {
    of: 'webhook',
    body: () => ({ from: '1', to: '1' }),
  },
  'GET /api/admin/webhooks/{webhookId}/deliveries': { of: 'webhook' },
  'POST /api/admin/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver': {
    of: 'webhook',
    more: { deliveryId: randomUUID() },
    may: [404],
  },
  'GET /api/admin/users': {},
  'GET /api/admin/users/{customerId}': { of: 'user' },
  'PATCH /api/admin/users/{customerId}': { of: 'user', body: () => ({ roles: ['customer'] }) },
  'GET /api/admin/users/{customerId}/erasure': { of: 'user', may: [404] },
  'GET /api/admin/users/{customerId}/export': { of: 'user' },
  'POST /api/admin/users/{customerId}/erase': {
    of: 'user',
    body: () => ({ requestReference: 'ticket 4711' }),
  },
  'POST /api/auth/email/confirm': { body: () => ({ token: 'x' }), may: [400] },
  'POST /api/auth/email/resend': {},
  'POST /api/auth/login': { body: somebody, may: [400, 401] },
  'POST /api/auth/logout': { disposable: true },
  'POST /api/auth/password/change': {
    body: () => ({ oldPassword: password, newPassword: `${password}!` }),
    disposable: true,
  },
  'POST /api/auth/password/reset': { body: () => ({ email: 'nobody@example.com' }) },
  'POST /api/auth/password/reset/confirm': {
    body: () => ({ uid: randomUUID(), token: 'x', newPassword: password }),
    may: [400],
  },
  'DELETE /api/auth/profile': { body: () => ({ password }), disposable: true },
  'GET /api/auth/sessions': {},
  'DELETE /api/auth/sessions/{id}': { of: 'session', over: [] },
  'POST /api/auth/tickets': {},
  'GET /api/auth/export': {},
  'GET /api/auth/profile': {},
  'PUT /api/auth/profile': { body: () => ({ firstName: 'Ann' }) },
  'PATCH /api/auth/profile': { body: () => ({ lastName: 'Lee' }) },
  'POST /api/auth/register': { body: somebody },
  'POST /api/auth/token/refresh': { body: () => ({ refresh: 'nonsense' }), may: [401] },
  'GET /api/cart': {},
  'DELETE /api/cart': {},
  'GET /api/cart/total': {},
  'POST /api/cart/items': { body: one },
  'PUT /api/cart/items/{productId}': { of: 'product', body: () => ({ quantity: 1 }), may: [404] },
  'PATCH /api/cart/items/{productId}': { of: 'product', body: () => ({ quantity: 1 }), may: [404] },
  'DELETE /api/cart/items/{productId}': { of: 'product', idempotent: true },
  'GET /api/categories': {},
  'POST /api/categories': { body: named },
  'GET /api/categories/{categoryId}': { of: 'category' },
  'PUT /api/categories/{categoryId}': { of: 'category', body: named },
  'PATCH /api/categories/{categoryId}': { of: 'category', body: named },
  'DELETE /api/categories/{categoryId}': { of: 'category' },
  'PUT /api/categories/{categoryId}/image': { of: 'category', body: image },
  'DELETE /api/categories/{categoryId}/image': { of: 'category', may: [404] },
  'GET /api/categories/{categoryId}/products': { of: 'category' },
  'GET /api/images/{hash}/{rendition}': { may: [400, 404] },
  'GET /api/orders': {},
  'POST /api/orders': { body: inline },
  'POST /api/orders/checkout': { body: inline },
  'GET /api/orders/notifications': {},
  'GET /api/orders/{orderId}': { of: 'order', over: staff },
  'PATCH /api/orders/{orderId}': {
    of: 'order',
    over: ['support', 'warehouse', 'admin'],
    body: () => ({ ...delivery, reason: 'Asked for by phone' }),
  },
  'POST /api/orders/{orderId}/cancel': {
    of: 'order',
    over: ['support', 'admin'],
    body: () => ({}),
  },
  'DELETE /api/orders/{orderId}': { of: 'order', over: ['admin'] },
  'GET /api/admin/refunds': {},
  'GET /api/admin/disputes': {},
  'GET /api/admin/payment-findings': {},
  'POST /api/admin/payment-findings/{findingId}/resolve': { may: [404] },
  'POST /api/orders/{orderId}/refunds/{refundId}/confirm': {
    of: 'order',
    more: { refundId: randomUUID() },
    may: [404],
  },
  'POST /api/orders/{orderId}/refunds': { of: 'order', body: () => ({ reason: 'Broken' }) },
  'GET /api/orders/{orderId}/history': { of: 'order', over: staff },
  'POST /api/orders/{orderId}/pay': { of: 'order', over: [], body: () => ({}) },
  'PATCH /api/orders/{orderId}/status': { of: 'order', body: () => ({ status: 'shipped' }) },
  'GET /api/products': {},
  'POST /api/products': { body: () => ({ ...named(), price: gbp(100) }) },
  'GET /api/products/featured': {},
  'GET /api/products/low-stock': {},
  'GET /api/products/imports': {},
  'POST /api/products/imports': { body: csv, type: 'text/csv' },
  'GET /api/products/imports/{importId}': { of: 'import' },
  'DELETE /api/products/imports/{importId}': { of: 'import' },
  'POST /api/products/imports/{importId}/undo': { of: 'import' },
  'GET /api/products/{productId}/price-history': { of: 'product' },
  'POST /api/products/{productId}/images': { of: 'product', body: image },
  'DELETE /api/products/{productId}/images/{imageId}': { of: 'product', may: [404] },
  'GET /api/products/{productId}': { of: 'product' },
  'PUT /api/products/{productId}': { of: 'product', body: named },
  'PATCH /api/products/{productId}': { of: 'product', body: named },
  'DELETE /api/products/{productId}': { of: 'product' },
  'GET /api/products/{productId}/stock': { of: 'product' },
  'GET /api/payment-methods': {},
  'POST /api/webhooks/payments/{provider}': { body: () => ({}), may: [400, 401, 404] },
  'POST /api/products/{productId}/restore': { of: 'product' },
  'POST /api/products/{productId}/stock-adjustments': {
    of: 'product',
    body: () => ({ delta: 1, reason: 'received' }),
  },
  'POST /api/products/{productId}/stock-counts': {
    of: 'product',
    body: () => ({ counted: 10_000 }),
  },
}
