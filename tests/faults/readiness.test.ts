// What /readyz says while a server is away, full or silent, and that it says so no longer.
import { rm } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLogIdentity } from '../../src/infra/log/logIdentity.ts'
import { createChecks } from '../../src/main/healthChecks.ts'
import { startLocalRedis } from '../../tools/local/redis.ts'
import { delivery, newProduct } from '../support/goods.ts'
import { moved } from '../support/positions.ts'
import { type ProxiedApp, startProxiedApp } from '../support/proxiedApp.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { startTestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let proxied: ProxiedApp
let redis: Awaited<ReturnType<typeof startLocalRedis>>
let directory: string

beforeAll(async () => {
  directory = await temporaryDirectory()
  redis = await startLocalRedis({ directory, path: process.env.PATH })
  proxied = await startProxiedApp({ settings: { REDIS_URL: redis.url } })
}, 60_000)
afterAll(async () => {
  await proxied?.close()
  await redis?.stop()
  await rm(directory, { recursive: true, force: true, maxRetries: 20 })
}, 60_000)

async function readyz() {
  const response = await fetch(`${proxied.app.url}/readyz`)
  return { status: response.status, body: JSON.parse(await response.text()) }
}

const ready = { status: 200, body: { status: 'ready' } }

/** Waits until /readyz answers this; the last other answer tells what is wrong. */
async function expectReadiness(wanted: { status: number; body: object }) {
  let last: unknown
  const isIt = async () => {
    last = await readyz()
    return JSON.stringify(last) === JSON.stringify(wanted)
  }
  await waitFor('readiness', isIt, 20_000).catch(() => expect(last).toEqual(wanted))
}

const order = (productId: string, expects: 201 | 503) => {
  const body = { ...delivery, items: [{ productId, quantity: 1 }] }
  return proxied.app.admin.client.post('/orders', body, { expects })
}

it('is ready', () => expectReadiness(ready))

it('is ready, but degraded, without Redis', async () => {
  const product = await newProduct(proxied.app)
  await proxied.redis.refuse(true)
  const reasons = { redis: 'away' }
  await expectReadiness({ status: 200, body: { status: 'degraded', degraded: ['redis'], reasons } })
  expect((await order(product.id, 201)).status).toBe(201)
  await proxied.redis.refuse(false)
  await expectReadiness(ready)
}, 60_000)

it('is degraded while Redis is silent, and uses a new connection', async () => {
  proxied.redis.silence()
  await waitFor('the news', async () => (await readyz()).body.status === 'degraded')
  await expectReadiness(ready)
}, 60_000)

it('is degraded while Redis is out of memory', async () => {
  const client = new Redis(redis.url)
  try {
    await client.config('SET', 'maxmemory', '1')
    const reasons = { 'redis-memory': 'out of memory' }
    const degraded = ['redis-memory']
    await expectReadiness({ status: 200, body: { status: 'degraded', degraded, reasons } })
    await client.config('SET', 'maxmemory', '0')
    await expectReadiness(ready)
  } finally {
    client.disconnect()
  }
}, 60_000)

it.each([
  ['53100', 'disk', 'disk full'],
  ['58030', 'disk', 'input/output error'],
])(
  'is not ready while PostgreSQL cannot write (%s)',
  async (state, name, reason) => {
    const { pool } = proxied.app.back
    const product = await newProduct(proxied.app)
    const tables = ['eventstore.events', 'shop.write_probes']
    await pool.query(`create function public.full_disk() returns trigger language plpgsql
    as $$ begin raise exception 'no room' using errcode = '${state}'; end $$`)
    for (const table of tables) {
      await pool.query(`create trigger full_disk before insert on ${table}
      for each statement execute function public.full_disk()`)
    }
    const refused = await order(product.id, 503)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    const body = { status: 'not-ready', failed: [name], reasons: { [name]: reason } }
    await expectReadiness({ status: 503, body })
    await pool.query('drop function public.full_disk cascade')
    await expectReadiness(ready)
    expect((await order(product.id, 201)).status).toBe(201)
  },
  60_000,
)

it('is not ready while PostgreSQL is away, and names it', async () => {
  await proxied.postgres.refuse(true)
  const reasons = { postgres: 'closes connections' }
  const body = { status: 'not-ready', failed: ['postgres'], reasons }
  await expectReadiness({ status: 503, body })
  await proxied.postgres.refuse(false)
  await expectReadiness(ready)
}, 60_000)

it('is not ready while PostgreSQL is silent, and is again by itself', async () => {
  // With new connections that work, the shop would be: it may need no other for a while.
  proxied.postgres.hang(true)
  proxied.postgres.silence()
  const isTold = async () => {
    const { status, body } = await readyz()
    return status === 503 && body.reasons?.postgres === 'silent'
  }
  await waitFor('the silence to be told', isTold)
  proxied.postgres.hang(false)
  await expectReadiness(ready)
}, 60_000)

it('is degraded while no worker has begun, not ready with one ahead of the log', async () => {
  const app = await startTestApp({ workers: false })
  const client = new Redis(redis.url)
  const nothing = () => undefined
  const { pool, db, eventStore } = app.back
  async function* longAgo(...options: Parameters<typeof eventStore.readAll>) {
    for await (const event of eventStore.readAll(...options)) {
      yield { ...event, recordedAt: new Date(0) }
    }
  }
  async function readiness() {
    const log = { info: nothing, warn: nothing, error: nothing }
    const { health, start } = createChecks(log, { dependency: nothing })
    const old = { ...eventStore, readAll: longAgo }
    const logIdentity = createLogIdentity(pool, eventStore, 'DATABASE_URL')
    const shared = { pool, db, redis: client, cache: undefined }
    const servers = { ...shared, isStoreApart: false, logIdentity }
    const checks = await start({ ...servers, eventStore: old })
    await checks.stop()
    return health.readiness()
  }
  try {
    const degraded = { status: 'degraded', degraded: ['projections'] }
    const behind = { projections: expect.stringMatching(/^behind: .*carts.*orders/) }
    expect(await readiness()).toEqual({ ...degraded, reasons: behind })
    await pool.query(
      `insert into shop.checkpoints (name, version, position) values ('sales', 1, $1)`,
      [moved(await eventStore.head(), 1)],
    )
    const ahead = { log: expect.stringContaining('an older copy') }
    const broken = { status: 'not-ready', failed: ['log'], degraded: ['projections'] }
    expect(await readiness()).toEqual({ ...broken, reasons: { ...behind, ...ahead } })
  } finally {
    client.disconnect()
    await app.close()
  }
}, 60_000)
