// Streams to which a newer release has written: commands say so, and everything else goes on.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let person: Person
let productId = ''
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

async function appendOdd(orderId: string, type: string, version: number, more: object) {
  const { codec, eventStore } = app.back
  const plain = { type: 'OrderDelivered', data: { orderId } } as const
  const good = await codec.encode(plain, randomUUID(), systemEnvelope('x', new Date()))
  const metadata = { ...good.metadata, v: version }
  const data = { ...good.data, ...more }
  await eventStore.append(`order-${orderId}`, 'any', [{ ...good, type, metadata, data }])
}

it.each([
  ['a type that is not known', 'OrderGiftWrapped', 1],
  ['a version that is not known', 'OrderDelivered', 2],
])('commands on an order with %s answer 409', async (_, type, version) => {
  const { orderId } = (await newOrder(person, productId)).body
  await appendOdd(orderId, type, version, {})
  const paid = await person.client.post(`/orders/${orderId}/pay`)
  expectProblem(paid, 409, 'log/newer-release')
  const other = (await newOrder(person, productId)).body.orderId
  expect((await person.client.post(`/orders/${other}/pay`)).status).toBeLessThan(300)
})

it('a field that is not known is left out, and the order goes on', async () => {
  const { orderId } = (await newOrder(person, productId)).body
  await person.client.post(`/orders/${orderId}/pay`)
  await appendOdd(orderId, 'OrderDelivered', 1, { signedBy: 'a neighbour' })
  const position = String(await app.back.eventStore.head())
  const { body } = await person.client.get(`/orders/${orderId}`, { after: position })
  expect(body.status).toBe('delivered')
})
