// A start whose settings contradict the data of the shop: one line, exit code 1, nothing changed.
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdmin } from '../../src/commands/account/accounts.ts'
import { createProduct } from '../../src/commands/catalogue/products.ts'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { loadConfig } from '../../src/config/config.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { migrate } from '../../src/infra/postgres/migrate.ts'
import { openServices } from '../../src/main/openServices.ts'
import { seedCatalogue } from '../../src/main/sampleCatalogue.ts'
import { startApp } from '../../src/main/start.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { runProgram } from '../support/programs.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'

const secret = randomBytes(32).toString('hex')
const otherSecret = randomBytes(32).toString('hex')
let redis: TestRedis
let directory: string
const newAdmin = ['--username', 'eve', '--email', 'eve@example.com', '--generate']
const databases: TestDatabase[] = []

beforeAll(async () => {
  redis = await testRedis()
  directory = await temporaryDirectory()
})
afterAll(async () => {
  await Promise.all(databases.map(each => each.drop()))
  await redis.release()
  await rm(directory, { recursive: true, force: true })
})

async function newDatabase(): Promise<string> {
  const database = await testDatabase()
  databases.push(database)
  return database.url
}

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

async function open(database: string, settings: Record<string, string> = {}) {
  const app = await openServices(loadConfig(environment(database, settings)))
  await app.close()
  return app
}

async function sql<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

/** A shop that has sold in GBP, with everything that is encrypted. */
async function sellingShop(settings: Record<string, string> = {}): Promise<string> {
  const database = await newDatabase()
  const app = await openServices(loadConfig(environment(database, settings)))
  const price = { amount: 599, currency: settings.CURRENCY ?? 'GBP' }
  const envelope = systemEnvelope('test', new Date())
  const made = await execute(app.app, createProduct, { name: 'Kettle', price }, envelope)
  if (isRejection(made)) throw new Error(made.detail)
  await createAdmin(app.app, app.accounts, {
    username: 'admin',
    email: 'admin@example.com',
    password: async () => 'correct horse battery staple',
  })
  await Promise.all([app.accounts.tokens.jwks(), app.audit.signer.jwks()])
  await app.close()
  return database
}

/** A database as a release has left it that had the migrations before this one. */
async function releasedDatabase(next: string): Promise<string> {
  const database = await newDatabase()
  await sql(
    database,
    `drop schema shop, readmodel, eventstore, public cascade;
      create schema public;
      create table kysely_migration (name text primary key, timestamp text not null)`,
  )
  const directory = new URL('../../migrations/', import.meta.url)
  const files = (await readdir(directory)).sort().filter(file => file < next)
  for (const file of files) {
    await sql(database, await readFile(new URL(file, directory), 'utf8'))
    const name = file.replace('.sql', '')
    await sql(database, `insert into kysely_migration values ('${name}', now()::text)`)
  }
  return database
}

/** What every table holds, row by row. */
async function contentOf(database: string): Promise<string> {
  const [row] = await sql<{ content: string }>(
    database,
    `select string_agg(t.name || ' ' || query_to_xml('select * from ' || t.name || ' order by 1',
        true, false, '')::text, ',' order by t.name) as content
      from (select format('%I.%I', schemaname, tablename) as name from pg_tables
        where schemaname in ('shop', 'readmodel', 'eventstore', 'public')) t`,
  )
  return row?.content ?? ''
}

describe.each([
  {
    name: 'SECRET_KEY',
    value: otherSecret,
    says: 'SECRET_KEY is not the one',
    programs: [['src/main/worker.ts'], ['tools/projections.ts', 'status']],
  },
  {
    name: 'CURRENCY',
    value: 'EUR',
    says: 'set CURRENCY=GBP',
    programs: [['src/main/api.ts'], ['tools/createAdmin.ts', ...newAdmin]],
  },
])('a start with another $name', ({ name, value, says, programs }) => {
  it('ends with one line and exit code 1, and changes nothing', async () => {
    const database = await sellingShop()
    const before = await contentOf(database)
    const env = environment(database, { [name]: value })
    for (const [script = '', ...args] of programs) {
      const end = await runProgram([script, ...args], env)
      expect(end).toMatchObject({ code: 1, stdout: '' })
      expect(end.stderr).toContain(says)
      expect(end.stderr.trimEnd().split('\n')).toHaveLength(1)
    }
    expect(await contentOf(database)).toBe(before)
  }, 60_000)

  it('is found out from the data itself where nothing was remembered yet', async () => {
    const database = await sellingShop()
    await sql(database, 'delete from shop.identity')
    const before = await contentOf(database)
    await expect(open(database, { [name]: value })).rejects.toThrow(says)
    expect(await contentOf(database)).toBe(before)
    await open(database)
  })
})

