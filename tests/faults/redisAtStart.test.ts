// A start while Redis is full, a replica, loading, silent or away goes on without it, and says so.
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { type Running, startApp } from '../../src/main/start.ts'
import { startLocalRedis } from '../../tools/local/redis.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { password } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

let redis: Awaited<ReturnType<typeof startLocalRedis>>
let directory: string
let database: TestDatabase
let client: Redis
let running: Running | undefined
const secret = randomBytes(32).toString('hex')

beforeAll(async () => {
  directory = await temporaryDirectory()
  redis = await startLocalRedis({ directory: join(directory, 'redis'), path: process.env.PATH })
  client = new Redis(redis.url)
  database = await testDatabase()
})
afterEach(async () => {
  await client.config('SET', 'maxmemory', '0')
  await client.replicaof('NO', 'ONE')
  await client.flushall()
  await running?.close()
  running = undefined
})
afterAll(async () => {
  client?.disconnect()
  await redis?.stop()
  await database?.drop()
  await rm(directory, { recursive: true, force: true, maxRetries: 20 })
})

async function start(settings: Record<string, string> = {}) {
  const config = loadConfig({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SMTP_URL: 'smtp://127.0.0.1:1',
    SECRET_KEY: secret,
    PORT: '0',
    FILES_DIR: join(directory, 'files'),
    AUDIT_DIR: join(directory, 'audit'),
    LOG_LEVEL: 'silent',
    ...settings,
  })
  running = await startApp(config, { api: true, workers: true })
  return running.url
}

/** A server that answers everything that it is told with this; nothing at all without one. */
async function stubRedis(answer?: string) {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => undefined))
    if (answer !== undefined) socket.on('data', () => socket.write(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `redis://127.0.0.1:${port}`,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function expectCommands(url: string) {
  const username = `r-${randomUUID().slice(0, 8)}`
  const response = await fetch(`${url}/api/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, email: `${username}@example.com`, password }),
  })
  expect(response.status, await response.text()).toBe(201)
}

const readiness = async (url: string): Promise<{ degraded?: string[]; reasons?: object }> =>
  JSON.parse(await (await fetch(`${url}/readyz`)).text())
const told = (url: string, wanted: object) =>
  waitFor('the reason', async () => {
    const body = await readiness(url)
    return JSON.stringify(body) === JSON.stringify(wanted)
  }).catch(async () => expect(await readiness(url)).toEqual(wanted))

const degraded = (name: string, reason: string) => {
  return { status: 'degraded', degraded: [name], reasons: { [name]: reason } }
}
const ownerKey = 'orderstream:shop'

it('a Redis that is full is named, and taken once it has room', async () => {
  await client.config('SET', 'maxmemory', '1')
  const url = await start()
  await told(url, degraded('redis-memory', 'out of memory'))
  await expectCommands(url)
  await client.config('SET', 'maxmemory', '0')
  // The mail about the registration may wait for its own server.
  const isFull = async () => (await readiness(url)).degraded?.includes('redis-memory') === true
  await waitFor('room', async () => !(await isFull()))
  await waitFor('the shop to take it', async () => (await client.get(ownerKey)) !== null)
}, 60_000)

it('a Redis that is full and belongs to another shop is refused all the same', async () => {
  await client.set(ownerKey, randomUUID())
  await client.config('SET', 'maxmemory', '1')
  await expect(start()).rejects.toThrow('REDIS_URL names a Redis that another shop uses')
}, 60_000)

it('a replica, which only reads, is named', async () => {
  await client.replicaof('127.0.0.1', '1')
  const url = await start()
  await told(url, degraded('redis', 'READONLY'))
  await expectCommands(url)
}, 60_000)

it.each([
  ['that loads its data', '-LOADING Redis is loading the dataset in memory\r\n'],
  ['that never answers', undefined],
])(
  'a Redis %s is not waited for',
  async (_, answer) => {
    const stub = await stubRedis(answer)
    const url = await start({ REDIS_URL: stub.url })
    expect(await readiness(url)).toMatchObject({ status: 'degraded', degraded: ['redis'] })
    await expectCommands(url)
    stub.close()
  },
  60_000,
)

it('a Redis that is away is not waited for', async () => {
  const url = await start({ REDIS_URL: 'redis://127.0.0.1:1' })
  expect(await readiness(url)).toEqual(degraded('redis', 'away'))
  await expectCommands(url)
}, 60_000)

it('a Redis that refuses the password is a fault of the settings, in one line', async () => {
  const wrong = new URL(redis.url)
  for (const given of ['wrong', '']) {
    wrong.password = given
    await expect(start({ REDIS_URL: wrong.href })).rejects.toThrow(
      /^REDIS_URL: Redis refuses its user or password, or what they may do \((WRONGPASS|NOAUTH)\)$/,
    )
  }
}, 60_000)

it('a Redis of cached answers that is away, full or a replica is named by itself', async () => {
  const url = await start({ CACHE_REDIS_URL: 'redis://127.0.0.1:1' })
  await told(url, degraded('cache', 'away'))
  await running?.close()
  await client.config('SET', 'maxmemory', '1')
  const other = await stubRedis()
  const second = await start({ REDIS_URL: other.url, CACHE_REDIS_URL: redis.url })
  await waitFor('both', async () => (await readiness(second)).degraded?.length === 2)
  expect((await readiness(second)).reasons).toEqual({ cache: 'out of memory', redis: 'away' })
  other.close()
}, 60_000)
