// A first order through the generated client: npm run client, then node examples/firstOrder.ts
import { randomUUID } from 'node:crypto'
import createClient from 'openapi-fetch'
import type { components, paths } from './api.d.ts'

type Order = components['schemas']['OrderDetail']

const url = process.argv[2] ?? 'http://127.0.0.1:3000'
const order = await firstOrder(url)
console.log(`${order.orderNumber} ${order.status} ${pounds(order.total)}`)
for (const { quantity, name } of order.lines) console.log(`  ${quantity} × ${name}`)

/** Registers somebody, fills a cart, orders it, pays, and reads the order that came of it. */
async function firstOrder(baseUrl: string): Promise<Order> {
  const anyone = createClient<paths>({ baseUrl })
  const username = `ann-${randomUUID().slice(0, 8)}`
  const signedIn = answered(
    await anyone.POST('/api/auth/register', {
      body: { username, email: `${username}@example.com`, password: 'a long password' },
    }),
  )
  const headers = { authorization: `Bearer ${signedIn.tokens.access}` }
  const me = createClient<paths>({ baseUrl, headers })

  const query = { inStock: true, ordering: 'price' } as const
  const [product] = answered(await me.GET('/api/products', { params: { query } })).data
  if (product === undefined) throw new Error('Nothing is for sale')
  answered(await me.POST('/api/cart/items', { body: { productId: product.id, quantity: 2 } }))

  // A key makes a retry harmless: the same key is the same order.
  const placed = answered(
    await me.POST('/api/orders', {
      params: { header: { 'idempotency-key': randomUUID() } },
      body: { shippingAddress: '1 High Street, London', phoneNumber: '020 7946 0000' },
    }),
  )
  const path = { orderId: placed.id }
  const paid = answered(
    await me.POST('/api/orders/{orderId}/pay', {
      params: { path, header: { 'idempotency-key': randomUUID() } },
      body: {},
    }),
  )
  // Reads follow the log a moment later; this one waits until it shows the payment.
  const seen = { minPosition: paid.position }
  return answered(await me.GET('/api/orders/{orderId}', { params: { path, query: seen } }))
}

/** What was asked for; a refusal is thrown with what it says. */
function answered<Data>(answer: { data?: Data; error?: components['schemas']['Problem'] }): Data {
  if (answer.data !== undefined) return answer.data
  throw new Error(answer.error?.detail ?? 'There was no answer')
}

function pounds({ amount, currency }: components['schemas']['Money']): string {
  return `${(amount / 100).toFixed(2)} ${currency}`
}
