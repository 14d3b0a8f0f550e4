// The queue of mails: who may send which of them, in which order, and what becomes of them.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import {
  type Addressed,
  createMailQueue,
  type MailKey,
  type MailState,
} from '../../src/workers/reactions/mail/queue.ts'
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
beforeEach(() => pool.query('delete from shop.mails'))

/** Mails about an order each, in the order in which they came. */
async function queued(count: number, state: MailState = 'due'): Promise<Addressed[]> {
  const keys = Array.from({ length: count }, () => {
    return { event_id: randomUUID(), template: 'order-paid', order_id: randomUUID() } as const
  })
  for (const key of keys) {
    await db
      .insertInto('shop.mails')
      .values({ ...key, state })
      .execute()
  }
  return keys.map(key => ({ key, recipient: null }))
}

async function rowOf({ key: { event_id } }: Addressed) {
  const query = db.selectFrom('shop.mails').selectAll().where('event_id', '=', event_id)
  return query.executeTakeFirstOrThrow()
}

const idsOf = (mails: readonly (Addressed | { key: MailKey })[]) =>
  mails.map(({ key }) => key.event_id)

const runOut = () => pool.query('update shop.mails set claimed_until = now()')

describe('claiming mails', () => {
  it('gives each to one of those who ask at the same time', async () => {
    const mails = await queued(40)
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, runner) =>
        // In different orders: two that wait for each other would wait for ever.
        createMailQueue(db).claim(runner % 2 === 0 ? mails : mails.toReversed()),
      ),
    )
    const given = idsOf(claims.flat())
    expect(given).toHaveLength(40)
    expect(new Set(given).size).toBe(40)
  })

  it('keeps the order in which they were asked for', async () => {
    const mails = (await queued(5)).toReversed()
    expect(idsOf(await createMailQueue(db).claim(mails))).toEqual(idsOf(mails))
  })

  it('gives them to another when the first has shown no sign of life', async () => {
    const [first, second] = [createMailQueue(db), createMailQueue(db)]
    const mails = await queued(1)
    await first.claim(mails)
    expect(await second.claim(mails)).toEqual([])
    await runOut()
    await first.renew(mails.map(({ key }) => key))
    expect(await second.claim(mails)).toEqual([])
    await runOut()
    expect(await second.claim(mails)).toHaveLength(1)
    await first.renew(mails.map(({ key }) => key))
    await runOut()
    expect(await first.claim(mails)).toHaveLength(1)
  })

  it.each(['undeliverable', 'sent', 'dropped'] as const)('gives none that is %s', async state => {
    const mails = await queued(2, state)
    const queue = createMailQueue(db)
    expect(await queue.due(false, 10)).toEqual([])
    expect(await queue.claim(mails)).toEqual([])
  })

  it('tells what the recipient was sent, and is being sent by others', async () => {
    const mails = (await queued(4)).map(mail => ({ ...mail, recipient: 'somebody' }))
    const [first, second] = [createMailQueue(db), createMailQueue(db)]
    await first.claim(mails.slice(0, 2))
    await first.record([{ key: mails[0]?.key ?? never(), state: 'sent', why: null }])
    await pool.query(
      `insert into shop.mails (event_id, template, order_id, state, sent_at, recipient)
      values ($1, 'order-paid', $1, 'sent', now() - interval '2 hours', 'somebody'),
        ($2, 'order-paid', $2, 'sent', now() - interval '25 hours', 'somebody'),
        ($3, 'order-paid', $3, 'sent', now(), 'somebody else')`,
      [randomUUID(), randomUUID(), randomUUID()],
    )
    const [claimed] = await second.claim(mails.slice(2, 3))
    expect(claimed).toMatchObject({ sentInHour: 2, sentInDay: 3 })
  })
})

