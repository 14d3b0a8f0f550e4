// The event log that a shop finds is the one that its database knows, at the start and afterwards.
import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createProduct, deleteProduct } from '../../src/commands/catalogue/products.ts'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { loadConfig } from '../../src/config/config.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { openServices } from '../../src/main/openServices.ts'
import { startApp } from '../../src/main/start.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { runProgram } from '../support/programs.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { switchedPort } from '../support/switchedPort.ts'
import { runAsSuperuser } from '../support/tampering.ts'
import { waitFor } from '../support/waitFor.ts'

const secret = randomBytes(32).toString('hex')
const notOurs = 'is not the one of this shop'
const databases: TestDatabase[] = []
const pools: Pool[] = []
let redis: TestRedis
let directory: string

beforeAll(async () => {
  directory = await temporaryDirectory()
})
// Each shop has a Redis of its own.
beforeEach(async () => {
  redis = await testRedis()
})
afterEach(() => redis.release())
afterAll(async () => {
  await Promise.all(pools.map(pool => pool.end()))
  await Promise.all(databases.map(each => each.drop()))
  await rm(directory, { recursive: true, force: true })
})

const environment = (database: string, settings: Record<string, string> = {}) => ({
  DATABASE_URL: database,
  REDIS_URL: redis.url,
  SMTP_URL: 'smtp://127.0.0.1:1',
  SECRET_KEY: secret,
  PAYMENT_PROVIDER: 'simulated',
  PORT: '0',
  FILES_DIR: join(directory, 'files'),
  LOG_LEVEL: 'silent',
  ...settings,
})

/** Opens a shop as every start does, makes products, and ends as every process does. */
async function open(env: Record<string, string>, ...products: string[]): Promise<void> {
  const app = await openServices(loadConfig(env))
  try {
    for (const name of products) {
      const price = { amount: 599, currency: 'GBP' }
      const envelope = systemEnvelope('test', new Date())
      const made = await execute(app.app, createProduct, { name, price }, envelope)
      if (isRejection(made)) throw new Error(made.detail)
    }
  } finally {
    await app.close()
  }
}

async function newDatabase() {
  const database = await testDatabase()
  databases.push(database)
  const pool = createPool(database.url, { size: 2 })
  pools.push(pool)
  return { pool, url: database.url }
}

/** A shop in PostgreSQL whose log can be put back as it was. */
async function shopInPostgres() {
  const { pool, url } = await newDatabase()
  const env = environment(url)
  await open(env, 'Kettle', 'Teapot', 'Mug')
  await runAsSuperuser(pool, ['create table saved_log as select * from eventstore.events'])
  const putBack = [
    'delete from eventstore.events',
    'insert into eventstore.events select * from saved_log',
  ]
  return { env, pool, putBack: () => runAsSuperuser(pool, putBack) }
}

const newId = `'${randomUUID()}'`
const last = '(select max(position) from eventstore.events)'
const attacks: [string, string, string][] = [
  ['that is empty', 'delete from eventstore.events', 'it is empty'],
  ['of yesterday', 'delete from eventstore.events where position > 2', 'ends at position 2'],
  [
    'of another shop',
    `update eventstore.events set event_id = ${newId} where position = 1`,
    'begins with another event',
  ],
  [
    'with another history',
    `update eventstore.events set event_id = ${newId} where position = ${last}`,
    'not the event that was seen',
  ],
]

describe('a start with a log in PostgreSQL', () => {
  it.each(attacks)('%s is refused, and with the right one it is not', async (_, attack, why) => {
    const { env, pool, putBack } = await shopInPostgres()
    await runAsSuperuser(pool, [attack])
    const opening = open(env)
    await expect(opening).rejects.toThrow(notOurs)
    await expect(opening).rejects.toThrow(why)
    await putBack()
    await open(env)
  })

  it('that a read model is beyond is refused', async () => {
    const { env, pool } = await shopInPostgres()
    await pool.query('delete from shop.seen_log')
    await pool.query(
      `insert into shop.checkpoints (name, version, position)
        select 'sales', 1, max(position) + 1 from eventstore.events`,
    )
    await expect(open(env)).rejects.toThrow('an older copy')
  })

  it.each(['src/main/api.ts', 'src/main/worker.ts'])(
    'ends %s with one line',
    async program => {
      const { env, pool } = await shopInPostgres()
      await runAsSuperuser(pool, ['delete from eventstore.events where position > 2'])
      const end = await runProgram([program], env)
      expect(end).toMatchObject({ code: 1, stdout: '' })
      expect(end.stderr).toMatch(/DATABASE_URL .* npm run projections -- adopt\n$/)
      expect(end.stderr.trimEnd().split('\n')).toHaveLength(1)
    },
    60_000,
  )
})

