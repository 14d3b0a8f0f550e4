// The whole shop with its log in EventStoreDB: on the stub, and on the server at EVENTSTORE_URL.
import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../../src/eventstore/eventstoredb/connect.ts'
import { checkProof } from '../../src/workers/audit/proofCheck.ts'
import { extendChain } from '../../src/workers/jobs/auditChain.ts'
import { caughtMails } from '../support/caughtMails.ts'
import { realServerSource } from '../support/eventStoreDbServer.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { takeExport, verifyExport } from '../support/exports.ts'
import { delivery, expectProblem, moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { followSocket } from '../support/liveFeed.ts'
import { bustle, foreignType } from '../support/otherApplication.ts'
import { bareEnvironment } from '../support/programs.ts'
import { startSecondNode } from '../support/secondNode.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

shopOnEventStoreDb('EventStoreDB (stub)', async () => {
  const stub = await eventStoreDbStub()
  return { url: stub.url, cutConnections: stub.dropConnections, stop: stub.close }
})

const source = await realServerSource()
if (typeof source === 'string') {
  it.skip(`a shop on a real server: ${source}`)
} else {
  shopOnEventStoreDb(`EventStoreDB (${source.name})`, async () => {
    const { url, cutConnections, httpUrl, stop } = await source.start()
    const settings = { EVENTSTORE_STREAM_PREFIX: `test-${randomBytes(4).toString('hex')}.` }
    const scavenge =
      httpUrl === undefined
        ? undefined
        : async () => {
            await fetch(`${httpUrl}/admin/scavenge`, { method: 'POST' })
          }
    return { url, settings, cutConnections, scavenge, stop }
  })
}

describe('a log in EventStoreDB that somebody changes', () => {
  let stub: EventStoreDbStub
  let app: TestApp
  beforeAll(async () => {
    stub = await eventStoreDbStub()
    app = await startTestApp({ settings: { EVENTSTORE_URL: stub.url } })
  }, 60_000)
  afterAll(async () => {
    await app?.close()
    await stub?.close()
  }, 60_000)

  it('is unavailable while the user may not read or write its streams', async () => {
    const { client } = app.admin
    const reason = async () => {
      const said = JSON.parse(await (await fetch(`${app.url}/readyz`)).text())
      return said.reasons?.['event-store']
    }
    stub.faults.deniesStreams = true
    stub.faults.refusal = () => new statusPb.Status().setCode(7)
    const product = { name: 'Refused', price: { amount: 425, currency: 'GBP' }, stock: 1 }
    const refused = await client.post('/products', product, { expects: 503 })
    expectProblem(refused, 503, 'request/unavailable')
    await waitFor('its reason', async () => (await reason()) === 'refuses the user')
    stub.faults.deniesStreams = false
    delete stub.faults.refusal
    await waitFor('the end of it', async () => (await reason()) === undefined)
    expect((await client.post('/products', product)).status).toBe(201)
  })

  it('has the event named', async () => {
    const { client } = await app.person('auditor')
    const { id: product } = await newProduct(app)
    await newOrder(await app.person(), product)
    const record = stub.log.records.findLast(
      ({ stream, type }) => type === 'OrderSubmitted' && stream.startsWith('order-'),
    )
    if (record === undefined) throw new Error('nothing was ordered')
    await waitFor('its signature', async () => {
      await extendChain(app.back)
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
    const { client: auditor } = await app.person('auditor')
    const { id: product } = await newProduct(app, { stock: 50 })
    const first = await app.person()
    const { body: before } = await newOrder(first, product)
    const stream = `stock-${product}`
    const operator = EventStoreDBClient.connectionString(stub.url)
    onTestFinished(() => operator.dispose())
    await operator.setStreamMetadata(stream, { truncateBefore: 1 })
    await app.restart()
    const buyer = await app.person()
    const items = [{ productId: product, quantity: 1 }]
    const address = { shippingAddress: 'Somewhere 1', phoneNumber: '123' }
    const order = await buyer.client.post('/orders', { items, ...address }, { key: randomUUID() })
    expectProblem(order, 409, 'stream/broken')
    expect(order.body).toMatchObject({ retryable: false, productId: product })
    expect(order.body.detail).toContain(`the product ${product}`)
    const cancelled = await first.client.post(`/orders/${before.id}/cancel`, {})
    expect(cancelled.status, JSON.stringify(cancelled.body)).toBe(200)
    const shown = await auditor.get(`/audit/stock/${product}?asOf=0`)
    expectProblem(shown, 409, 'stream/broken')
    const hidden = { key: stream, detail: expect.stringMatching(/\$tb hides .*twice where/) }
    const { body } = await auditor.get('/audit/verify')
    expect(body).toMatchObject({ ok: false, findings: [hidden], findingsCount: 1 })
    const proof = await checkProof({ ...app.back.audit, eventStore: app.back.eventStore })
    const whole = proof.find(({ check }) => check === 'streams are whole')
    expect(whole).toMatchObject({ count: 1, findings: [expect.stringContaining(stream)] })
    await operator.setStreamMetadata(stream, {})
    expect((await auditor.get(`/audit/stock/${product}?asOf=0`)).status).toBe(200)
    expect((await newOrder(buyer, product)).status).toBe(201)
    // What was cancelled half-way meanwhile goes on by itself: one piece is reserved, not two.
    await waitFor('the piece to be released', async () => {
      return (await app.admin.client.get(`/products/${product}/stock`)).body.reserved === 1
    })
  })

  it('names a stream that was deleted although the log had it', async () => {
    const { client: auditor } = await app.person('auditor')
    const { id: product } = await newProduct(app, { stock: 5 })
    await extendChain(app.back)
    stub.log.tombstone(`stock-${product}`)
    const { body } = await auditor.get('/audit/verify')
    const finding = { key: `stock-${product}`, detail: expect.stringContaining('tombstone') }
    expect(body).toMatchObject({ ok: false, findings: [finding] })
  })

  it('keeps read models whose stream a scavenge has cut, until that is accepted', async () => {
    const { client } = app.admin
    const { id: product } = await newProduct(app, { stock: 50 })
    const placed = await newOrder(await app.person(), product)
    const stream = `stock-${product}`
    await client.get(`/products/${product}`, { after: placed.body.position })
    const operator = EventStoreDBClient.connectionString(stub.url)
    onTestFinished(() => operator.dispose())
    await operator.setStreamMetadata(stream, { truncateBefore: 1 })
    // The event by which the shop knows its log must not be among those that go.
    await waitFor('the shop to have seen its order', async () => {
      const { rows } = await app.back.pool.query<{ position: bigint }>(
        'select position from shop.seen_log',
      )
      return (rows[0]?.position ?? 0n) >= BigInt(String(placed.body.position))
    })
    stub.log.scavenge()
    const movements = async () => {
      const { body } = await client.get(`/products/${product}/stock`)
      return Array.isArray(body.movements) ? body.movements.length : undefined
    }
    expect(await movements()).toBe(2)
    const path = '/admin/projections/stock/rebuild'
    const ended = (state: string) =>
      waitFor(`the rebuild to be ${state}`, async () => {
        const { body } = await client.get(path)
        return body.state === state && body.brokenStreams !== null ? body : undefined
      })
    await client.post(path)
    // Beside the one that was deleted above, of which the log has nothing any more.
    const broken = {
      count: 2,
      first: [
        { stream, fault: expect.stringContaining('event 0') },
        { stream: expect.stringMatching(/^stock-/), fault: expect.stringContaining('tombstone') },
      ],
    }
    expect(await ended('failed')).toMatchObject({
      brokenStreams: broken,
      error: expect.stringContaining(stream),
    })
    const all = await command(app, 'projections', 'rebuild', 'all')
    expect(all.code).toBe(1)
    expect(all.output).toMatch(/stock .* NOT REBUILT/)
    expect(all.output).toMatch(/customers .*equal/)
    expect(all.output).toContain(`stock: 2 streams are not whole: ${stream} (`)
    expect(all.output).toMatch(/rebuild .*stock.* --accept-broken-streams/)
    expect(await movements()).toBe(2)
    expectProblem(await client.post(path, { acceptBrokenStreams: 'yes' }), 400, 'request/invalid')
    await client.post(path, { acceptBrokenStreams: true })
    expect(await ended('done')).toMatchObject({ brokenStreams: broken, matches: false })
    expect(await movements()).toBe(1)
    const told = await command(app, 'projections', 'rebuild', 'stock', '--accept-broken-streams')
    expect(told.output).toMatch(/stock .*at \d+, equal/)
  }, 120_000)

  it('refuses what another application has written into its streams', async () => {
    const operator = EventStoreDBClient.connectionString(stub.url)
    onTestFinished(() => operator.dispose())
    const { client: auditor } = await app.person('auditor')
    const strange = [
      { type: 'Reading', data: { celsius: 4 }, metadata: { mac: '00:1b:44:11:3a:b7' } },
      { type: 'OrderShipped', data: {}, metadata: {} },
      { type: 'OrderPaid', data: null, metadata: null },
      { type: 'OrderCancelled', data: { reason: 1 }, metadata: { v: 'x', actor: 7, mac: {} } },
    ]
    for (const event of strange) {
      const buyer = await app.person()
      const { body } = await newOrder(buyer, (await newProduct(app)).id)
      await operator.appendToStream(`order-${body.id}`, jsonEvent(event as never))
      const refused = await buyer.client.post(`/orders/${body.id}/cancel`, {})
      expectProblem(refused, 409, 'stream/broken')
      expect(refused.body).toMatchObject({ orderId: body.id, retryable: false })
      const { id, position } = await newProduct(app)
      const shown = await auditor.get(`/products/${id}`, { after: position })
      expect(shown.status, `read models behind ${event.type}`).toBe(200)
    }
    expect((await auditor.get('/audit/verify')).body).toMatchObject({ ok: false })
  })

  it('takes no claim whose stream was deleted for a free one', async () => {
    const operator = EventStoreDBClient.connectionString(stub.url)
    onTestFinished(() => operator.dispose())
    const made = { name: 'Lamp', sku: `L-${randomUUID()}`, price: { amount: 500, currency: 'GBP' } }
    const { status } = await app.admin.client.post('/products', made)
    expect(status).toBe(201)
    const claim = stub.log.records.findLast(({ type }) => type === 'SkuClaimed')
    if (claim === undefined) throw new Error('nothing was claimed')
    await operator.deleteStream(claim.stream)
    for (const isFresh of [false, true]) {
      if (isFresh) await app.restart()
      const again = await app.admin.client.post('/products', made)
      expectProblem(again, 409, 'stream/broken')
      expect(stub.log.stream(claim.stream)).toHaveLength(1)
    }
  })
})

/** A server with an application beside the shop. */
interface SharedServer {
  url: string
  /** Settings that the shop needs to have streams of its own there. */
  settings?: Record<string, string>
  /** Cuts every connection of the shop; undefined where nobody stands in between. */
  cutConnections?: (() => Promise<void>) | undefined
  /** Tells the server to tidy up, where it can be told. */
  scavenge?: (() => Promise<void>) | undefined
  stop(): Promise<void>
}

const commandMs = 120_000

/** Starts a shop on the server and has it do everything once. */
function shopOnEventStoreDb(name: string, start: () => Promise<SharedServer>): void {
  describe(`a shop whose log is in ${name}`, () => {
    let server: SharedServer
    let app: TestApp

    beforeAll(async () => {
      server = await start()
      await bustle(server.url, server.scavenge)
      app = await startTestApp({ settings: { EVENTSTORE_URL: server.url, ...server.settings } })
    }, 120_000)
    afterAll(async () => {
      await app?.close()
      await server?.stop()
    }, 60_000)

    async function order(orderId: string, after: string) {
      return (await app.admin.client.get(`/orders/${orderId}`, { after })).body
    }
    const buy = (person: Person, productId: string, key: string) =>
      person.client.post('/orders', { ...delivery, items: [{ productId, quantity: 1 }] }, { key })

    it('sells, ships and keeps its books, and tells its customer live and by mail', async () => {
      const person = await app.person()
      const follower = await followSocket(app.url, { authorization: `Bearer ${person.access}` })
      const { id: product } = await newProduct(app, { stock: 2 })
      const { body: placed } = await newOrder(person, product, 2)
      await person.client.post(`/orders/${placed.id}/pay`, {})
      const shipped = await moveOrder(app, placed.id, 'shipped')
      expect(await order(placed.id, shipped.body.position)).toMatchObject({ status: 'shipped' })
      const late = await person.client.post('/cart/items', { productId: product, quantity: 1 })
      expectProblem(late, 409, 'stock/insufficient')
      const types = await typesOn(server.url)
      for (const type of ['OrderPlaced', 'OrderPaid', 'OrderShipped']) expect(types).toContain(type)
      await follower.hears('that it is paid', ({ status }) => status === 'paid')
      await follower.hears('that it is shipped', ({ status }) => status === 'shipped')
      follower.cut()
      await waitFor('its mails', async () => {
        const mails = await caughtMails(app.mailFolder)
        const own = mails.filter(({ to }) => to.includes(person.email))
        return own.filter(({ subject }) => /order/i.test(subject)).length >= 3
      })
    })

    it('sells the last piece once', async () => {
      const { id: product } = await newProduct(app, { stock: 1 })
      const buyers = await Promise.all([app.person(), app.person(), app.person()])
      const answers = await Promise.all(buyers.map(buyer => buy(buyer, product, randomUUID())))
      expect(answers.map(answer => answer.status).sort()).toEqual([201, 409, 409])
    })

    it('shows everybody their own writes on every process', async () => {
      const other = await startSecondNode(app)
      try {
        const person = await app.person()
        const { id: product } = await newProduct(app, { stock: 100 })
        for (let pieces = 1; pieces <= 10; pieces += 1) {
          const here = pieces % 2 === 0 ? person.client : other.as(person)
          const there = pieces % 2 === 0 ? other.as(person) : person.client
          await here.post('/cart/items', { productId: product, quantity: 1 })
          expect((await there.get('/cart')).body.items).toMatchObject([{ quantity: pieces }])
        }
      } finally {
        await other.close()
      }
    })

    it('goes on after its connections were cut', async () => {
      const person = await app.person()
      const { id: product } = await newProduct(app, { stock: 5 })
      await server.cutConnections?.()
      const placed = await newOrder(person, product)
      expect(await order(placed.body.id, placed.body.position)).toMatchObject({ status: 'pending' })
    })

    it('shows nothing of the application beside it, which deletes what it likes', async () => {
      await bustle(server.url, server.scavenge)
      const { client } = await app.person('auditor')
      const { id, position } = await newProduct(app)
      await app.admin.client.get(`/products/${id}`, { after: position })
      const { body } = await client.get(`/audit/events?type=${foreignType}`, { after: position })
      expect(body.data).toEqual([])
      expect((await client.get(`/audit/events?stream=product-${id}`)).body.data).toHaveLength(1)
    })

    it('rebuilds its read models from that log, equal to those before, and goes back', async () => {
      const rebuilt = await command(app, 'projections', 'rebuild', 'all')
      expect(rebuilt).toMatchObject({ code: 0, output: expect.not.stringContaining('DIFFERENT') })
      expect(await command(app, 'projections', 'rollback', 'orders')).toMatchObject({ code: 0 })
      const person = await app.person()
      const { id: product } = await newProduct(app)
      const { body } = await newOrder(person, product)
      expect(await order(body.id, body.position)).toMatchObject({ status: 'pending' })
    }, 180_000)

    it('carries out once what was in flight when it ended, and is asked for again', async () => {
      const person = await app.person()
      const { id: product } = await newProduct(app, { stock: 100 })
      const keys = Array.from({ length: 20 }, () => randomUUID())
      const buyAll = () => Promise.allSettled(keys.map(key => buy(person, product, key)))
      const inFlight = buyAll()
      await app.restart()
      await inFlight
      const answers = await buyAll()
      const ids = answers.map(answer => {
        return answer.status === 'fulfilled' && answer.value.status === 201 && answer.value.body.id
      })
      expect(new Set(ids).size).toBe(keys.length)
      const last = await newOrder(person, product)
      await order(last.body.id, last.body.position)
      const { body } = await person.client.get('/orders')
      expect(body.total).toBe(keys.length + 1)
    }, 120_000)

    it('forgets whom it has to forget', async () => {
      const { access } = await app.person('auditor')
      const person = await app.person()
      const { id: product } = await newProduct(app)
      const { body } = await newOrder(person, product)
      await moveOrder(app, body.id, 'cancelled')
      const erased = await person.client.delete('/auth/profile', { password })
      expect(erased.status, JSON.stringify(erased.body)).toBe(200)
      const { events } = await takeExport(app.url, access, `?stream=order-${body.id}`)
      expect(events).toContain('[erased]')
      expect(events).not.toContain(delivery.phoneNumber)
    })

    it('shows its log to auditors, and proves that it is as it was', async () => {
      const { client, access } = await app.person('auditor')
      const buyer = await app.person()
      const { id: product } = await newProduct(app, { stock: 1 })
      const { body: placed } = await newOrder(buyer, product)
      await extendChain(app.back)
      const path = `/audit/events?stream=order-${placed.id}`
      const { data } = (await client.get(path, { after: placed.position })).body
      expect(data[0]).toMatchObject({ type: 'OrderSubmitted', actor: { id: buyer.id } })
      const traced = await client.get(`/audit/trace/${data[0]?.correlationId}`)
      expect(traced.body).toMatchObject({ complete: true })
      const then = await client.get(`/audit/stock/${product}?asOf=0`)
      expect(then.body).toMatchObject({ revision: 0, state: { onHand: 1, reservedTotal: 0 } })
      const { body } = await client.get('/audit/verify')
      expect(body).toMatchObject({ ok: true, upTo: body.signedUpTo })
      const { output, code } = await verifyExport(await takeExport(app.url, access))
      expect(output).toMatch(/^OK: \d+ events/)
      expect(code).toBe(0)
    })

    it('is found in order by an audit', async () => {
      expect(await command(app, 'audit')).toMatchObject({ code: 0 })
    }, 180_000)
  })
}

/** The types of event that a server has, read past the shop. */
async function typesOn(url: string): Promise<Set<string>> {
  const client = connect(url)
  const types = new Set<string>()
  for await (const { event } of client.readAll()) if (event !== undefined) types.add(event.type)
  await client.dispose()
  return types
}

/** A command of the command line on a shop that runs. */
function command(app: TestApp, script: string, ...args: string[]) {
  const options = { env: { ...bareEnvironment(), ...app.env }, timeout: commandMs }
  return new Promise<{ code: number; output: string }>(resolve => {
    execFile(process.execPath, [`tools/${script}.ts`, ...args], options, (error, ...said) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1
      resolve({ code, output: said.join('') })
    })
  })
}
