// A worker whose work hangs loses its leases, to others within seconds and to itself soon after.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { createDatabase, createPool, type Pool } from '../../src/infra/postgres/database.ts'
import type { EventProjection } from '../../src/projections/core/projection.ts'
import { ordersProjection } from '../../src/projections/order/orders.ts'
import type { ProjectorParts } from '../../src/workers/projector/parts.ts'
import { createProgress } from '../../src/workers/projector/progress.ts'
import { startProjector } from '../../src/workers/projector/projector.ts'
import { type CuttableProxy, cuttableProxy } from '../support/cuttableProxy.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let app: TestApp
let person: Person
let productId = ''
const stops: (() => Promise<unknown> | unknown)[] = []
let names = 0
beforeAll(async () => {
  app = await startTestApp()
  person = await app.person()
  productId = (await newProduct(app, { stock: 1_000 })).id
})
afterAll(async () => {
  await Promise.all(stops.map(stop => stop()))
  await app?.close()
})

async function throughProxy(): Promise<{ pool: Pool; proxy: CuttableProxy }> {
  const url = new URL(app.config.databaseUrl.reveal())
  const proxy = await cuttableProxy(url.hostname, Number(url.port))
  stops.push(proxy.close)
  url.port = String(proxy.port)
  return { pool: createPool(url.href), proxy }
}

/** A worker with one projection, which writes down what it has seen. */
function worker(name: string, runner: string, parts: Partial<ProjectorParts> = {}) {
  const { db, eventStore, codec } = app.back
  const seen = new Set<string>()
  const errors: string[] = []
  const watched: EventProjection = {
    ...ordersProjection,
    name,
    tables: [],
    plan: async events => ({
      writes: [],
      work: async () => {
        for (const { stream } of events) seen.add(stream)
      },
    }),
  }
  const projector = startProjector({
    db,
    eventStore,
    codec,
    projections: [watched],
    runner,
    progress: createProgress(),
    onCommitted: async () => undefined,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: about => errors.push(JSON.stringify(about)),
    },
    ...parts,
  })
  stops.push(projector.stop)
  return { seen, errors }
}

const placed = async () => `order-${(await newOrder(person, productId)).body.orderId}`

const newName = () => `watched${names++}`

const runnerIs = (name: string, runner: string) => async () => {
  const { rows } = await app.back.pool.query<{ runner: string | null }>(
    `select runner from shop.checkpoints where name = $1 and leased_until > now()`,
    [name],
  )
  return rows[0]?.runner === runner
}

async function isIdle(seen: ReadonlySet<string>): Promise<void> {
  const order = await placed()
  await waitFor('the first order', () => seen.has(order))
}

/** What may hang, each in a worker that has nothing to do at the moment. */
const hanging: Record<string, () => Promise<{ parts: Partial<ProjectorParts>; hang(): void }>> = {
  async 'the reading of the log'() {
    const { pool, proxy } = await throughProxy()
    return { parts: { eventStore: postgresEventStore(pool) }, hang: () => proxy.silence() }
  },
  async 'the writing'() {
    const { pool, proxy } = await throughProxy()
    return { parts: { db: createDatabase(pool) }, hang: () => proxy.silence() }
  },
  async 'all connections of a worker'() {
    const { pool, proxy } = await throughProxy()
    const parts = { db: createDatabase(pool), eventStore: postgresEventStore(pool) }
    return { parts, hang: () => proxy.silence() }
  },
  async 'what follows a commit'() {
    let hangs = false
    const onCommitted = () => (hangs ? new Promise<never>(() => undefined) : Promise.resolve())
    const hang = () => {
      hangs = true
    }
    return { parts: { onCommitted }, hang }
  },
  async 'the decoding'() {
    let hangs = false
    const { codec } = app.back
    const decode: typeof codec.decode = recorded =>
      hangs ? new Promise<never>(() => undefined) : codec.decode(recorded)
    const hang = () => {
      hangs = true
    }
    return { parts: { codec: { ...codec, decode } }, hang }
  },
}

describe.concurrent('a worker of which something hangs', () => {
  it.each(Object.entries(hanging))(
    'loses its lease to another within five seconds: %s',
    async (_, prepare) => {
      const name = newName()
      const { parts, hang } = await prepare()
      const first = worker(name, 'first', parts)
      await isIdle(first.seen)
      const second = worker(name, 'second')
      hang()
      const order = await placed()
      await waitFor('the other worker', () => second.seen.has(order), 5_000)
      await waitFor('its lease', runnerIs(name, 'second'))
      // It does not come between them, however long it goes on trying.
      const next = await placed()
      await waitFor('the next order', () => second.seen.has(next))
    },
    30_000,
  )

  it('starts anew by itself when there is nobody else', async () => {
    const { pool, proxy } = await throughProxy()
    const only = worker(newName(), 'only', { eventStore: postgresEventStore(pool) })
    await isIdle(only.seen)
    proxy.silence()
    const order = await placed()
    await waitFor('the order', () => only.seen.has(order), 25_000)
  }, 40_000)
})

describe.concurrent('a worker that has nothing to do', () => {
  it('keeps its lease', async () => {
    const name = newName()
    const first = worker(name, 'idle')
    await isIdle(first.seen)
    const until = async () => {
      const { rows } = await app.back.pool.query<{ until: Date; epoch: bigint }>(
        `select leased_until as until, epoch from shop.checkpoints where name = $1`,
        [name],
      )
      return rows[0]
    }
    const before = await until()
    // Twice renewed: it was read each time that there is nothing.
    const later = Number(before?.until) + 3_000
    await waitFor('renewals', async () => Number((await until())?.until) > later)
    expect((await until())?.epoch).toBe(before?.epoch)
    expect(first.errors).toEqual([])
  })
})

it('is dropped by the server, too, when nothing it sends is acknowledged', async () => {
  const { rows } = await app.back.pool.query<{ name: string; setting: string }>(
    `select name, setting from pg_settings where name like 'tcp\\_%' order by name`,
  )
  const set = Object.fromEntries(rows.map(({ name, setting }) => [name, Number(setting)]))
  const idle = Number(set.tcp_keepalives_idle)
  const probes = Number(set.tcp_keepalives_interval) * Number(set.tcp_keepalives_count)
  expect(idle).toBeGreaterThan(0)
  expect(probes).toBeGreaterThan(0)
  expect(idle + probes).toBeLessThanOrEqual(15)
  expect(set.tcp_user_timeout).toBeGreaterThan(0)
  expect(set.tcp_user_timeout).toBeLessThanOrEqual(15_000)
})