describe('the secret of a database from before it was remembered', () => {
  it.each(['signing_keys', 'audit_keys', 'person_keys'])('is proved by %s alone', async table => {
    const database = await sellingShop()
    const others = ['signing_keys', 'audit_keys', 'person_keys'].filter(name => name !== table)
    await sql(database, `delete from shop.identity`)
    await sql(database, others.map(name => `delete from shop.${name};`).join(' '))
    const opening = open(database, { SECRET_KEY: otherSecret })
    await expect(opening).rejects.toThrow('SECRET_KEY is not the one')
  })
})

describe('first starts of several processes', () => {
  it('agree on what the first of them has said', async () => {
    const database = await newDatabase()
    const currencies = ['GBP', 'EUR', 'GBP', 'EUR', 'JPY', 'GBP']
    const ends = await Promise.allSettled(currencies.map(CURRENCY => open(database, { CURRENCY })))
    const [row] = await sql<{ currency: string }>(database, 'select currency from shop.identity')
    const opened = currencies.filter((_, index) => ends[index]?.status === 'fulfilled')
    expect(opened.length).toBeGreaterThan(0)
    expect(opened).toEqual(currencies.filter(each => each === row?.currency))
    const ids = ends.flatMap(end => (end.status === 'fulfilled' ? [end.value.shopId] : []))
    expect(new Set(ids).size).toBe(1)
  })
})

describe('a database', () => {
  it('of another application is refused, and stays as it is', async () => {
    const database = await newDatabase()
    const drops = ['shop', 'readmodel', 'eventstore'].map(name => `drop schema ${name} cascade;`)
    await sql(database, `${drops.join(' ')} drop table kysely_migration, kysely_migration_lock`)
    await sql(database, 'create table public.blog_posts (id integer); create schema shop')
    await expect(open(database)).rejects.toThrow(/another application.*public\.blog_posts/)
    const tables = await sql(database, "select * from pg_tables where schemaname !~ '^(pg_|inf)'")
    expect(tables).toHaveLength(1)
  })

  it('that another application keeps with the same tool is refused', async () => {
    const database = await newDatabase()
    await sql(database, "update kysely_migration set name = 'other_' || name")
    await expect(open(database)).rejects.toThrow('another application')
  })

  it('of a newer release is refused', async () => {
    const database = await newDatabase()
    await sql(database, "insert into kysely_migration values ('9999_later', now()::text)")
    await expect(open(database)).rejects.toThrow(/newer release \(9999_later\)/)
  })

  it('of an older release is upgraded, whatever text its orders hold', async () => {
    const database = await releasedDatabase('0023_repeats.sql')
    // A backslash and two letters is what the last one says; the others no function can read.
    const texts = ['a\\u0000b\\u0000', '\\\\\\u0000', '\\ud83dx', '\\\\udfff']
    for (const text of texts) {
      await sql(
        database,
        `insert into readmodel.orders values (gen_random_uuid(), 'A-1', gen_random_uuid(), 'paid',
          '[{"sku":"S","name":"${text}"}]', '[]', 1, 1, 0, 'GBP', null,
          '{"shippingAddress":"${text}"}', 'card', '[]', ${texts.indexOf(text)}, now(), now())`,
      )
    }
    const applied = await migrate(database)
    expect(applied.slice(0, 2)).toEqual(['0023_repeats', '0023_write_probes'])
    const orders = await sql<{ address: string; name: string }>(
      database,
      `select delivery ->> 'shippingAddress' as address, lines -> 0 ->> 'name' as name
        from readmodel.orders order by revision`,
    )
    const held = ['a\uFFFDb\uFFFD', '\\\uFFFD', '\uFFFDx', '\\udfff']
    expect(orders).toEqual(held.map(text => ({ address: text, name: text })))
  })

  it('gets a migration late that has come before others', async () => {
    const database = await newDatabase()
    await sql(database, "delete from kysely_migration where name = '0047_holdable_orders'")
    expect(await migrate(database)).toEqual(['0047_holdable_orders'])
    expect(await migrate(database)).toEqual([])
  })
})

describe('the event log', () => {
  it('is where it was', async () => {
    const stub = await eventStoreDbStub()
    try {
      const inPostgres = await sellingShop()
      const settings = { EVENTSTORE_URL: stub.url }
      await expect(open(inPostgres, settings)).rejects.toThrow('is in PostgreSQL')
      await sql(inPostgres, 'delete from shop.identity')
      await expect(open(inPostgres, settings)).rejects.toThrow('is in PostgreSQL')
      const inEventStoreDb = await sellingShop(settings)
      await expect(open(inEventStoreDb)).rejects.toThrow('EVENTSTORE_URL is missing')
      await open(inEventStoreDb, settings)
    } finally {
      await stub.close()
    }
  })

  it('is the same one, by its first event', async () => {
    const [one, other] = await Promise.all([eventStoreDbStub(), eventStoreDbStub()])
    try {
      const database = await sellingShop({ EVENTSTORE_URL: one.url })
      await open(database, { EVENTSTORE_URL: one.url })
      const wrong = 'not the one of this shop'
      // Empty, and then with the events of another shop.
      await expect(open(database, { EVENTSTORE_URL: other.url })).rejects.toThrow(wrong)
      await sellingShop({ EVENTSTORE_URL: other.url })
      await expect(open(database, { EVENTSTORE_URL: other.url })).rejects.toThrow(wrong)
      await open(database, { EVENTSTORE_URL: one.url })
    } finally {
      await Promise.all([one.close(), other.close()])
    }
  })
})

