// Erasing on request: what is still owed comes first, admins do it for others, and one's own data.

import { randomUUID } from 'node:crypto'
import { appendFile, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { registerCustomer } from '../../src/commands/customer/customer.ts'
import { payOrder } from '../../src/commands/order/order.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { conclude, submit } from '../../src/domain/order/orderDecisions.ts'
import { recordDispute } from '../../src/domain/order/providerMoney.ts'
import { startOfLog } from '../../src/kit/position.ts'
import type { Client } from '../support/apiClient.ts'
import { backUp } from '../support/backups.ts'
import { wholeDatabase } from '../support/everything.ts'
import { delivery, expectProblem, gbp, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { type SecondNode, startSecondNode } from '../support/secondNode.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let productId = ''
beforeAll(async () => {
  app = await startTestApp()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(() => app?.close())

const requestReference = 'ticket 4711'

async function paidOrder(person: Person): Promise<string> {
  const { orderId } = (await newOrder(person, productId)).body
  expect((await person.client.post(`/orders/${orderId}/pay`)).status).toBe(200)
  return orderId
}

const failedOf = (checks: object) => Object.values(checks).filter(({ passed }) => !passed)

describe('a person with an order that is paid and not sent', () => {
  it('is not erased, and told which it is', async () => {
    const person = await app.person()
    const orderId = await paidOrder(person)
    const answer = await person.client.delete('/auth/profile', { password })
    const problem = expectProblem(answer, 409, 'customer/open-orders')
    expect(problem).toMatchObject({ orders: [{ orderId, status: 'paid' }] })
    const asked = { requestReference }
    const path = `/admin/users/${person.id}/erase`
    expectProblem(await app.admin.client.post(path, asked), 409, 'customer/open-orders')
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
  })

  it('is erased once it is sent', async () => {
    const person = await app.person()
    const orderId = await paidOrder(person)
    expect((await moveOrder(app, orderId, 'shipped')).status).toBe(200)
    expect((await person.client.delete('/auth/profile', { password })).status).toBe(200)
  })

  it('is not erased while a bank has to decide about one, though it is sent', async () => {
    const person = await app.person()
    const orderId = await paidOrder(person)
    expect((await moveOrder(app, orderId, 'shipped')).status).toBe(200)
    const { orders } = app.back.app
    const record = (outcome: 'lost' | null) =>
      orders.decide(orderId, systemEnvelope('test', new Date()), state => {
        if (state.status === 'none' || state.paidBy === null) throw new Error('not paid')
        const { paymentId, provider } = state.paidBy
        const ids = { disputeId: randomUUID(), paymentId, provider, reference: 'dp_1' }
        const [known = ids.disputeId] = [...state.disputes.keys()]
        const facts = { amount: gbp(100), reason: 'fraudulent', stage: 'needs_response' as const }
        const times = { dueBy: null, asOf: outcome === null ? 1 : 2 }
        return recordDispute(state, { ...ids, ...facts, ...times, disputeId: known, outcome })
      })
    await record(null)
    const answer = await person.client.delete('/auth/profile', { password })
    const problem = expectProblem(answer, 409, 'customer/open-orders')
    expect(problem).toMatchObject({ orders: [{ orderId, status: 'shipped', openDispute: true }] })
    await record('lost')
    expect((await person.client.delete('/auth/profile', { password })).status).toBe(200)
  })

  it('is erased when asked for, once it is cancelled and paid back', async () => {
    const person = await app.person()
    const paid = await paidOrder(person)
    const pending = (await newOrder(person, productId)).body.orderId
    const request = { password, cancelOpenOrders: true }
    const { status, body } = await person.client.delete('/auth/profile', request)
    expect(status, JSON.stringify(body)).toBe(200)
    const { rows } = await app.back.pool.query(
      `select order_id, status, captured_minor - refunded_minor as kept
      from orders where order_id = any($1) order by placed_at`,
      [[paid, pending]],
    )
    expect(rows).toEqual([
      { order_id: paid, status: 'cancelled', kept: 0n },
      { order_id: pending, status: 'cancelled', kept: 0n },
    ])
  })

  it('is not erased while money has to be paid back by hand', async () => {
    const person = await app.person()
    const { orderId } = (await newOrder(person, productId)).body
    expect((await moveOrder(app, orderId, 'paid')).status).toBe(200)
    const request = { password, cancelOpenOrders: true }
    const answer = await person.client.delete('/auth/profile', request)
    const problem = expectProblem(answer, 409, 'customer/open-orders')
    const manualRefunds = [{ amount: gbp(425), provider: 'manual' }]
    expect(problem).toMatchObject({
      detail: expect.stringContaining('One refund has to be paid back by hand'),
      orders: [{ orderId, status: 'cancelled', openRefunds: 1, manualRefunds }],
    })
  })
})

describe('an admin', () => {
  it('erases somebody on a request that is recorded, and nobody else does', async () => {
    const person = await app.person()
    const path = `/admin/users/${person.id}/erase`
    for (const role of ['support', 'auditor', 'warehouse'] as const) {
      const { client } = await app.person(role)
      expectProblem(await client.post(path, { requestReference }), 403, 'command/forbidden')
    }
    expectProblem(await app.admin.client.post(path, {}), 400, 'request/invalid')
    const { status, body } = await app.admin.client.post(path, { requestReference })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(failedOf(body.checks ?? {})).toEqual([])
    const audited = await app.admin.client.get(`/audit/streams/customer-${person.id}`)
    expect(JSON.stringify(audited.body)).toContain(requestReference)
    const login = { username: person.username, password }
    expect((await app.anyone.post('/auth/login', login)).status).toBe(401)
  })

  it('erases somebody who never had an account', async () => {
    const customerId = randomUUID()
    const input = { customerId, username: 'customer 17850', firstName: 'Imported' }
    const envelope = systemEnvelope('import', new Date())
    expect(isRejection(await execute(app.back.app, registerCustomer, input, envelope))).toBe(false)
    const path = `/admin/users/${customerId}/erase`
    const { status, body } = await app.admin.client.post(path, { requestReference })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(failedOf(body.checks ?? {})).toEqual([])
  })

  it('gets the data of somebody who has asked for it, until they are erased', async () => {
    const person = await app.person()
    const path = `/admin/users/${person.id}/export`
    const { status, body } = await app.admin.client.get(path)
    expect(status).toBe(200)
    expect(body).toMatchObject({ profile: { id: person.id, email: person.email } })
    const auditor = await app.person('auditor')
    expectProblem(await auditor.client.get(path), 403, 'command/forbidden')
    await app.admin.client.post(`/admin/users/${person.id}/erase`, { requestReference })
    expectProblem(await app.admin.client.get(path), 404, 'customer/not-found')
  })

  it('is told that there is no such person', async () => {
    const path = `/admin/users/${randomUUID()}/erase`
    const answer = await app.admin.client.post(path, { requestReference })
    expectProblem(answer, 404, 'customer/not-found')
  })
})

describe('what the shop knows about somebody', () => {
  it('is one file, with nothing of anybody else', async () => {
    const person = await app.person()
    await person.client.patch('/auth/profile', { city: 'Exporttown' })
    const { orderId } = (await newOrder(person, productId)).body
    await person.client.post('/cart/items', { productId, quantity: 3 })
    const other = await app.person()
    const theirs = (await newOrder(other, productId)).body.orderId
    const { status, body, headers } = await person.client.get('/auth/export')
    expect(status, JSON.stringify(body)).toBe(200)
    expect(headers.get('content-disposition')).toContain('personal-data.json')
    expect(body).toMatchObject({
      profile: { id: person.id, email: person.email, city: 'Exporttown' },
      orders: [{ id: orderId, ...delivery }],
      carts: [{ items: [{ productId, quantity: 3 }] }],
      sessions: [{}],
    })
    const types = Object.values(body.events ?? {}).map(event => Reflect.get(event, 'type'))
    expect(types).toEqual(
      expect.arrayContaining(['CustomerRegistered', 'ProfileChanged', 'OrderPlaced']),
    )
    expect(JSON.stringify(body.events)).toContain(delivery.shippingAddress)
    expect(JSON.stringify(body)).not.toContain(theirs)
    expect((await app.anyone.get('/auth/export')).status).toBe(401)
  })
})

/** Somebody whose password nobody has hashed: twenty of them would take half a minute. */
async function quickPerson() {
  const { accounts: services, app: open } = app.back
  const customerId = randomUUID()
  const username = `quick-${customerId}`
  const email = `${username}@example.com`
  await services.accounts.reserve({ customerId, username, email, passwordHash: 'none' })
  const envelope = systemEnvelope('test', new Date())
  await execute(open, registerCustomer, { customerId, username, email }, envelope)
  await services.accounts.confirm(customerId)
  const { family: sessionId } = await services.sessions.open(customerId)
  const roles = ['customer'] as const
  return {
    id: customerId,
    access: await services.tokens.issueAccess({ customerId, roles, sessionId }),
  }
}

describe('an erasure beside what another process does at the same moment', () => {
  let second: SecondNode
  beforeAll(async () => {
    second = await startSecondNode(app)
  })
  afterAll(() => second?.close())

  /** Orders, pays, fills the cart and changes the profile over there, all at once. */
  const actions = (client: Client, goods: string, mark: string, orderId: string) => {
    const items = [{ productId: goods, quantity: 1 }]
    const address = { shippingAddress: `${mark} Row`, phoneNumber: `${mark} 555` }
    return [
      client.post('/orders', { ...address, items }),
      client.post(`/orders/${orderId}/pay`),
      client.post('/cart/items', { productId: goods, quantity: 1 }),
      client.patch('/auth/profile', { city: `${mark} Town` }),
      client.patch(`/orders/${orderId}/delivery`, address),
    ]
  }

  it('leaves no open order, no money and nothing to read, in twenty rounds', async () => {
    const goods = (await newProduct(app, { stock: 1_000 })).id
    const people: string[] = []
    const race = async (round: number) => {
      const { id, access } = await quickPerson()
      people.push(id)
      const mark = `Racemark${round}x`
      const there = second.as({ access })
      const { orderId } = (await newOrder({ client: there }, goods)).body
      const erase = () => {
        const asked = { requestReference, cancelOpenOrders: round % 3 === 0 }
        return app.admin.client.post(`/admin/users/${id}/erase`, asked, { expects: 503 })
      }
      const isFirst = round % 2 === 0
      const first = isFirst ? [erase()] : []
      const racing = [
        ...first,
        ...actions(there, goods, mark, orderId),
        ...(isFirst ? [] : [erase()]),
      ]
      await Promise.all(racing)
      await waitFor('the erasure', async () => {
        const path = `/admin/users/${id}/erase`
        const asked = { requestReference, cancelOpenOrders: true }
        return (await app.admin.client.post(path, asked, { expects: 503 })).status === 200
      })
      const late = await Promise.all(actions(there, goods, mark, orderId))
      expect(late.filter(({ status }) => ![401, 403, 404].includes(status))).toEqual([])
    }
    const rounds = Array.from({ length: 20 }, (_, n) => n + 1)
    // Five beside each other, which mixes their steps even more.
    while (rounds.length > 0) await Promise.all(rounds.splice(0, 5).map(race))
    await waitFor('the end of every order', async () => {
      const { rows } = await app.back.pool.query(
        `select count(*)::integer as open from orders where customer_id = any($1)
          and (status in ('submitted', 'pending', 'paid') or captured_minor <> refunded_minor)`,
        [people],
      )
      const { state } = await app.back.app.stock.load(goods)
      return rows[0]?.open === 0 && state.reserved.size === 0
    })
    await waitFor('nothing to be readable', async () => {
      const text = await wholeDatabase(app)
      const log = await decodedLog()
      return !/Racemark/i.test(text) && !/Racemark/i.test(log)
    })
  })

  it('cancels and pays back what a slow process places and charges after it', async () => {
    const { id } = await quickPerson()
    const goods = (await newProduct(app, { stock: 5 })).id
    const { app: open } = app.back
    const path = `/admin/users/${id}/erase`
    expect((await app.admin.client.post(path, { requestReference })).status).toBe(200)
    const orderId = randomUUID()
    const envelope = (name: string) => systemEnvelope(name, new Date())
    const submission = submissionOf({ orderId, customerId: id, productId: goods })
    await open.orders.decide(orderId, envelope('submit'), state => submit(state, submission))
    // It has asked whether its customer is there a moment before they were erased.
    await open.orders.decide(orderId, envelope('place'), state => conclude(state, new Set()))
    await execute(open, payOrder, { orderId }, envelope('pay'))
    await waitFor('the end of it', async () => {
      const { state } = await open.orders.load(orderId)
      if (state.status !== 'cancelled') return false
      return state.captured === state.refunded && state.openRefunds.size === 0
    })
    await waitFor('nothing to be readable', async () => {
      return !(await wholeDatabase(app)).includes(submission.delivery.shippingAddress)
    })
  })
})

/** All events as a process decodes them that has read the whole log. */
async function decodedLog(): Promise<string> {
  const texts: string[] = []
  for await (const event of app.back.eventStore.readAll({ after: startOfLog })) {
    const { data } = await app.back.codec.decode(event)
    texts.push(JSON.stringify(data))
  }
  return texts.join('\n')
}

function submissionOf(ids: { orderId: string; customerId: string; productId: string }) {
  const { productId, ...keys } = ids
  const unitPrice = gbp(100)
  const line = { productId, sku: 'X-1', name: 'X', quantity: 1, unitPrice, total: unitPrice }
  return {
    ...{ ...keys, orderNumber: '00000-00001', cartId: null, lines: [line], charges: [] },
    ...{ total: unitPrice, country: null, paymentMethod: 'card' },
    delivery: { shippingAddress: '7 Latecomer Lane', phoneNumber: '020 7946 0777' },
  }
}

describe('the list of erased people', () => {
  const listOf = () => join(app.config.audit.directory, 'erasures')
  const eraseNow = ({ id }: Person) =>
    app.admin.client.post(`/admin/users/${id}/erase`, { requestReference })

  it('has whoever was erased, by id, and nothing about them', async () => {
    const person = await app.person()
    expect((await eraseNow(person)).status).toBe(200)
    const list = await readFile(listOf(), 'utf8')
    expect(list).toContain(person.id)
    expect(list).not.toContain(person.username)
    expect(list).not.toContain(requestReference)
  })

  it('is needed: where it cannot be written nobody is erased, and nothing is changed', async () => {
    const person = await app.person()
    const pending = (await newOrder(person, productId)).body.orderId
    const { directory } = app.config.audit
    await rename(directory, `${directory}-away`)
    // As good as a read-only or full disk, also for a user who may write everywhere.
    await appendFile(directory, 'not a directory')
    const asked = { requestReference, cancelOpenOrders: true }
    const path = `/admin/users/${person.id}/erase`
    const answer = await app.admin.client.post(path, asked, { expects: 503 })
    await rm(directory)
    await rename(`${directory}-away`, directory)
    const { detail } = expectProblem(answer, 503, 'request/unavailable')
    expect(detail).toMatch(/AUDIT_DIR .*Nothing has been changed/)
    expect((await person.client.get('/auth/profile')).body.email).toBe(person.email)
    const { body } = await person.client.get(`/orders/${pending}`)
    expect(body.status).toBe('pending')
    expect((await eraseNow(person)).status).toBe(200)
  })

  it('is complete, also when a change of the profile is read after the erasure', async () => {
    const person = await app.person()
    const { position } = (await person.client.patch('/auth/profile', { city: 'Lateville' })).body
    expect((await eraseNow(person)).status).toBe(200)
    await app.stop()
    const { pool } = app.back
    const rewind = `update shop.checkpoints set position = $1 - 1 where name = 'mailOutbox'`
    await pool.query(rewind, [position])
    await app.restart()
    const { rows } = await pool.query('select max(position) as head from eventstore.events')
    const reached = `select from shop.checkpoints where name = 'mailOutbox' and position >= $1`
    await waitFor('the mails to be read again', async () => {
      return (await pool.query(reached, [rows[0].head])).rowCount === 1
    })
    const { body } = await app.admin.client.get(`/admin/users/${person.id}/erasure`)
    expect(failedOf(body.checks ?? {})).toEqual([])
    expect(body.checks).not.toEqual([])
  })

  it('erases them again once a backup is restored, and nobody else', async () => {
    const person = await app.person()
    const other = await app.person()
    await person.client.patch('/auth/profile', { city: 'Backuptown' })
    const { orderId, position } = (await newOrder(person, productId)).body
    await app.admin.client.get(`/orders/${orderId}`, { after: position })
    await app.stop()
    const restore = await backUp(app)
    await app.restart()
    expect((await eraseNow(person)).status).toBe(200)
    // What others write on it is not followed.
    await appendFile(
      listOf(),
      `\n${other.id} ${new Date().toISOString()} ${'A'.repeat(22)}\n${other.id}`,
    )
    await app.stop()
    await restore()
    const keys = `select count(*)::integer as there from shop.person_keys
      where subject = $1 and sealed_key is not null`
    const rows = 'select username from readmodel.customers where customer_id = $1'
    await waitFor('the restored database', async () => {
      const { rows } = await app.back.pool.query(keys, [person.id]).catch(() => ({ rows: [] }))
      return rows[0]?.there === 1
    })
    expect((await app.back.pool.query(rows, [person.id])).rows).toEqual([
      { username: person.username },
    ])
    await app.restart()
    expect((await app.back.pool.query(keys, [person.id])).rows).toEqual([{ there: 0 }])
    expect((await app.back.pool.query(rows, [person.id])).rows).toEqual([{ username: '[erased]' }])
    const login = { username: person.username, password }
    expect((await app.anyone.post('/auth/login', login)).status).toBe(401)
    await waitFor('a certificate', async () => {
      const { status, body } = await app.admin.client.get(`/admin/users/${person.id}/erasure`)
      return status === 200 && failedOf(body.checks ?? {}).length === 0
    })
    const audited = await app.admin.client.get(`/audit/streams/customer-${person.id}`)
    expect(JSON.stringify(audited.body)).toMatch(/restored backup: erased before, on 20/)
    expect(
      (await app.anyone.post('/auth/login', { ...login, username: other.username })).status,
    ).toBe(200)
  })
})