describe('a start with a log in EventStoreDB', () => {
  it('is refused with a fresh server, and with the log of another shop', async () => {
    const [own, other] = await Promise.all([eventStoreDbStub(), eventStoreDbStub()])
    try {
      const { pool, url } = await newDatabase()
      const at = (stub: { url: string }) => environment(url, { EVENTSTORE_URL: stub.url })
      await open(at(own), 'Kettle', 'Teapot')
      await expect(open(at(other))).rejects.toThrow(/EVENTSTORE_URL .*it is empty/)
      const { url: elsewhere } = await newDatabase()
      await open(environment(elsewhere, { EVENTSTORE_URL: other.url }), 'Vase')
      await expect(open(at(other))).rejects.toThrow(/EVENTSTORE_URL .*begins with another/)
      // The same first event would not be enough.
      await pool.query('update shop.identity set first_event_id = null')
      await expect(open(at(other))).rejects.toThrow(/ends at position|was seen there/)
      await pool.query('update shop.identity set first_event_id = null')
      await open(at(own))
    } finally {
      await Promise.all([own.close(), other.close()])
    }
  })
})

describe('a shop that runs', () => {
  async function started(env: Record<string, string>) {
    const app = await startApp(loadConfig(env), { api: true, workers: true })
    const post = async (path: string, body: object) => {
      const response = await fetch(`${app.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const { type } = JSON.parse(await response.text())
      return { status: response.status, type: String(type) }
    }
    const readiness = async () => {
      const response = await fetch(`${app.url}/readyz`)
      return JSON.parse(await response.text())
    }
    return {
      close: app.close,
      readiness,
      /** Waits until /readyz gives this reason about the log; undefined for none. */
      says: (reason: string | undefined) =>
        waitFor(`/readyz to say ${reason}`, async () => {
          const found = (await readiness()).reasons?.log
          return reason === undefined ? found === undefined : found?.includes(reason)
        }),
      post,
      register() {
        const name = `a${randomUUID().slice(0, 8)}`
        const body = { username: name, email: `${name}@example.com`, password: 'a long password' }
        return post('/api/auth/register', body)
      },
    }
  }

  it('applies nothing of another log and writes nothing to it, until one is adopted', async () => {
    const { env, pool, putBack } = await shopInPostgres()
    const app = await started(env)
    const positions = async () =>
      (await pool.query<{ name: string }>('select name, position from shop.checkpoints order by 1'))
        .rows
    try {
      const caughtUp = `select count(*) as late from shop.checkpoints where position < ${last}`
      await waitFor('the read models', async () => {
        const { rows } = await pool.query<{ late: bigint }>(caughtUp)
        return (await positions()).length > 5 && rows[0]?.late === 0n
      })
      await runAsSuperuser(pool, ['delete from eventstore.events where position > 2'])
      await app.says('ends at position 2')
      expect(await app.readiness()).toMatchObject({ status: 'not-ready', failed: ['log'] })
      const refused = await app.register()
      expect(refused).toEqual({ status: 503, type: expect.stringContaining('log/not-ours') })

      // Another history that grows beyond what was seen.
      const before = await positions()
      const store = postgresEventStore(pool)
      const strange = Array.from({ length: 40 }, () => {
        return { id: randomUUID(), type: 'ProductDeleted', data: {}, metadata: {} }
      })
      await store.append(`product-${randomUUID()}`, 'no-stream', strange)
      await app.says('not the event that was seen')
      expect(await positions()).toEqual(before)

      await putBack()
      await app.says(undefined)
      expect(await app.register()).toMatchObject({ status: 201 })
      await store.close()
    } finally {
      await app.close()
    }
  }, 60_000)

  it('notices that another server has taken the place of its own', async () => {
    const [own, other] = await Promise.all([eventStoreDbStub(), eventStoreDbStub()])
    const portOf = (stub: { url: string }) => Number(new URL(stub.url).port)
    const port = await switchedPort(portOf(own))
    const { url } = await newDatabase()
    const EVENTSTORE_URL = `esdb://127.0.0.1:${port.port}?tls=false`
    const env = environment(url, { EVENTSTORE_URL })
    await open(env, 'Kettle')
    const app = await started(env)
    try {
      await app.says(undefined)
      expect(await app.register()).toMatchObject({ status: 201 })
      port.leadTo(portOf(other))
      // Before anybody has looked.
      const atOnce = await Promise.all(Array.from({ length: 4 }, () => app.register()))
      expect(atOnce.map(({ status }) => status)).toEqual([503, 503, 503, 503])
      await app.says('EVENTSTORE_URL')
      const item = await app.post('/api/cart/items', { productId: randomUUID(), quantity: 1 })
      expect(item).toEqual({ status: 503, type: expect.stringContaining('log/not-ours') })
      expect(await app.register()).toMatchObject({ status: 503 })
      port.leadTo(portOf(own))
      await app.says(undefined)
    } finally {
      await app.close()
      await port.close()
      await Promise.all([own.close(), other.close()])
    }
  }, 60_000)
})

describe('another log', () => {
  it('is adopted by who has seen what it holds and agrees', async () => {
    const { env, pool } = await shopInPostgres()
    const app = await startApp(loadConfig(env), { api: true, workers: false })
    const script = 'tools/projections.ts'
    try {
      const nothing = await runProgram([script, 'adopt'], env)
      expect(nothing.code).toBe(0)
      expect(nothing.stdout).toContain('nothing to adopt')

      await runAsSuperuser(pool, [
        'create table kept as select * from eventstore.events where position <= 2',
        'delete from eventstore.events',
      ])
      const empty = await runProgram([script, 'adopt', '--yes'], env)
      expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('an empty log') })

      await runAsSuperuser(pool, [
        'insert into eventstore.events overriding system value select * from kept',
        'drop table kept',
      ])
      const asked = await runProgram([script, 'adopt'], env)
      expect(asked.code).toBe(1)
      expect(asked.stdout).toMatch(/2 events[\s\S]*first one: \w+ of [\s\S]*ends at position 2/)
      expect(asked.stderr).toContain('--yes')
      await expect(open(env)).rejects.toThrow(notOurs)

      const agreed = await runProgram([script, 'adopt', '--yes'], env)
      expect(agreed).toMatchObject({ code: 0 })
      await open(env)
      const { rows } = await pool.query(
        `select count(*) as found, (select count(*) from eventstore.events
          where type = 'ProductCreated') as there from readmodel.products`,
      )
      expect(rows).toEqual([{ found: rows[0]?.there, there: rows[0]?.there }])
      // What this process remembers of streams is of the log of before.
      await waitFor('the running process to say so', async () => {
        const response = await fetch(`${app.url}/readyz`)
        return (await response.text()).includes('restart it')
      })
    } finally {
      await app.close()
    }
  }, 60_000)

  it('in EventStoreDB is adopted, without what it lacks where that is accepted', async () => {
    const [own, other] = await Promise.all([eventStoreDbStub(), eventStoreDbStub()])
    const program = ['tools/projections.ts', 'adopt']
    try {
      const { pool, url } = await newDatabase()
      const { url: elsewhere } = await newDatabase()
      await open(environment(url, { EVENTSTORE_URL: own.url }), 'Kettle', 'Teapot')
      await open(environment(elsewhere, { EVENTSTORE_URL: other.url }), 'Vase', 'Bowl')
      const env = environment(url, { EVENTSTORE_URL: other.url })
      await expect(open(env)).rejects.toThrow(/EVENTSTORE_URL .*begins with another/)
      const created = other.log.records.findLast(({ type }) => type === 'ProductCreated')
      if (created === undefined) throw new Error('nothing is sold')
      const { stream } = created
      const app = await openServices(
        loadConfig(environment(elsewhere, { EVENTSTORE_URL: other.url })),
      )
      const productId = stream.slice('product-'.length)
      const envelope = systemEnvelope('test', new Date())
      await execute(app.app, deleteProduct, { productId }, envelope).finally(app.close)
      const names = async () => {
        const { rows } = await pool.query<{ name: string }>('select name from products order by 1')
        return rows.map(({ name }) => name)
      }
      const before = await names()

      other.log.lose(stream, [0])
      const broken = await runProgram([...program, '--yes'], env)
      expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was') })
      expect(broken.stdout).toContain(`1 stream is not whole: ${stream} (event 0 is missing)`)
      expect(await names()).toEqual(before)
      await expect(open(env)).rejects.toThrow('begins with another')

      const adopted = await runProgram([...program, '--yes', '--accept-broken-streams'], env)
      expect(adopted).toMatchObject({ code: 0, stdout: expect.stringContaining('Adopted') })
      expect(await names()).toContain('Vase')
      await open(env)
    } finally {
      await Promise.all([own.close(), other.close()])
    }
  }, 60_000)
})
