// Mails of the outbox as jobs take them: each belongs to one of them at a time.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createPool, type Database, type Pool } from '../../src/infra/database.ts'
import { createOutboxRows, type MailKey } from '../../src/workers/mails/outboxRows.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

let database: TestDatabase
let pool: Pool
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url)
  db = createDatabase(pool)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

/** Mails that wait, about an order each. */
async function waiting(count: number): Promise<MailKey[]> {
  const keys = Array.from({ length: count }, (): MailKey => {
    return { event_id: randomUUID(), template: 'order-paid', order_id: randomUUID() }
  })
  for (const key of keys) await db.insertInto('shop.mails').values(key).execute()
  return keys
}

async function rowOf({ event_id }: MailKey) {
  const query = db.selectFrom('shop.mails').selectAll().where('event_id', '=', event_id)
  return query.executeTakeFirstOrThrow()
}

describe('claiming mails', () => {
  it('gives each to one of those who ask at the same time', async () => {
    const keys = await waiting(40)
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, runner) =>
        // In an order of its own: whoever waits for others here would wait for ever.
        createOutboxRows(db).claim(runner % 2 === 0 ? keys : keys.toReversed()),
      ),
    )
    const given = claims.flat().map(({ key }) => key.event_id)
    expect(given).toHaveLength(40)
    expect(new Set(given).size).toBe(40)
    expect((await rowOf(keys[0] ?? never())).attempts).toBe(1)
  })

  it('keeps the order in which they were asked for', async () => {
    const keys = (await waiting(5)).toReversed()
    const claimed = await createOutboxRows(db).claim(keys)
    expect(claimed.map(({ key }) => key)).toEqual(keys)
  })

  it('gives them to another when whoever had them has died', async () => {
    const outbox = createOutboxRows(db)
    const keys = await waiting(1)
    await outbox.claim(keys)
    expect(await outbox.claim(keys)).toEqual([])
    await pool.query(`update shop.mails set claimed_until = now() where event_id = $1`, [
      keys[0]?.event_id,
    ])
    expect(await outbox.claim(keys)).toHaveLength(1)
  })
})

describe('what has become of mails', () => {
  it('is that one is done and nobody can have it any more', async () => {
    const outbox = createOutboxRows(db)
    const [key = never()] = await waiting(1)
    await outbox.claim([key])
    await outbox.settle([{ key, isDone: true, why: 'no address' }])
    expect(await rowOf(key)).toMatchObject({ last_error: 'no address', claimed_until: null })
    expect((await rowOf(key)).sent_at).toBeInstanceOf(Date)
    expect(await outbox.claim([key])).toEqual([])
    expect(await outbox.areWaiting([key])).toBe(false)
  })

  it('is that another has failed, and anybody may try it again at once', async () => {
    const outbox = createOutboxRows(db)
    const [key = never()] = await waiting(1)
    await outbox.claim([key])
    await outbox.settle([{ key, isDone: false, why: 'ECONNREFUSED' }])
    expect(await rowOf(key)).toMatchObject({ last_error: 'ECONNREFUSED', sent_at: null })
    expect(await outbox.areWaiting([key])).toBe(true)
    expect(await outbox.claim([key])).toHaveLength(1)
    expect((await rowOf(key)).attempts).toBe(2)
  })
})

function never(): never {
  throw new Error('there is no such mail')
}