describe('claims that ran out while the database was away', () => {
  it('are left to those who have them, who could not record what they have sent', async () => {
    const mails = await queued(1)
    await createMailQueue(db).claim(mails)
    await pool.query(
      `update shop.mails set claimed_until = pg_postmaster_start_time() - interval '1 second'`,
    )
    const { rows } = await pool.query<{ recent: boolean }>(
      `select pg_postmaster_start_time() > now() - interval '10 seconds' as recent`,
    )
    const free = await createMailQueue(db).due(false, 1)
    expect(free).toHaveLength(rows[0]?.recent ? 0 : 1)
  })
})

describe('which mails are due', () => {
  it('is the oldest first, and one retry for nine that are new', async () => {
    const retries = await queued(3, 'retrying')
    const fresh = await queued(20)
    const due = await createMailQueue(db).due(false, 12)
    const names = new Map([
      ...idsOf(fresh).map((id, index): [string, string] => [id, `new ${index}`]),
      ...idsOf(retries).map((id, index): [string, string] => [id, `retry ${index}`]),
    ])
    expect(due.map(({ event_id }) => names.get(event_id))).toEqual([
      ...['new 0', 'new 1', 'new 2', 'new 3', 'new 4', 'new 5', 'new 6', 'new 7'],
      ...['retry 0', 'new 8', 'new 9', 'new 10'],
    ])
  })

  it('is none that waits for its time, and none of the other lane', async () => {
    const [now, later] = await queued(2)
    const queue = createMailQueue(db)
    await queue.claim([later ?? never()])
    await queue.record([{ key: later?.key ?? never(), waitSeconds: 60, why: 'SMTP 450' }])
    expect(idsOf((await queue.due(false, 10)).map(key => ({ key })))).toEqual([now?.key.event_id])
    expect(await queue.due(true, 10)).toEqual([])
    expect(await queue.claim([later ?? never()])).toEqual([])
  })
})

describe('what has become of mails', () => {
  it('is that one is sent, for good, whoever says otherwise later', async () => {
    const [first, second] = [createMailQueue(db), createMailQueue(db)]
    const [mail = never()] = await queued(1)
    await first.claim([mail])
    await runOut()
    await second.claim([mail])
    await first.record([{ key: mail.key, state: 'sent', why: null }])
    await second.record([{ key: mail.key, state: 'retrying', failed: true, why: 'ECONNRESET' }])
    expect(await rowOf(mail)).toMatchObject({ state: 'sent', attempts: 1, last_error: null })
    await second.record([{ key: mail.key, state: 'sent', why: null }])
    const { sent_at: sentAt, attempts } = await rowOf(mail)
    expect(sentAt).toBeInstanceOf(Date)
    expect(attempts).toBe(1)
  })

  it('is nothing where somebody else has the claim and the mail was not sent', async () => {
    const [first, second] = [createMailQueue(db), createMailQueue(db)]
    const [mail = never()] = await queued(1)
    await first.claim([mail])
    await runOut()
    await second.claim([mail])
    await first.record([{ key: mail.key, state: 'retrying', failed: true, why: 'CLAIM_EXPIRED' }])
    expect(await rowOf(mail)).toMatchObject({ state: 'due', attempts: 0, last_error: null })
    expect((await rowOf(mail)).claimed_by).not.toBeNull()
  })

  it('is that one failed, since when, and when it is tried again', async () => {
    const queue = createMailQueue(db)
    const [mail = never()] = await queued(1)
    await queue.claim([mail])
    await queue.record([
      { key: mail.key, state: 'retrying', waitSeconds: 90, failed: true, why: 'SMTP 450 4.2.0' },
    ])
    const row = await rowOf(mail)
    expect(row).toMatchObject({ state: 'retrying', attempts: 1, last_error: 'SMTP 450 4.2.0' })
    expect(row.due_at.getTime() - (row.failed_since?.getTime() ?? 0)).toBe(90_000)
    expect(row).toMatchObject({ claimed_by: null, claimed_until: null, recipient: null })
  })
})

function never(): never {
  throw new Error('there is no such mail')
}
