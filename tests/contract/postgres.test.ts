// The PostgreSQL event store keeps the contract, and what it promises beyond it.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import type { Position } from '../../src/kit/position.ts'
import { type EventStore, Unavailable } from '../../src/ports/eventStore.ts'
import { cuttableProxy } from '../support/cuttableProxy.ts'
import { testDatabase } from '../support/database.ts'
import { moved } from '../support/positions.ts'
import { eventStoreContract } from './eventStoreContract.ts'
import { anEvent, type HeldAppend, newStream, type Subject } from './eventStoreSubject.ts'

async function setup(): Promise<Subject> {
  const database = await testDatabase()
  const admin = createPool(database.url, { size: 3, applicationName: 'contract' })
  const opened: { pool: Pool; store: EventStore }[] = []
  const open = () => {
    const pool = createPool(database.url)
    const store = postgresEventStore(pool)
    opened.push({ pool, store })
    return store
  }
  const store = open()
  return {
    store,
    second: async () => open(),
    async cutConnections() {
      await admin.query(`
        select pg_terminate_backend(pid)
        from pg_stat_activity
        where datname = current_database() and application_name <> 'contract'
      `)
    },
    holdAppend: stream => holdAppend(admin, stream),
    lose: (stream, revisions) => lose(admin, stream, revisions),
    async close() {
      for (const { pool, store: each } of opened) {
        await each.close()
        await pool.end()
      }
      await admin.end()
      await database.drop()
    },
  }
}

/** As a superuser can, past the triggers of the table. */
async function lose(pool: Pool, stream: string, revisions: readonly number[]): Promise<void> {
  const session = await pool.connect()
  await session.query("set session_replication_role = 'replica'")
  const text = 'delete from eventstore.events where stream = $1 and revision = any($2::bigint[])'
  await session.query(text, [stream, [...revisions]])
  await session.query('reset session_replication_role')
  session.release()
}

async function holdAppend(pool: Pool, stream: string): Promise<HeldAppend> {
  const session = await pool.connect()
  await session.query('begin')
  await session.query('select * from eventstore.append($1, $2)', [
    JSON.stringify([{ n: 0, stream, expected: -1, size: 1 }]),
    JSON.stringify([{ n: 0, i: 0, ...anEvent() }]),
  ])
  const end = async (how: 'commit' | 'rollback') => {
    await session.query(how)
    session.release()
  }
  return { release: () => end('commit'), rollback: () => end('rollback') }
}

eventStoreContract('PostgreSQL', setup)

describe('the log in PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>
  let pool: Pool
  let store: ReturnType<typeof postgresEventStore>

  beforeAll(async () => {
    database = await testDatabase()
    pool = createPool(database.url)
    store = postgresEventStore(pool)
  })
  afterAll(async () => {
    await store.close()
    await pool.end()
    await database.drop()
  })

  it.each([
    'update eventstore.events set type = $1',
    'delete from eventstore.events where type = $1',
  ])('refuses: %s', async statement => {
    await store.append(newStream(), 'no-stream', [anEvent()])
    await expect(pool.query(statement, ['Other'])).rejects.toThrow('never changed or deleted')
  })

  it('refuses truncate', async () => {
    await expect(pool.query('truncate eventstore.events')).rejects.toThrow('never changed')
  })

  it('numbers its positions without a gap, whoever was refused in between', async () => {
    const before = await store.head()
    const taken = newStream()
    await store.append(taken, 'no-stream', [anEvent()])
    await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        store.append(n % 3 === 0 ? taken : newStream(), 'no-stream', [anEvent()]),
      ),
    )
    const { rows } = await pool.query<{ position: Position }>(
      'select position from eventstore.events where position > $1 order by position',
      [before],
    )
    expect(rows.map(row => row.position)).toEqual(rows.map((_, n) => moved(before, 1 + n)))
    expect(rows).toHaveLength(1 + 200 - 67)
  })

  it('lets the neighbours of an event id that another stream has used live', async () => {
    const used = anEvent()
    await store.append(newStream(), 'no-stream', [used])
    const outcomes = await Promise.allSettled([
      store.append(newStream(), 'no-stream', [anEvent()]),
      store.append(newStream(), 'no-stream', [used]),
      store.append(newStream(), 'no-stream', [anEvent()]),
    ])
    expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('keeps the text of an event byte for byte', async () => {
    const stream = newStream()
    const data = { z: 1, a: [1.5, '\u0000é'], z2: { b: null } }
    await store.append(stream, 'no-stream', [{ ...anEvent(), id: randomUUID(), data }])
    const { rows } = await pool.query<{ data: string }>(
      'select data::text as data from eventstore.events where stream = $1',
      [stream],
    )
    expect(rows[0]?.data).toBe(JSON.stringify(data))
  })

  it('has sessions that the server ends by itself, and statements with a deadline', async () => {
    const { rows } = await pool.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name = any($1) order by name`,
      [['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']],
    )
    expect(rows).toEqual([
      { name: 'idle_in_transaction_session_timeout', setting: '6000' },
      { name: 'lock_timeout', setting: '2000' },
      { name: 'statement_timeout', setting: '5000' },
    ])
    const idle = await pool.query(`show idle_session_timeout`)
    expect(idle.rows).toEqual([{ idle_session_timeout: '12s' }])
  })

  it('waits for no connection that is silent, open or about to be, and opens another', async () => {
    const url = new URL(database.url)
    const proxy = await cuttableProxy(url.hostname, Number(url.port))
    url.host = `127.0.0.1:${proxy.port}`
    const open = createPool(url.href, { statementTimeoutMs: 500 })
    const another = createPool(url.href)
    await open.query('select 1')
    proxy.silence()
    proxy.hang(true)
    const asked = [open.query('select 2'), another.query('select 3')]
    for (const each of asked) await expect(each).rejects.toBeInstanceOf(Unavailable)
    proxy.hang(false)
    for (const each of [open, another]) {
      expect((await each.query('select 4 as four')).rows).toEqual([{ four: 4 }])
      await each.end()
    }
    await proxy.close()
  })
})
