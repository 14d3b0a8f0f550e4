// The whole shop with its log in EventStoreDB: the main job, rebuilding, and a restart.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild.ts'
import { checkProof } from '../../src/workers/audit/proofCheck.ts'
import { extendChain } from '../../src/workers/auditChain.ts'
import { logFor } from '../../src/workers/logReader.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { takeExport, verifyExport } from '../support/exports.ts'
import { expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { startTestShop, type TestShop } from '../support/testShop.ts'
import { waitFor } from '../support/waitFor.ts'

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
    const types = stub.log.records.map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['OrderPlaced', 'OrderPaid', 'OrderShipped']))
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

  it('shows its log to auditors, and proves that it is as it was', async () => {
    const { client, access } = await shop.person('auditor')
    const buyer = await shop.person()
    const { id: product } = await newProduct(shop, { stock: 1 })
    const { body: placed } = await newOrder(buyer, product)
    await extendChain(shop.back)
    const path = `/audit/events?stream=order-${placed.id}`
    const { data } = (await client.get(path, { after: placed.position })).body
    expect(data[0]).toMatchObject({ type: 'OrderSubmitted', actor: { id: buyer.id } })
    const traced = await client.get(`/audit/trace/${data[0]?.correlationId}`)
    expect(traced.body).toMatchObject({ complete: true })
    const then = await client.get(`/audit/stock/${product}?asOf=0`)
    expect(then.body).toMatchObject({ revision: 0, state: { onHand: 1, reservedTotal: 0 } })
    const { body } = await client.get('/audit/verify')
    expect(body).toMatchObject({ ok: true, upTo: body.signedUpTo })
    const { output, code } = await verifyExport(await takeExport(shop.url, access))
    expect(output).toMatch(/^OK: \d+ events/)
    expect(code).toBe(0)
  })

  it('names an event that was changed in that log', async () => {
    const { client } = await shop.person('auditor')
    const record = stub.log.records.findLast(
      ({ stream, type }) => type === 'OrderSubmitted' && stream.startsWith('order-'),
    )
    if (record === undefined) throw new Error('nothing was ordered')
    await waitFor('its signature', async () => {
      await extendChain(shop.back)
      const { signedUpTo } = (await client.get('/audit/verify')).body
      return BigInt(String(signedUpTo)) >= record.position
    })
    const { data } = record
    record.data = Buffer.from(Buffer.from(data).toString().replace('"quantity":1', '"quantity":2'))
    const { firstBad } = (await client.get('/audit/verify')).body
    expect(firstBad).toMatchObject({ position: String(record.position), problem: 'changed' })
    record.data = data
    expect((await client.get('/audit/verify')).body).toMatchObject({ ok: true })
  })

  it('refuses a stream with hidden events, names it, and goes on once they are back', async () => {
    const { client: auditor } = await shop.person('auditor')
    const { id: product } = await newProduct(shop, { stock: 50 })
    await newOrder(await shop.person(), product)
    const stream = `stock-${product}`
    const operator = EventStoreDBClient.connectionString(stub.url)
    onTestFinished(() => operator.dispose())
    await operator.setStreamMetadata(stream, { truncateBefore: 1 })
    await shop.restart()
    const buyer = await shop.person()
    const items = [{ productId: product, quantity: 1 }]
    const address = { shippingAddress: 'Somewhere 1', phoneNumber: '123' }
    const order = await buyer.client.post('/orders', { items, ...address }, { key: randomUUID() })
    expectProblem(order, 409, 'stream/broken')
    expect(order.body).toMatchObject({ retryable: false })
    const shown = await auditor.get(`/audit/stock/${product}?asOf=0`)
    expectProblem(shown, 409, 'stream/broken')
    const hidden = { key: stream, detail: expect.stringContaining('$tb hides') }
    const { body } = await auditor.get('/audit/verify')
    expect(body).toMatchObject({ ok: false, findings: [hidden], findingsCount: 1 })
    const proof = await checkProof({ ...shop.back.audit, eventStore: shop.back.eventStore })
    const whole = proof.find(({ check }) => check === 'streams are whole')
    expect(whole).toMatchObject({ count: 1, findings: [expect.stringContaining(stream)] })
    await operator.setStreamMetadata(stream, {})
    expect((await auditor.get(`/audit/stock/${product}?asOf=0`)).status).toBe(200)
    expect((await newOrder(buyer, product)).status).toBe(201)
  })

  it('names a stream that was deleted although the log had it', async () => {
    const { client: auditor } = await shop.person('auditor')
    const { id: product } = await newProduct(shop, { stock: 5 })
    await extendChain(shop.back)
    stub.log.tombstone(`stock-${product}`)
    const { body } = await auditor.get('/audit/verify')
    const finding = { key: `stock-${product}`, detail: expect.stringContaining('tombstone') }
    expect(body).toMatchObject({ ok: false, findings: [finding] })
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
