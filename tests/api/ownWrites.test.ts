// Whoever has written sees it: by default, without a header, and on any process.
import { randomUUID } from 'node:crypto'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, startApp } from '../../src/app.ts'
import { type Client, createClient } from '../support/apiClient.ts'
import { type Person, password, startTestShop, type TestShop } from '../support/testShop.ts'

let shop: TestShop
/** Two more APIs of the shop, without projections of their own. */
const others: Running[] = []
beforeAll(async () => {
  shop = await startTestShop()
  const config = { ...shop.config, port: 0 }
  for (const _ of [1, 2]) others.push(await startApp(config, { api: true, workers: false }))
})
afterAll(async () => {
  for (const other of others) await other.close()
  await shop?.close()
})

const address = (node: number) => [shop.url, ...others.map(({ url }) => url)][node % 3] ?? ''
/** Somebody at one of the three processes. */
const at = (node: number, token?: string): Client =>
  createClient(address(node), shop.contract, token)

/** Every pair of a process to write to and another one to read from. */
const pairs = [0, 1, 2].flatMap(one => [1, 2].map(step => [one, (one + step) % 3] as const))
const rounds = Array.from({ length: 42 }, (_, round) => pairs[round % pairs.length] ?? [0, 1])

async function listed(stock = 500): Promise<{ productId: string; position: string }> {
  const sku = `OWN-${randomUUID()}`
  const price = { amount: 500, currency: 'GBP' }
  const { body } = await shop.admin.client.post('/products', { name: 'Pen', sku, price, stock })
  return { productId: body.id, position: body.position }
}

const delivery = { shippingAddress: '1 High Street, London', phoneNumber: '020 7946 0000' }

async function placed(client: Client, productId: string) {
  const items = [{ productId, quantity: 1 }]
  const { body, status } = await client.post('/orders', { ...delivery, items })
  expect(status).toBe(201)
  return body.id
}

describe('whoever has written on one process sees it on another', () => {
  let ann: Person
  let productId: string
  beforeAll(async () => {
    ann = await shop.person()
    productId = (await listed()).productId
  })

  it('in the cart, 42 times out of 42', async () => {
    let expected = 0
    for (const [writes, reads] of rounds) {
      await at(writes, ann.access).post('/cart/items', { productId, quantity: 1 })
      expected += 1
      const { body } = await at(reads, ann.access).get('/cart')
      expect(body.itemCount).toBe(expected)
    }
  })

  it('in the cart of a guest, from the first item on', async () => {
    for (const [writes, reads] of pairs) {
      const { headers } = await at(writes).post('/cart/items', { productId, quantity: 2 })
      const token = { headers: { 'x-cart-token': headers.get('x-cart-token') ?? '' } }
      expect((await at(reads).get('/cart/total', token)).body.itemCount).toBe(2)
      await at(reads).put(`/cart/items/${productId}`, { quantity: 3 }, token)
      expect((await at(writes).get('/cart', token)).body.itemCount).toBe(3)
    }
  })

  it('in orders, and what has become of them', async () => {
    for (const [writes, reads] of pairs) {
      const id = await placed(at(writes, ann.access), productId)
      expect((await at(reads, ann.access).get(`/orders/${id}`)).body.status).toBe('pending')
      await at(reads, ann.access).post(`/orders/${id}/cancel`, {})
      const { body } = await at(writes, ann.access).get('/orders?status=cancelled&pageSize=1')
      expect(body.data[0]?.id).toBe(id)
    }
  })

  it('in the profile, and in the cart that came along at registration', async () => {
    for (const [writes, reads] of pairs) {
      const made = await at(writes).post('/cart/items', { productId, quantity: 4 })
      const username = `own-${randomUUID().slice(0, 8)}`
      const { body } = await at(reads).post(
        '/auth/register',
        { username, email: `${username}@example.com`, password },
        { headers: { 'x-cart-token': made.headers.get('x-cart-token') ?? '' } },
      )
      const { tokens } = Object.assign({ tokens: { access: '' } }, body)
      const own = at(writes, tokens.access)
      expect((await own.get('/cart')).body.itemCount).toBe(4)
      await own.patch('/auth/profile', { city: 'Leeds' })
      expect((await at(reads, tokens.access).get('/auth/profile')).body.city).toBe('Leeds')
    }
  })
})

