// Reactions follow the log like projections, and are never replayed: what is parked for them is
// seen to by admins.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { reactions } from '../../src/workers/reactions/index.ts'
import { expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
const path = '/admin/projections'
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

async function parked(name: string, stream: string, count: number) {
  return waitFor(`${count} events of ${stream} parked for ${name}`, async () => {
    const { body } = await app.admin.client.get(`${path}/${name}/parked?limit=100`)
    const found = body.data.filter(each => each.stream === stream)
    return found.length === count ? found : undefined
  })
}

const decide = (name: string, position: unknown, what: string, body: object) =>
  app.admin.client.post(`${path}/${name}/parked/${position}/${what}`, body)

describe('a reaction', () => {
  it.each(reactions.map(({ name }) => name))('is shown without a version: %s', async name => {
    const { body } = await app.admin.client.get(path)
    const state = body.data.find(each => each.name === name)
    expect(state).toMatchObject({ kind: 'reaction', version: null })
    const orders = body.data.find(each => each.name === 'orders')
    expect(orders).toMatchObject({ kind: 'projection', version: expect.any(Number) })
  })

  it.each(reactions.map(({ name }) => name))('is not rebuilt: %s', async name => {
    const answer = await app.admin.client.post(`${path}/${name}/rebuild`)
    expectProblem(answer, 409, 'projection/not-rebuildable')
    const { rows } = await app.back.pool.query('select 1 from shop.rebuilds where name = $1', [
      name,
    ])
    expect(rows).toEqual([])
  })

  it('tries a parked event again once it can be done, with what waits behind it', async () => {
    const { pool } = app.back
    const { orderId } = (await newOrder(person, productId)).body
    await person.client.post(`/orders/${orderId}/pay`)
    await pool.query(`alter table shop.mails add constraint stuck check (
      order_id <> '${orderId}' or template not in ('order-shipped', 'order-delivered')
    )`)
    await moveOrder(app, orderId, 'shipped')
    await moveOrder(app, orderId, 'delivered')
    const [first, second] = await parked('mailOutbox', `order-${orderId}`, 2)
    const still = await decide('mailOutbox', first?.position, 'retry', {})
    expectProblem(still, 409, 'projection/still-parked')
    const early = await decide('mailOutbox', second?.position, 'retry', {})
    expectProblem(early, 409, 'projection/earlier-parked')
    await pool.query('alter table shop.mails drop constraint stuck')
    const done = await decide('mailOutbox', first?.position, 'retry', {})
    expect(done.body).toEqual({ applied: 2, left: 0 })
    await parked('mailOutbox', `order-${orderId}`, 0)
    const { rows } = await pool.query(
      `select template from shop.mails where order_id = $1 and template like 'order-%ed'
       order by queued_at`,
      [orderId],
    )
    expect(rows.map(({ template }) => template).slice(-2)).toEqual([
      'order-shipped',
      'order-delivered',
    ])
  })

  it.each([
    ['mailOutbox', 'OrderExpired', 'order'],
    ['webhookOutbox', 'OrderExpired', 'order'],
    ['imageOutbox', 'ProductImageAdded', 'product'],
    ['accountUpkeep', 'CustomerDisabled', 'customer'],
  ])('leaves out for good what is skipped: %s', async (name, type, category) => {
    const stream = `${category}-${randomUUID()}`
    const plain = { type: 'OrderExpired', data: { orderId: randomUUID() } } as const
    const good = await app.back.codec.encode(plain, randomUUID(), systemEnvelope('x', new Date()))
    await app.back.eventStore.append(stream, 'any', [{ ...good, type, data: { odd: 1 } }])
    const [first] = await parked(name, stream, 1)
    const done = await decide(name, first?.position, 'skip', { reason: 'Written by hand' })
    expect(done.body).toEqual({ applied: 0, left: 0 })
    await parked(name, stream, 0)
  })
})
