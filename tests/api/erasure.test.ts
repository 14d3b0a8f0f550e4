// Erasing a person: nothing of them can be read, the books still add up, a certificate says so.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { eraseCustomer } from '../../src/commands/customer/customer.ts'
import { catalogFindings } from '../../src/infra/audit/catalogGuard.ts'
import { startOfLog } from '../../src/kit/position.ts'
import { readStream } from '../../src/ports/eventStore.ts'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rollBack } from '../../src/projections/rebuild/swap.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import type { Answer } from '../support/apiClient.ts'
import { wholeDatabase, wholeFiles, wholeRedis } from '../support/everything.ts'
import { expectProblem, gbp, newOrder, newProduct } from '../support/goods.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let productId = ''
beforeAll(async () => {
  app = await startTestApp({ settings: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1' } })
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

let lived = 0

/** What somebody tells us about themselves, unlike anything that anybody else does. */
function canariesOf(mark: string) {
  return {
    profile: {
      firstName: `Canaryfirst${mark}`,
      lastName: `Canarylast${mark}`,
      phoneNumber: `+44 555 ${mark}`,
      dateOfBirth: `18${mark}-12-10`,
      address: `${mark} Canary Wharf`,
      city: `Canarytown${mark}`,
      postalCode: `CAN${mark}RY`,
    },
    delivery: { shippingAddress: `${mark} Canary Row`, phoneNumber: `+44 556 ${mark}` },
  }
}

interface Life {
  person: Person
  orderId: string
  position: string
  delivery: object
  /** What must not be found afterwards. */
  traces: string[]
}

/** Somebody with a full profile, an order that is sent, a second session, a ticket and mails. */
async function livedIn(): Promise<Life> {
  lived += 1
  const { profile, delivery } = canariesOf(String(10 + lived))
  const person = await app.person()
  const { username, email } = person
  await person.client.patch('/auth/profile', profile)
  const items = [{ productId, quantity: 2 }]
  const { body } = await person.client.post('/orders', { ...delivery, items })
  const { orderId } = body
  expect((await person.client.post(`/orders/${orderId}/pay`)).status).toBe(200)
  const tracking = `CanaryTrack${lived}`
  const sent = { status: 'shipped', tracking }
  const { position } = (await app.admin.client.patch(`/orders/${orderId}/status`, sent)).body
  await person.client.post('/auth/tickets')
  await app.anyone.post('/auth/login', { username, password })
  await app.anyone.post('/auth/password/reset', { email })
  const told = [...Object.values(profile), ...Object.values(delivery)]
  return { person, orderId, position, delivery, traces: [...told, tracking, username, email] }
}

/** Also as the columns that are searched in spell it. */
function found({ traces }: Life, where: string): string[] {
  const text = where.toLowerCase()
  return traces.filter(trace =>
    [trace.toLowerCase(), trace.replace(/\W+/g, '').toLowerCase()].some(each =>
      text.includes(each),
    ),
  )
}

/** Refuses every connection: what is to be sent there waits. */
const unreachable = 'http://127.0.0.1:9/'

/** Mails in every state, with what a server has said of them: it may quote whom they were for. */
async function failMails({ orderId, person }: Life): Promise<void> {
  await app.back.pool.query(
    `update shop.mails m
    set last_error = $2, state = s.state, due_at = now() + interval '1 hour'
    from (
      select mail_id,
        (array['due', 'retrying', 'undeliverable'])[row_number() over () % 3 + 1] as state
      from shop.mails where order_id = $1
    ) s
    where m.mail_id = s.mail_id`,
    [orderId, `SMTP 550 ${person.email}`],
  )
}

/** What was put into a cart before signing in comes along. */
async function mergeGuestCart({ username }: Person): Promise<void> {
  const item = { productId, quantity: 1 }
  const { body } = await app.anyone.post('/cart/items', item)
  const headers = { 'x-cart-token': String(body.cartToken) }
  const answer = await app.anyone.post('/auth/login', { username, password }, { headers })
  expect(answer.status).toBe(200)
}

async function erase({ client }: Person) {
  const answer = await client.delete('/auth/profile', { password })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body
}

/** The checks of a certificate that have not passed. */
function failedOf({ checks }: Answer['body']) {
  return Object.values(checks ?? []).filter(({ passed }) => !passed)
}

function totals() {
  return app.back.pool.query(
    `select order_id, status, lines, total_minor, captured_minor, refunded_minor, revision
    from orders order by order_id`,
  )
}

describe('erasing somebody', () => {
  it('leaves nothing of them in any table, in Redis, or in what the log says', async () => {
    const life = await livedIn()
    await app.admin.client.get(`/orders/${life.orderId}`, { after: life.position })
    // The search does find what is there.
    expect(found(life, await wholeDatabase(app))).toHaveLength(life.traces.length)
    await erase(life.person)
    await waitFor('an empty queue of mails', async () => {
      const { rows } = await app.back.pool.query(
        `select event_id from shop.mails where state in ('due', 'retrying')`,
      )
      return rows.length === 0
    })
    expect(found(life, await wholeDatabase(app))).toEqual([])
    expect(found(life, await wholeRedis(app))).toEqual([])
    expect(found(life, await wholeFiles(app))).toEqual([])
    const events: unknown[] = []
    await waitFor('the other process to forget', async () => {
      events.length = 0
      for await (const event of app.back.eventStore.readAll({ after: startOfLog })) {
        events.push(await app.back.codec.decode(event))
      }
      const text = JSON.stringify(events, (_, value) => {
        return typeof value === 'bigint' ? String(value) : value
      })
      return found(life, text).length === 0
    })
    expect(events.length).toBeGreaterThan(5)
  })

  it('leaves nothing in any state of the shop: rebuilt, rolled back, filling, parked', async () => {
    const { pool, db } = app.back
    const events = ['order.placed', 'order.paid', 'order.shipped']
    const endpoint = await app.admin.client.post('/admin/webhooks', { url: unreachable, events })
    expect(endpoint.status, JSON.stringify(endpoint.body)).toBe(201)
    const life = await livedIn()
    const { person, orderId, position } = life
    await mergeGuestCart(person)
    await waitFor('webhooks that wait', async () => {
      const { rows } = await pool.query(
        'select body from shop.webhook_deliveries where message::text like $1 and body is not null',
        [`%${orderId}%`],
      )
      return rows.length >= events.length
    })
    await app.admin.client.get(`/orders/${orderId}`, { after: position })
    for (const name of ['customers', 'orders', 'stock']) await rebuilt(name)
    const orders = projections.find(each => each.name === 'orders')
    if (orders !== undefined) await rollBack(db, orders)
    expect(await catalogueFaults()).toEqual([])
    // What another rebuild is filling, and a release before this one has left behind.
    for (const schema of ['rebuild_orders', 'previous_orders_newer']) {
      await pool.query(`create schema ${schema}`)
      await pool.query(`create table ${schema}.orders as table readmodel.orders`)
      // Here it would follow from nothing.
      await pool.query(`alter table ${schema}.orders drop column words`)
    }
    // What names the person beside the read models, and read models that are stuck before the end.
    const stream = `customer-${person.id}`
    await pool.query(
      `insert into shop.parked_events (name, position, stream, type, error)
      select name, 1, $1, 'ProfileChanged', $2 from unnest(array['customers', 'orders']) as name`,
      [stream, `invalid value: ${person.email}`],
    )
    await pool.query(
      `insert into shop.parking_decisions (name, position, stream, decision, outcome, reason)
      values ('orders', 1, $1, 'retry', 'still-parked', $2)`,
      [stream, `${person.username} has asked`],
    )
    await pool.query(`update shop.checkpoints set epoch = epoch + 1
      where name in ('customers', 'orders')`)
    await failMails(life)
    await app.admin.client.get(`/admin/users?q=${person.username}`)
    const certificate = await erase(person)
    expect(found(life, await wholeDatabase(app))).toEqual([])
    expect(found(life, await wholeRedis(app))).toEqual([])
    expect(found(life, await wholeFiles(app))).toEqual([])
    expect(failedOf(certificate)).toEqual([])
    const { rows } = await pool.query('select state from shop.mails where order_id = $1', [orderId])
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['dropped']))
    await pool.query('drop schema rebuild_orders, previous_orders_newer cascade')
    for (const name of ['customers', 'orders']) await rebuilt(name)
  })

  it('says which table still shows something', async () => {
    const { person } = await livedIn()
    await erase(person)
    await app.back.pool.query('create schema forgotten_copy')
    await app.back.pool.query(`create table forgotten_copy.customers as
      select customer_id, 'ada'::text as username from readmodel.customers`)
    const { body } = await app.admin.client.get(`/admin/users/${person.id}/erasure`)
    expect(failedOf(body)).toEqual([{ name: expect.stringContaining('customers'), passed: false }])
    await app.back.pool.query('drop schema forgotten_copy cascade')
  })

  it('makes reasons and tracking numbers unreadable in history and audit', async () => {
    const person = await app.person()
    const { orderId } = (await newOrder(person, productId)).body
    await person.client.post(`/orders/${orderId}/pay`)
    const { client } = app.admin
    const tracking = `Trackmark${lived}`
    await client.patch(`/orders/${orderId}/status`, { status: 'shipped', tracking })
    const reason = `Refundmark${lived} of Ada`
    const refund = { amount: gbp(5), reason }
    expect((await client.post(`/orders/${orderId}/refunds`, refund)).status).toBeLessThan(300)
    const other = (await newOrder(person, productId)).body.orderId
    const cancel = { reason: `Cancelmark${lived}` }
    await person.client.post(`/orders/${other}/cancel`, cancel)
    const shown = async () => {
      const pages = await Promise.all(
        [orderId, other].flatMap(id => [
          client.get(`/orders/${id}/history`),
          client.get(`/audit/orders/${id}`),
        ]),
      )
      return JSON.stringify(pages.map(({ body }) => body))
    }
    const marks = [tracking, reason, cancel.reason]
    const before = await shown()
    expect(marks.filter(mark => !before.includes(mark))).toEqual([])
    const { rows } = await app.back.pool.query('select data::text as data from eventstore.events')
    const log = rows.map(({ data }) => data).join()
    expect(marks.filter(mark => log.includes(mark))).toEqual([])
    await erase(person)
    const after = await shown()
    expect(marks.filter(mark => after.includes(mark))).toEqual([])
    expect(after).toContain('The order was cancelled: [erased]')
  })

  it('answers with a certificate that admins and auditors can get later', async () => {
    const { person } = await livedIn()
    const certificate = await erase(person)
    expect(certificate).toMatchObject({
      customerId: person.id,
      erasedAt: expect.any(String),
      position: expect.any(String),
    })
    expect(certificate.checks).toHaveLength(11)
    expect(failedOf(certificate)).toEqual([])
    const auditor = await app.person('auditor')
    for (const { client } of [auditor, app.admin]) {
      const { body } = await client.get(`/admin/users/${person.id}/erasure`)
      expect(body).toEqual(certificate)
    }
  })

  it('ends everything that they could do', async () => {
    const { person } = await livedIn()
    await erase(person)
    const login = { username: person.username, password }
    expectProblem(await app.anyone.post('/auth/login', login), 401, 'account/invalid-credentials')
    const spent = await app.anyone.post('/auth/token/refresh', { refresh: person.refresh })
    expectProblem(spent, 401, 'account/invalid-token')
    const again = await person.client.delete('/auth/profile', { password })
    expectProblem(again, 401, 'request/unauthenticated')
    const change = { roles: ['admin'] }
    const path = `/admin/users/${person.id}`
    const promoted = await app.admin.client.patch(path, change, { ifMatch: '*' })
    expectProblem(promoted, 404, 'customer/not-found')
    const { body } = await app.admin.client.get(path)
    expect(body).toMatchObject({ username: '[erased]', email: null, erased: true, roles: [] })
  })

  it('needs their password', async () => {
    const person = await app.person()
    const answer = await person.client.delete('/auth/profile', { password: 'not the one' })
    const { errors } = expectProblem(answer, 403, 'account/wrong-password')
    expect(errors[0]?.pointer).toBe('/password')
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
  })

  it('frees the name and the address for a new account', async () => {
    const person = await app.person()
    await erase(person)
    const { username, email } = person
    const answer = await app.anyone.post('/auth/register', { username, email, password })
    expect(answer.status).toBe(201)
    expect(answer.body).not.toMatchObject({ user: { id: person.id } })
  })

  it('leaves orders and amounts as they were, and a rebuild finds the same', async () => {
    const { person, orderId, position } = await livedIn()
    const bystander = await livedIn()
    await app.admin.client.get('/orders', { after: bystander.position })
    const before = (await totals()).rows
    const { position: erased } = await erase(person)
    expect((await totals()).rows).toEqual(before)
    const { body } = await app.admin.client.get(`/orders/${orderId}`, { after: erased })
    expect(body).toMatchObject({ shippingAddress: '[erased]', phoneNumber: '[erased]' })
    const other = await app.admin.client.get(`/orders/${bystander.orderId}`)
    expect(other.body).toMatchObject(bystander.delivery)
    expect(BigInt(erased)).toBeGreaterThan(BigInt(position))
    const live = await dumpOf('customers', 'orders')
    await waitFor('the other process to forget', () => isForgotten(person))
    for (const name of ['customers', 'orders']) await rebuilt(name)
    expect(await dumpOf('customers', 'orders')).toEqual(live)
  })

  it('is finished by the worker when the process that began it has died', async () => {
    const life = await livedIn()
    const { person } = life
    const { app: inner } = app.back
    const envelope = { ...systemEnvelope('x', new Date()), actor: actorOf(person) }
    await execute(inner, eraseCustomer, { customerId: person.id }, envelope)
    await waitFor('nothing to be left', async () => {
      const left = await app.back.accounts.accounts.traces(person.id)
      return left.accounts === 0 && left.sessions === 0 && !left.hasKey
    })
    expect(found(life, await wholeDatabase(app))).toEqual([])
  })
})

function actorOf({ id }: Person) {
  return { role: 'customer' as const, id, roles: ['customer' as const] }
}

/** Whether the process of the tests has noticed that the key is gone. */
async function isForgotten(person: Person): Promise<boolean> {
  for await (const event of readStream(app.back.eventStore, `customer-${person.id}`, {})) {
    const decoded = await app.back.codec.decode(event)
    if (JSON.stringify(decoded.data).includes(person.username)) return false
  }
  return true
}

async function dumpOf(...tables: string[]) {
  const dumps = await Promise.all(
    tables.map(table => app.back.pool.query(`select t::text from ${table} t order by 1`)),
  )
  return dumps.map(({ rows }) => rows)
}

/** What is not as the migrations make it: tables that were rebuilt or put back are. */
async function catalogueFaults(): Promise<string[]> {
  const session = await app.back.pool.connect()
  const found: string[] = []
  await session.query('begin')
  for await (const { key, detail } of catalogFindings(session)) found.push(`${key}: ${detail}`)
  session.release(true)
  return found
}

async function rebuilt(name: string) {
  const projection = projections.find(each => each.name === name)
  if (projection === undefined) throw new Error(name)
  await rebuild(app.back.db, [projection], { ...rebuildLog(app.back), onProgress: () => undefined })
}