describe('staff who have written on one process see it on another', () => {
  it('in products, their lists and their stock, cached or not', async () => {
    const { access } = shop.admin
    for (const [writes, reads] of rounds) {
      const [one, other] = [at(writes, access), at(reads, access)]
      const sku = `ADM-${randomUUID()}`.toUpperCase()
      const price = { amount: 700, currency: 'GBP' }
      const { body: made } = await one.post('/products', { name: 'Ink', sku, price, stock: 5 })
      expect((await other.get(`/products/${made.id}`)).body.sku).toBe(sku)
      const { body } = await other.get('/products?ordering=-createdAt&pageSize=1')
      expect(body.data[0]?.sku).toBe(sku)
      await other.post(`/products/${made.id}/stock-adjustments`, { delta: 3, reason: 'received' })
      expect((await one.get(`/products/${made.id}/stock`)).body.onHand).toBe(8)
    }
  })

  it('in categories, users and the status of orders', async () => {
    const { access } = shop.admin
    const buyer = await shop.person()
    const { productId } = await listed()
    for (const [writes, reads] of pairs) {
      const [one, other] = [at(writes, access), at(reads, access)]
      const name = `Category ${randomUUID()}`
      const category = await one.post('/categories', { name })
      expect((await other.get(`/categories/${category.body.id}`)).body.name).toBe(name)

      const id = await placed(at(writes, buyer.access), productId)
      await at(writes, buyer.access).post(`/orders/${id}/pay`, {})
      await one.patch(`/orders/${id}/status`, { status: 'shipped' })
      expect((await other.get(`/orders/${id}`)).body.status).toBe('shipped')

      const { id: userId } = await shop.person()
      await one.patch(`/admin/users/${userId}`, { roles: ['customer', 'support'] })
      const { body } = await other.get(`/admin/users/${userId}`)
      expect(body.roles).toEqual(['customer', 'support'])
    }
  })
})

describe('settings, images, imports and prices are fresh on every process, too', () => {
  const body = { name: 'Ink', price: { amount: 1, currency: 'GBP' } }

  const multipart = { headers: { 'content-type': 'multipart/form-data; boundary=b' } }
  const form = async () => {
    const background = { r: 1, g: 2, b: 3 }
    const image = sharp({ create: { width: 9, height: 9, channels: 3, background } })
    const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n'
    const parts = [
      `${head}content-type: image/png\r\n\r\n`,
      await image.png().toBuffer(),
      '\r\n--b--',
    ]
    return new Uint8Array(Buffer.concat(parts.map(part => Buffer.from(part))))
  }

  /** What is written on one process, and what another one shows then. */
  const table: Record<string, (one: Client, other: Client) => Promise<[unknown, unknown]>> = {
    'a new webhook': async (one, other) => {
      const asked = { url: 'https://hooks.example.com/a', events: ['order.paid'] }
      const { id } = (await one.post('/admin/webhooks', asked)).body
      const { status } = await other.get(`/admin/webhooks/${id}`)
      await one.delete(`/admin/webhooks/${id}`)
      return [status, 200]
    },
    'a webhook that is gone': async (one, other) => {
      const asked = { url: 'https://hooks.example.com/a', events: ['order.paid'] }
      const { id } = (await one.post('/admin/webhooks', asked)).body
      await one.delete(`/admin/webhooks/${id}`)
      return [(await other.get(`/admin/webhooks/${id}`)).status, 404]
    },
    'the image of a product': async (one, other) => {
      const { id } = (await one.post('/products', body)).body
      const { image } = (await one.post(`/products/${id}/images`, await form(), multipart)).body
      const { images } = (await other.get(`/products/${id}`)).body
      return [Object(images)[0]?.id, Object(image).id]
    },
    'a bulk import': async (one, other) => {
      const type = { 'content-type': 'text/csv' }
      const file = `sku,name,price\nOWN-${randomUUID()},Pen,1.00\n`
      const { id } = (await one.post('/products/imports', file, { headers: type })).body
      return [(await other.get(`/products/imports/${id}`)).status, 200]
    },
    'a price, and its history': async (one, other) => {
      const { id } = (await one.post('/products', body)).body
      await one.patch(`/products/${id}`, { price: { amount: 2, currency: 'GBP' } })
      const { price } = (await other.get(`/products/${id}/price-history`)).body
      return [Object(price).amount, 2]
    },
  }

  it.each(Object.keys(table))('%s', async name => {
    for (const [writes, reads] of pairs) {
      const [shown, expected] = (await table[name]?.(
        at(writes, shop.admin.access),
        at(reads, shop.admin.access),
      )) ?? [name, undefined]
      expect(shown).toEqual(expected)
    }
  })
})

it('a buyer of the last piece sees a listing without it, and so does everybody soon', async () => {
  const ann = await shop.person()
  for (const [writes, reads] of pairs) {
    const { productId, position } = await listed(1)
    for (const node of [0, 1, 2]) {
      const path = `/products/${productId}`
      for (const client of [at(node), at(node, ann.access)]) {
        expect((await client.get(path, { after: position })).status).toBe(200)
      }
    }
    await placed(at(writes, ann.access), productId)
    const { body } = await at(reads, ann.access).get(`/products/${productId}`)
    expect(body.availability).toBe('out')
  }
})
