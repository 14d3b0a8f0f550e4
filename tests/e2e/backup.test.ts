// A backup of a shop that is at work, put back elsewhere, into either kind of event store.
import { execFile } from 'node:child_process'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { postgresRestoreLog } from '../../src/eventstore/postgres/restoreLog.ts'
import { createManifestSeal } from '../../src/infra/backup/manifestSeal.ts'
import {
  copiedTables,
  createRestoreTarget,
  createTableCopies,
  leftOutTables,
} from '../../src/infra/backup/tableCopies.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { createFileStore } from '../../src/infra/files/fileStore.ts'
import { createPool } from '../../src/infra/postgres/database.ts'
import { type AppServices, openServices } from '../../src/main/openServices.ts'
import { startApp } from '../../src/main/start.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import { backUp } from '../../src/workers/backup/backUp.ts'
import { readManifest } from '../../src/workers/backup/manifest.ts'
import { checkBackup, restore } from '../../src/workers/backup/restore.ts'
import { extendChain } from '../../src/workers/jobs/auditChain.ts'
import { createClient } from '../support/apiClient.ts'
import { atRest, findings, wholeLog } from '../support/auditing.ts'
import { emptyDatabase } from '../support/database.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { newOrder } from '../support/goods.ts'
import { upload } from '../support/productImports.ts'
import { bareEnvironment } from '../support/programs.ts'
import { testRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { doBusiness, shopWithTraffic, type Traffic } from '../support/shopTraffic.ts'
import { type Person, password } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const runMs = 120_000
const closers: (() => Promise<unknown>)[] = []
let traffic: Traffic
let erased: Person
/** Erased after the backup. */
let late: Person
let directory: string
let backup: string
/** The log when the backup began, and when it had ended. */
let before: RecordedEvent[]
let after: RecordedEvent[]

/** What an admin has decided about a parked event. */
const decide = `insert into shop.parking_decisions (name, position, stream, decision, outcome)
  values ('orders', 1, 'order-1', 'skip', 'skipped') returning id::int`

interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** A command of the command line, with nothing but these settings. */
function run(script: string, args: readonly string[], env: Record<string, string>): Promise<Ran> {
  const options = { env: { ...bareEnvironment(), ...env }, timeout: runMs }
  return new Promise(resolve => {
    execFile(process.execPath, [`tools/${script}.ts`, ...args], options, (error, ...said) => {
      const [stdout, stderr] = said
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** Settings of a shop that does not exist yet, elsewhere. */
async function elsewhere(more: Record<string, string> = {}): Promise<Record<string, string>> {
  const database = await emptyDatabase()
  const redis = await testRedis()
  closers.push(database.drop, redis.release)
  const home = join(directory, `elsewhere-${closers.length}`)
  return {
    ...traffic.app.env,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    FILES_DIR: join(home, 'files'),
    AUDIT_DIR: join(home, 'audit'),
    ...more,
  }
}

async function open(env: Record<string, string>): Promise<AppServices> {
  const opened = await openServices(loadConfig(env))
  closers.push(opened.close)
  return opened
}

beforeAll(async () => {
  directory = await temporaryDirectory()
  closers.push(() => rm(directory, { recursive: true, force: true }))
  traffic = await shopWithTraffic()
  const { app, productId } = traffic
  closers.push(app.close)
  await doBusiness(traffic)
  erased = await app.person()
  await erased.client.delete('/auth/profile', { password })
  await atRest(app.back)
  await extendChain({ ...app.back, ...app.back.audit })
  await createFileStore(app.config.filesDirectory).put('aa/image', Buffer.from('an image'))
  late = await app.person()
  await app.back.pool.query(decide)
  backup = join(directory, 'backup')
  const holding = await importHalf()
  before = await wholeLog(app.back)
  const selling = newOrder(traffic.person, productId)
  const ran = await run('backup', [backup], app.env)
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  await holding.end()
  expect((await selling).status).toBe(201)
  after = await wholeLog(app.back)
  await late.client.delete('/auth/profile', { password })
}, runMs)
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
}, runMs)

/** The access token of who has signed in. */
function accessIn({ tokens }: Record<string, unknown>): string {
  const isPair = typeof tokens === 'object' && tokens !== null && 'access' in tokens
  return isPair ? String(tokens.access) : ''
}

const importedRows = 700

/** Uploads products, and keeps the importer from getting any further than some of them. */
async function importHalf(): Promise<pg.Client> {
  const { app } = traffic
  const products = Array.from({ length: importedRows }, (_, n) => `HALF-${n},Half ${n},1.00,1`)
  const { status } = await upload(app, ['sku,name,price,stock', ...products].join('\n'))
  expect(status).toBe(202)
  const under = "select done from shop.product_imports where status = 'running' and done > 0"
  await waitFor('an import that is under way', async () => {
    return (await app.back.pool.query(under)).rowCount === 1
  })
  const holding = new pg.Client({ connectionString: app.config.databaseUrl.reveal() })
  await holding.connect()
  await holding.query('begin; set local idle_in_transaction_session_timeout = 0')
  const { rows } = await holding.query<{ done: number }>(`${under} for update`)
  expect(rows[0]?.done).toBeLessThan(importedRows)
  return holding
}

/** What of an event no store gives by itself. */
const contentOf = ({ stream, revision, id, type, data, metadata }: RecordedEvent) => ({
  stream,
  revision,
  id,
  type,
  data,
  metadata,
})

describe('a backup of a shop that serves meanwhile', () => {
  it('has the log from its beginning to a moment while it was made', async () => {
    const text = gunzipSync(await readFile(join(backup, 'events.ndjson.gz'))).toString()
    const positions = text
      .trim()
      .split('\n')
      .map(line => Number(JSON.parse(line).position))
    expect(positions.length).toBeGreaterThanOrEqual(before.length)
    expect(positions.length).toBeLessThanOrEqual(after.length)
    expect(positions).toEqual(positions.map((_, index) => index + 1))
  })

  it('has no key of anybody who was erased, and no token', async () => {
    const { rows } = await traffic.app.back.pool.query<{ sealed: string }>(
      'select sealed_key as sealed from shop.person_keys where subject = $1',
      [erased.id],
    )
    expect(rows).toEqual([{ sealed: null }])
    const files = await readdir(join(backup, 'tables'))
    for (const left of ['sessions', 'refresh_tokens', 'password_resets', 'email_tokens']) {
      expect(files).not.toContain(`shop.${left}.ndjson.gz`)
    }
    const keys = gunzipSync(await readFile(join(backup, 'tables/shop.person_keys.ndjson.gz')))
    const lines = keys.toString().trim().split('\n')
    const own = lines.map(line => JSON.parse(line)).find(({ subject }) => subject === erased.id)
    expect(own).toMatchObject({ sealed_key: null })
  })

  it('has every table of the shop, or leaves it out for a reason', async () => {
    const { rows } = await traffic.app.back.pool.query<{ name: string }>(
      `select 'shop.' || relname as name from pg_class
        where relnamespace = 'shop'::regnamespace and relkind in ('r', 'p')`,
    )
    const known = [...copiedTables, 'shop.person_keys', ...Object.keys(leftOutTables)]
    expect(rows.map(({ name }) => name).sort()).toEqual(known.sort())
  })

  it('is refused a directory that holds something', async () => {
    const ran = await run('backup', [backup], traffic.app.env)
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') })
  })

  it('is refused where the images cannot be read, are elsewhere, or would hold it', async () => {
    const { back, config } = traffic.app
    const backUpFrom = (filesDirectory: string, type = 'ProductImageAdded', to = directory) => {
      const target = join(to, `without-images-${crypto.randomUUID()}`)
      const readAll = async function* () {
        for (const event of before.slice(0, 1)) yield { ...event, type, recordedAt: new Date() }
      }
      const parts = {
        tables: createTableCopies(back.pool),
        eventStore: { head: back.eventStore.head, readAll },
        erasures: back.accounts.erasures,
        seal: createManifestSeal(createSecrets(config.secretKey)),
        now: () => new Date(),
        filesDirectory,
      }
      return backUp(parts, target)
    }
    const nowhere = join(directory, 'nowhere')
    await expect(backUpFrom(join(backup, 'manifest.json'))).rejects.toThrow('cannot be read')
    await expect(backUpFrom(nowhere)).rejects.toThrow('set FILES_DIR')
    await expect(backUpFrom(nowhere, 'ProductCreated', nowhere)).rejects.toThrow('is in FILES_DIR')
    expect(await backUpFrom(nowhere, 'ProductCreated')).toMatchObject({ format: 1 })
  })
})

describe('restored into an empty database', () => {
  let env: Record<string, string>
  let restored: AppServices
  beforeAll(async () => {
    env = await elsewhere()
    // The list of erased people outlives the shop that is lost.
    await cp(traffic.app.config.audit.directory, env.AUDIT_DIR ?? '', { recursive: true })
    const ran = await run('restore', [backup], env)
    expect(ran, ran.stderr).toMatchObject({ code: 0 })
    expect(ran.stdout).toContain('The signatures are good up to position')
    expect(ran.stdout).toContain('1 people who had been erased since are erased again')
    restored = await open(env)
  }, runMs)

  it('the log is the same, position by position', async () => {
    const log = await wholeLog(restored)
    const [gap, again, ...rest] = log.splice(-2)
    // Orders that were lost have numbers: none of them is given to another one.
    const { from, to } = { from: 0, to: 0, ...gap?.data }
    expect(gap?.type).toBe('OrderNumbersReserved')
    expect(to - from).toBeGreaterThanOrEqual(9_999)
    expect(again).toMatchObject({ type: 'CustomerErased', data: { customerId: late.id } })
    expect(rest).toEqual([])
    expect(log.length).toBeGreaterThanOrEqual(before.length)
    expect(log).toEqual(after.slice(0, log.length))
  })

  it('every row is the one of before, and new rows have numbers of their own', async () => {
    const numbers = 'select id::int from shop.parking_decisions order by id'
    expect((await restored.pool.query(numbers)).rows).toEqual([{ id: 1 }])
    expect((await restored.pool.query(decide)).rows).toEqual([{ id: 2 }])
  })

  it('files are there, and nobody who was erased since', async () => {
    expect(await readFile(join(env.FILES_DIR ?? '', 'aa/image'), 'utf8')).toBe('an image')
    const { rows } = await restored.pool.query<{ of: string }>(
      `select 'key' as of from shop.person_keys where subject = any($1) and sealed_key is not null
        union all select 'account' from shop.accounts where customer_id = any($1)`,
      [[erased.id, late.id]],
    )
    expect(rows).toEqual([])
  })

  it('the audit says that what was due waits for a worker', async () => {
    await restored.pool.query(
      `update shop.mails set state = 'due', sent_at = null, due_at = now() - interval '1 hour'`,
    )
    const ran = await run('audit', ['--grace', '0'], env)
    expect(ran.stdout).toMatch(/[1-9]\d* mails and webhooks are due and wait for a worker/)
    expect(ran, ran.stderr).toMatchObject({ code: 0 })
  })

  it('people sign in, see their orders and buy on, and an import goes on', async () => {
    const config = loadConfig(env)
    const app = await startApp({ ...config, port: 0 }, { api: true, workers: true })
    try {
      const { contract } = traffic.app
      const anyone = createClient(app.url, contract)
      const { username } = traffic.person
      const { status, body } = await anyone.post('/auth/login', { username, password })
      expect(status).toBe(200)
      const client = createClient(app.url, contract, accessIn(body))
      const orders = await client.get('/orders')
      expect(
        JSON.stringify(orders.body).match(/"customerId"|"orderNumber"/g)?.length,
      ).toBeGreaterThan(4)
      expect((await newOrder({ client }, traffic.productId)).status).toBe(201)
      const gone = await anyone.post('/auth/login', { username: erased.username, password })
      expect(gone.status).toBe(401)
      await waitFor('the import to go on to its end', async () => {
        const { rows } = await restored.pool.query<{ status: string; done: number }>(
          'select status, done from shop.product_imports',
        )
        return rows.every(({ status, done }) => status === 'finished' && done === importedRows)
      })
      await atRest(restored)
    } finally {
      await app.close()
    }
    const { rows } = await restored.pool.query<{ count: number }>(
      "select count(*)::int from readmodel.products where sku like 'HALF-%' and on_hand = 1",
    )
    expect(rows).toEqual([{ count: importedRows }])
    expect(await findings(restored)).toEqual([])
  })

  it('nothing is put into it a second time', async () => {
    const ran = await run('restore', [backup], env)
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('an empty one') })
  })
})

describe('a restore that was broken off', () => {
  it('leaves a database on which no shop starts', async () => {
    const env = await elsewhere()
    const config = loadConfig(env)
    const seal = createManifestSeal(createSecrets(config.secretKey))
    const pool = createPool(config.databaseUrl.reveal(), { size: 2 })
    closers.push(() => pool.end())
    const restoring = restore(backup, await readManifest(backup, seal), {
      target: createRestoreTarget(pool, config.databaseUrl.reveal()),
      log: { ...postgresRestoreLog(pool), write: () => Promise.reject(new Error('killed')) },
      filesDirectory: config.filesDirectory,
    })
    await expect(restoring).rejects.toThrow('killed')
    await expect(openServices(config)).rejects.toThrow('was not to its end')
  })

  it('is refused by every start, whatever it was killed at', async () => {
    const killedAt = async (step: string) => {
      const env = await elsewhere()
      const killed = await run('../tests/support/restoreChild', [backup, step], env)
      expect(killed.code, step).not.toBe(0)
      await expect(openServices(loadConfig(env)), step).rejects.toThrow('was not to its end')
      return env
    }
    const steps = ['log', 'erased people', 'orders', 'high-water mark', 'the end']
    const [env = {}] = (await Promise.all(steps.map(killedAt))).reverse()
    const again = await run('restore', [backup], env)
    const refusal = expect.stringMatching(
      /^DATABASE_URL .* drop it, and restore into an empty one$/m,
    )
    expect(again).toMatchObject({ code: 1, stderr: refusal })
  }, 120_000)

  it('is refused by every start while there are no tables yet', async () => {
    const config = loadConfig(await elsewhere())
    const url = config.databaseUrl.reveal()
    const pool = createPool(url, { size: 1 })
    closers.push(() => pool.end())
    const target = createRestoreTarget(pool, url)
    await expect(target.migrateTo(['0001_event_store', 'unknown'])).rejects.toThrow('newer release')
    await expect(openServices(config)).rejects.toThrow('was not to its end')
    expect(await target.occupied()).toContain('drop it')
  })
})

describe('between stores', () => {
  it('a shop moves from PostgreSQL to EventStoreDB and back', async () => {
    const stub = await eventStoreDbStub()
    closers.push(stub.close)
    const moved = await elsewhere({ EVENTSTORE_URL: stub.url })
    const there = await run('restore', [backup], moved)
    expect(there, there.stderr).toMatchObject({ code: 0 })
    const onEventStore = await open(moved)
    const log = (await wholeLog(onEventStore)).map(contentOf)
    const kept = log.slice(0, -1)
    expect(kept).toEqual(after.slice(0, kept.length).map(contentOf))
    expect(await findings(onEventStore)).toEqual([])

    const second = join(directory, 'second')
    const again = await run('backup', [second], moved)
    expect(again, again.stderr).toMatchObject({ code: 0 })
    const home = await elsewhere()
    const back = await run('restore', [second], home)
    expect(back, back.stderr).toMatchObject({ code: 0 })
    const atHome = await open(home)
    expect((await wholeLog(atHome)).slice(0, -1).map(contentOf)).toEqual(log)
    expect(await findings(atHome)).toEqual([])
  }, 240_000)
})

describe('what is no backup of this shop', () => {
  it('is refused without its secret, before anything is written', async () => {
    const env = await elsewhere({ SECRET_KEY: 'f'.repeat(64) })
    const ran = await run('restore', [backup], env)
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('set SECRET_KEY') })
  })

  it('is refused where a file was changed, is missing, or has no manifest yet', async () => {
    const table = join(backup, 'tables/shop.accounts.ndjson.gz')
    const manifest = join(backup, 'manifest.json')
    const [rows, sealed] = [await readFile(table), await readFile(manifest)]
    const seal = createManifestSeal(createSecrets(traffic.app.config.secretKey))
    const check = async () => checkBackup(backup, await readManifest(backup, seal))
    await check()
    const flipped = Buffer.from(rows)
    flipped[flipped.length - 12] = (flipped.at(-12) ?? 0) ^ 1
    await writeFile(table, flipped)
    await expect(check()).rejects.toThrow('shop.accounts.ndjson.gz is not the file')
    await rm(table)
    await expect(check()).rejects.toThrow('shop.accounts.ndjson.gz cannot be read')
    await writeFile(table, rows)
    await writeFile(manifest, sealed.toString().replace('"events": ', '"events": 1'))
    await expect(check()).rejects.toThrow('was changed')
    await rm(manifest)
    await expect(check()).rejects.toThrow('is no backup')
    await writeFile(manifest, sealed)
    const ran = await run('restore', [backup, '--check'], traffic.app.env)
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('is whole') })
  })
})
