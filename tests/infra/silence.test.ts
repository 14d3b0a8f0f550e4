// Sessions of PostgreSQL whose connection goes silent: dropped, and nobody waits for ever.
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Pool,
  transaction,
} from '../../src/infra/postgres/database.ts'
import { isTransient } from '../../src/kit/transient.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import { type CuttableProxy, cuttableProxy } from '../support/cuttableProxy.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { waitFor } from '../support/waitFor.ts'

let database: TestDatabase
let direct: Pool

beforeAll(async () => {
  database = await testDatabase()
  direct = createPool(database.url)
})
afterAll(async () => {
  await direct?.end()
  await database?.drop()
})

interface Scene {
  proxy: CuttableProxy
  open(options?: Parameters<typeof createPool>[1]): Pool
}

/** Runs a test behind a proxy of its own. */
function behindProxy(test: (scene: Scene) => Promise<void>) {
  return async () => {
    const pools: Pool[] = []
    const url = new URL(database.url)
    const proxy = await cuttableProxy(url.hostname, Number(url.port))
    url.host = `127.0.0.1:${proxy.port}`
    try {
      await test({
        proxy,
        open(options = {}) {
          // What owes an answer for one and a half seconds longer than that is dropped.
          const pool = createPool(url.href, { statementTimeoutMs: 1_000, ...options })
          pools.push(pool)
          return pool
        },
      })
    } finally {
      proxy.hang(false)
      for (const pool of pools) await pool.end()
      await proxy.close()
    }
  }
}

const one = async (pool: Pool) => (await pool.query('select 1 as one')).rows[0]?.one

/** What was asked on a silent connection fails as unknown, and the pool works again. */
async function expectDropped(pool: Pool, asked: Promise<unknown>): Promise<void> {
  const error = await asked.then(
    () => undefined,
    cause => cause,
  )
  expect(error).toBeInstanceOf(Unavailable)
  expect(isTransient(error)).toBe(true)
  expect(await one(pool)).toBe(1)
}

describe.concurrent.each([{ pipeline: false }, { pipeline: true }])(
  'on a silent connection (%o)',
  options => {
    it(
      'a statement fails, and those behind it with it',
      behindProxy(async ({ proxy, open }) => {
        const pool = open(options)
        const session = await pool.connect()
        proxy.silence('to the client')
        const asked = ['select 1', 'select 2'].map(text => session.query(text))
        const ends = await Promise.allSettled(asked)
        expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
        await expectDropped(pool, session.query('select 3'))
        session.release()
      }),
    )

    it.each(['begin', 'work', 'commit'])('a transaction fails at its %s', step =>
      behindProxy(async ({ proxy, open }) => {
        const pool = open(options)
        await one(pool)
        const silenceAt = (now: string) => now === step && proxy.silence()
        silenceAt('begin')
        const done = transaction(pool, async session => {
          silenceAt('work')
          await session.query('select 1')
          silenceAt('commit')
        })
        await expectDropped(pool, done)
      })(),
    )

    it(
      'a transaction of the query builder fails, and so does COPY',
      behindProxy(async ({ proxy, open }) => {
        const pool = open(options)
        const done = createDatabase(pool)
          .transaction()
          .execute(async trx => {
            await sql`create temp table copied (text text)`.execute(trx)
            proxy.silence()
            const copy = sql`copy copied (text) from stdin`.compile(trx)
            await trx.executeQuery(Object.assign({ copyIn: 'one\ntwo\n' }, copy))
          })
        await expectDropped(pool, done)
      }),
    )
  },
)

describe.concurrent('when one connection is silent', () => {
  it(
    'the idle ones of every pool to that server are dropped with it',
    behindProxy(async ({ proxy, open }) => {
      const [first, second] = [open(), open()]
      await Promise.all([one(first), one(first), one(first), one(second)])
      proxy.silence()
      await expectDropped(first, one(first))
      const before = proxy.opened()
      expect(await one(second)).toBe(1)
      expect(proxy.opened()).toBe(before + 1)
    }),
  )

  it(
    'one that works on a long statement is left alone',
    behindProxy(async ({ open }) => {
      const session = await open({ statementTimeoutMs: 0 }).connect()
      const { rows } = await session.query('select pg_backend_pid() as pid')
      await session.query('select pg_sleep(8)')
      expect((await session.query('select pg_backend_pid() as pid')).rows).toEqual(rows)
      session.release()
    }),
  )
})

it.concurrent(
  'a statement that may take as long as it likes fails when the server does not work on it',
  behindProxy(async ({ proxy, open }) => {
    const pool = open()
    const asked = transaction(pool, async session => {
      await session.query('set local statement_timeout = 0')
      const sleeping = session.query('select pg_sleep(3)')
      proxy.silence()
      await sleeping
    })
    await expectDropped(pool, asked)
  }),
)

it.concurrent(
  'a session that is held is kept alive; when it is lost, its holder and the server know',
  behindProxy(async ({ proxy, open }) => {
    const session = await open().connect()
    await session.query('select pg_advisory_lock(4711)')
    let isLost = false
    void session.lost.then(() => {
      isLost = true
    })
    proxy.silence()
    await waitFor('the loss', () => isLost)
    // The server was not told: it ends the session, and with it the lock, by itself.
    const take = async () =>
      (await direct.query('select pg_try_advisory_lock(4711) as taken')).rows[0]?.taken
    await waitFor('the lock', take, 25_000)
    session.release()
  }),
)

it.concurrent(
  'a pool ends although its connections are silent',
  behindProxy(async ({ proxy, open }) => {
    const pool = open()
    await Promise.all([one(pool), one(pool)])
    proxy.silence()
  }),
)

it.concurrent(
  'a server that accepts and does not answer is unavailable',
  behindProxy(async ({ proxy, open }) => {
    proxy.hang(true)
    await expect(one(open())).rejects.toBeInstanceOf(Unavailable)
  }),
)