describe('the prefix of streams', () => {
  it('is the one of before, and lets two shops have one server', async () => {
    const stub = await eventStoreDbStub()
    const under = (prefix?: string) => ({
      EVENTSTORE_URL: stub.url,
      ...(prefix === undefined ? {} : { EVENTSTORE_STREAM_PREFIX: prefix }),
    })
    try {
      // Others have been there before: the shop is a new one nevertheless.
      expect(stub.log.records.map(({ type }) => type)).toContain('ProductCreated')
      const first = await openServices(loadConfig(environment(await newDatabase(), under('zero.'))))
      expect([await seedCatalogue(first), await seedCatalogue(first)]).toEqual([30, 0])
      await first.close()
      const [plain, one, two] = await Promise.all([
        sellingShop(under()),
        sellingShop(under('one.')),
        sellingShop(under('two.')),
      ])
      for (const [database, own] of [[plain], [one, 'one.'], [two, 'two.']]) {
        await open(String(database), under(own))
      }
      const wrong = (prefix: string) => `EVENTSTORE_STREAM_PREFIX is ${prefix}, but`
      await expect(open(one, under('two.'))).rejects.toThrow(wrong('two.'))
      await expect(open(one, under())).rejects.toThrow('set EVENTSTORE_STREAM_PREFIX=one.')
      await expect(open(plain, under('one.'))).rejects.toThrow('unset it')
      // Of before prefixes were remembered: its events say which one it is.
      await sql(one, 'update shop.identity set stream_prefix = null')
      await expect(open(one, under('two.'))).rejects.toThrow('not the one of this shop')
      await open(one, under('one.'))
      await expect(open(one, under('two.'))).rejects.toThrow(wrong('two.'))
    } finally {
      await stub.close()
    }
  })

  it('is missing where a new shop would write into the log of another', async () => {
    const stub = await eventStoreDbStub({ isAlone: true })
    const server = { EVENTSTORE_URL: stub.url }
    try {
      const database = await sellingShop(server)
      const [before, own] = [stub.log.records.length, await newDatabase()]
      for (const SECRET_KEY of [otherSecret, secret]) {
        const another = await newDatabase()
        const refused = open(another, { ...server, SECRET_KEY })
        await expect(refused).rejects.toThrow('give a new shop an EVENTSTORE_STREAM_PREFIX')
      }
      // Nobody takes it by a look at it.
      const looking = await openServices(loadConfig(environment(own, server)), undefined, 'adopt')
      await looking.close()
      for (const _ of ['first', 'second']) {
        await expect(open(own, server)).rejects.toThrow('the DATABASE_URL of that shop')
      }
      expect(stub.log.records).toHaveLength(before)
      // One that was begun and ended before it knew its first event is that of its database.
      await sql(database, 'update shop.identity set first_event_id = null')
      await sql(database, 'delete from shop.seen_log')
      await open(database, server)
      await open(own, { ...server, EVENTSTORE_STREAM_PREFIX: 'one.' })
    } finally {
      await stub.close()
    }
  })

  it('is nothing that a log in PostgreSQL has', async () => {
    const database = await sellingShop()
    const set = { EVENTSTORE_STREAM_PREFIX: 'one.' }
    await expect(open(database, set)).rejects.toThrow('set without EVENTSTORE_URL')
    await open(database)
  })
})

describe('what else a start needs', () => {
  const parts = { api: true, workers: false }

  it('is a Redis that no other shop uses', async () => {
    const [one, other] = [await newDatabase(), await newDatabase()]
    const app = await startApp(loadConfig(environment(one)), parts)
    const second = startApp(loadConfig(environment(other)), parts)
    await expect(second).rejects.toThrow('REDIS_URL names a Redis that another shop uses')
    await app.close()
    await (await startApp(loadConfig(environment(one)), parts)).close()
  })

  it('is a directory for files that can be written to', async () => {
    const file = join(directory, 'a-file')
    await writeFile(file, '')
    const settings = { FILES_DIR: join(file, 'images') }
    const database = await newDatabase()
    await mkdir(join(directory, 'redis'), { recursive: true })
    const starting = startApp(loadConfig(environment(database, settings)), parts)
    await expect(starting).rejects.toThrow(/FILES_DIR: files cannot be written to .*a-file/)
  })

  it.each(['shop.example.com', 'https://a@b.example', 'https://b.example/?x=1', 'https://b/#y'])(
    'is an address without more than a path, which %s is not',
    PUBLIC_URL =>
      expect(() => loadConfig(environment('postgres://h/d', { PUBLIC_URL }))).toThrow('PUBLIC_URL'),
  )
})
