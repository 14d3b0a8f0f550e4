// The whole shop with its log in EventStoreDB: the main job, rebuilding, and a restart.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { logFor } from '../../src/workers/logReader.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { startTestShop, type TestShop } from '../support/testShop.ts'

let stub: EventStoreDbStub
let shop: TestShop

beforeAll(async () => {
  stub = await eventStoreDbStub()
  shop = await startTestShop({ settings: { EVENTSTORE_URL: stub.url } })
}, 60_000)
afterAll(async () => {
  await shop?.close()
  await stub?.close()
}, 60_000)

async function order(orderId: string, after: string) {
  return (await shop.admin.client.get(`/orders/${orderId}`, { after })).body
}

describe('a shop whose log is in EventStoreDB', () => {
  it('sells, ships and keeps its books', async () => {
    const person = await shop.person()
    const { id: product } = await newProduct(shop, { stock: 2 })
    const placed = await newOrder(person, product, 2)
    expect(placed.status).toBe(201)
    await person.client.post(`/orders/${placed.body.id}/pay`, {})
    const shipped = await moveOrder(shop, placed.body.id, 'shipped')
    expect(await order(placed.body.id, shipped.body.position)).toMatchObject({ status: 'shipped' })
    const late = await person.client.post('/cart/items', { productId: product, quantity: 1 })
    expectProblem(late, 409, 'stock/insufficient')
  })

  it('sells the last piece once', async () => {
    const { id: product } = await newProduct(shop, { stock: 1 })
    const buyers = await Promise.all([shop.person(), shop.person(), shop.person()])
    const answers = await Promise.all(
      buyers.map(({ client }) =>
        client.post(
          '/orders',
          {
            items: [{ productId: product, quantity: 1 }],
            shippingAddress: 'Somewhere 1',
            phoneNumber: '123',
          },
          { key: crypto.randomUUID() },
        ),
      ),
    )
    expect(answers.map(answer => answer.status).sort()).toEqual([201, 409, 409])
  })

  it('goes on after its connections were cut', async () => {
    const person = await shop.person()
    const { id: product } = await newProduct(shop, { stock: 5 })
    await stub.dropConnections()
    const placed = await newOrder(person, product)
    expect(placed.status).toBe(201)
    expect(await order(placed.body.id, placed.body.position)).toMatchObject({ status: 'pending' })
  })

  it('rebuilds its read models from that log', async () => {
    const { back } = shop
    for (const projection of projections) {
      await rebuild(back.db, [projection], { ...logFor(back), onProgress: () => undefined })
    }
    const { body } = await shop.admin.client.get('/orders')
    expect(body.total).toBeGreaterThan(2)
  })

  it('finds everything after a restart', async () => {
    const { id: product } = await newProduct(shop, { stock: 1 })
    await shop.restart()
    const person = await shop.person()
    const { body } = await newOrder(person, product)
    const found = await person.client.get(`/orders/${body.id}`, { after: body.position })
    expect(found.body).toMatchObject({ status: 'pending' })
  })
})
