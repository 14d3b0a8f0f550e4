// Projections over HTTP: how far they are, rebuilding them, and what they could not handle.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import type { AppEvent } from '../../src/domain/index.ts'
import type { NewEvent } from '../../src/ports/eventStore.ts'
import { expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

const path = '/admin/projections'

async function event(plain: AppEvent, change: Partial<NewEvent> = {}): Promise<NewEvent> {
  const envelope = systemEnvelope('test', new Date())
  return { ...(await app.back.codec.encode(plain, randomUUID(), envelope, person.id)), ...change }
}

async function placed(): Promise<string> {
  return (await newOrder(person, productId)).body.orderId
}

/** What is parked for orders in the stream of one of them, once there are so many. */
function parkedOf(orderId: string, count: number) {
  return waitFor('the parking', async () => {
    const { body } = await app.admin.client.get(`${path}/orders/parked?limit=100`)
    const found = body.data.filter(({ stream }) => stream === `order-${orderId}`)
    return found.length === count ? found : undefined
  })
}

const settle = (position: unknown, what: 'retry' | 'skip', body: object) =>
  app.admin.client.post(`${path}/orders/parked/${position}/${what}`, body)

async function statusOf(orderId: string, after?: string) {
  const options = after === undefined ? {} : { after }
  return (await app.admin.client.get(`/orders/${orderId}`, options)).body.status
}

describe('a projection', () => {
  it('says how far it is, who runs it, and how long it has been behind', async () => {
    const { body } = await newOrder(person, productId)
    await person.client.get(`/orders/${body.orderId}`, { after: body.position })
    const shown = await waitFor('the checkpoint', async () => {
      const answer = await app.admin.client.get(`${path}/orders`)
      return answer.body.state === 'running' ? answer.body : undefined
    })
    expect(shown).toMatchObject({ name: 'orders', state: 'running', lagMs: 0, parked: 0 })
    expect(shown.lag).toEqual({ seconds: 0, events: 0 })
    expect(BigInt(String(shown.position))).toBeGreaterThanOrEqual(BigInt(body.position))
  })

  it('that nobody has heard of is named, with those that are there', async () => {
    const answer = await app.admin.client.get(`${path}/nothing`)
    expectProblem(answer, 404, 'projection/not-found')
    expect(answer.body.detail).toContain('orders')
  })
})

describe('a rebuild over HTTP', () => {
  it('is done by a worker, shows its progress live, and is equal to what was there', async () => {
    await placed()
    const asked = await app.admin.client.post(`${path}/orders/rebuild`)
    expect(asked.status).toBe(202)
    expect(asked.headers.get('location')).toBe('/api/admin/projections/orders/rebuild')
    const response = await fetch(`${app.url}/api${path}/orders/rebuild`, {
      headers: { authorization: `Bearer ${app.admin.access}`, accept: 'text/event-stream' },
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const events = (await response.text()).trim().split('\n\n')
    expect(events.at(-1)).toMatch(/^event: done\n/)
    const last = JSON.parse(String(events.at(-1)).replace(/^.*\ndata: /, ''))
    expect(last).toMatchObject({ name: 'orders', state: 'done', progress: 1, matches: true })
    const { body } = await app.admin.client.get(`${path}/orders`)
    expect(body).toMatchObject({ rebuild: { state: 'done' }, previous: { version: body.version } })
  })

  it('is for admins', async () => {
    const auditor = await app.person('auditor')
    const answer = await auditor.client.post(`${path}/orders/rebuild`)
    expectProblem(answer, 403, 'command/forbidden')
    expect((await auditor.client.get(`${path}/orders/rebuild`)).status).toBe(200)
  })
})

describe('a parked event', () => {
  it('that can be applied meanwhile is, with what waits behind it', async () => {
    const orderId = await placed()
    const { pool } = app.back
    await person.client.post(`/orders/${orderId}/pay`)
    await pool.query(`alter table readmodel.orders add constraint stuck check (
      order_id <> '${orderId}' or status not in ('shipped', 'delivered')
    )`)
    const shipped = await moveOrder(app, orderId, 'shipped')
    await moveOrder(app, orderId, 'delivered')
    const [first, second] = await parkedOf(orderId, 2)
    expect(first?.error).toContain('stuck')
    expect(await statusOf(orderId, shipped.body.position)).toBe('paid')

    const still = await settle(first?.position, 'retry', {})
    expectProblem(still, 409, 'projection/still-parked')
    const early = await settle(second?.position, 'retry', {})
    expectProblem(early, 409, 'projection/earlier-parked')
    expect(early.body.first).toBe(first?.position)

    await pool.query('alter table readmodel.orders drop constraint stuck')
    const done = await settle(first?.position, 'retry', { reason: 'The rule was wrong' })
    expect(done.body).toEqual({ applied: 2, left: 0 })
    expect(await statusOf(orderId)).toBe('delivered')
    await parkedOf(orderId, 0)
    expectProblem(await settle(first?.position, 'retry', {}), 404, 'projection/not-parked')
  })

  it('that never can be is skipped with a reason, and its order goes on', async () => {
    const orderId = await placed()
    const shippedOddly = await event(
      { type: 'OrderShipped', data: { orderId, tracking: null } },
      { data: { x: 1 } },
    )
    await app.back.eventStore.append(`order-${orderId}`, 'any', [shippedOddly])
    const cancelled = await event({
      type: 'OrderCancelled',
      data: { orderId, reason: 'x', refund: null },
    })
    await app.back.eventStore.append(`order-${orderId}`, 'any', [cancelled])
    const [first] = await parkedOf(orderId, 2)
    const bare = await settle(first?.position, 'skip', {})
    expectProblem(bare, 400, 'request/invalid')
    const done = await settle(first?.position, 'skip', { reason: 'A typing error by hand' })
    expect(done.body).toEqual({ applied: 1, left: 0 })
    expect(await statusOf(orderId)).toBe('cancelled')
    const { rows } = await app.back.pool.query(
      'select decision, outcome, reason, decided_by from shop.parking_decisions where stream = $1',
      [`order-${orderId}`],
    )
    expect(rows).toEqual([
      {
        decision: 'skip',
        outcome: 'applied',
        reason: 'A typing error by hand',
        decided_by: app.admin.id,
      },
    ])
    // The runner has learnt that the stream is free again.
    const archived = await event({ type: 'OrderArchived', data: { orderId } })
    await app.back.eventStore.append(`order-${orderId}`, 'any', [archived])
    await waitFor('the order to be archived', async () => {
      const sql = 'select archived from orders where order_id = $1'
      return (await app.back.pool.query(sql, [orderId])).rows[0]?.archived
    })
  })
})
