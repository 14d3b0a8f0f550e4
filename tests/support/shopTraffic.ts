// A bit of everything that happens in a shop, so that every projection has something to show.
import { delivery, gbp, moveOrder, newOrder, newProduct } from './goods.ts'
import { type Person, startTestApp, type TestApp } from './testApp.ts'

export interface Traffic {
  app: TestApp
  person: Person
  productId: string
}

/** A shop in which something is for sale and somebody is there to buy it. */
export async function shopWithTraffic(): Promise<Traffic> {
  const app = await startTestApp()
  const person = await app.person()
  const { id: productId } = await newProduct(app, { stock: 100_000 })
  return { app, person, productId }
}

/** Orders that end in every way, a cart, a price, a profile, a category: some 40 events. */
export async function doBusiness({ app, person, productId }: Traffic): Promise<void> {
  const { client } = person
  const ids: string[] = []
  for (let count = 0; count < 4; count += 1) {
    ids.push((await newOrder(person, productId, count + 1)).body.orderId)
  }
  const [paid = '', shipped = '', cancelled = ''] = ids
  for (const id of [paid, shipped, cancelled]) await client.post(`/orders/${id}/pay`)
  await moveOrder(app, shipped, 'shipped')
  await client.post(`/orders/${cancelled}/cancel`)
  await client.post('/cart/items', { productId, quantity: 2 })
  await client.post('/orders', { ...delivery, acceptPrices: true })
  await client.post('/cart/items', { productId, quantity: 1 })
  await client.patch('/auth/profile', { city: `Leeds ${ids[0]}` })
  const admin = app.admin.client
  const price = gbp(400 + (Math.floor(performance.now()) % 50))
  await admin.patch(`/products/${productId}`, { price, featured: true })
  await admin.post(`/products/${productId}/stock-adjustments`, { delta: 5, reason: 'received' })
  await admin.post('/categories', { name: `Shelf ${ids[0]}` })
}
