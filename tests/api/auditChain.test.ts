// Somebody with all rights on the database changes the log: the chain names where, online and off.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCheckpointSigner } from '../../src/infra/audit/auditKeys.ts'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import { extendChain } from '../../src/workers/jobs/auditChain.ts'
import { openLodge } from '../support/accounts.ts'
import type { Body } from '../support/apiClient.ts'
import { type Export, takeExport, verifyExport } from '../support/exports.ts'
import { atOnce, newOrder, newProduct } from '../support/goods.ts'
import { project } from '../support/ledger.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let auditor: Person
/** An event that neither begins nor ends a part of the chain. */
let target = 0n

beforeAll(async () => {
  // Without workers nothing signs the log but the tests.
  app = await startTestApp({ workers: false })
  auditor = await app.person('auditor')
  const { id } = await newProduct(app, { stock: 100 })
  const person = await app.person()
  const order = await newOrder(person, id)
  await extendChain(app.back)
  await atOnce(5, () => newOrder(person, id))
  await extendChain(app.back)
  await newOrder(person, id)
  await extendChain(app.back)
  target = BigInt(order.body.position) - 2n
}, 60_000)
afterAll(() => app?.close())

const verify = async (query = ''): Promise<Body> =>
  (await auditor.client.get(`/audit/verify${query}`)).body

const exported = (query = ''): Promise<Export> => takeExport(app.url, auditor.access, query)

/** Runs statements as a superuser for whom the trigger is no obstacle. */
async function tamper(...statements: readonly string[]): Promise<void> {
  const session = await app.back.pool.connect()
  try {
    await session.query('alter table eventstore.events disable trigger events_are_facts')
    for (const statement of statements) await session.query(statement)
    await session.query('alter table eventstore.events enable trigger events_are_facts')
  } finally {
    session.release()
  }
}

describe('a log that nobody has touched', () => {
  it('agrees with what was signed, as a whole and in part', async () => {
    const head = String(await app.back.eventStore.head())
    const whole = await verify()
    expect(whole).toMatchObject({ ok: true, firstBad: null, checkpoints: 3, upTo: head, head })
    expect(whole).toMatchObject({ after: '0', signedUpTo: head, next: null, events: Number(head) })
    const last = await verify(`?from=${head}`)
    expect(last).toMatchObject({ ok: true, checkpoints: 1, upTo: head })
    const first = await verify('?to=1')
    expect(first).toMatchObject({ ok: true, checkpoints: 1, after: '0' })
    const afterwards = await auditor.client.get(`/audit/checkpoints?after=${head}`)
    expect(afterwards.body.data).toEqual([])
  })

  it('is verified as a stream, checkpoint by checkpoint', async () => {
    const accept = { headers: { accept: 'application/x-ndjson' } }
    const { body } = await auditor.client.get('/audit/verify', accept)
    const lines = String(body).trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toMatchObject([
      { ok: true, checkpoints: 1 },
      { ok: true, checkpoints: 2 },
      { ok: true, checkpoints: 3 },
      { done: true, ok: true, firstBad: null },
    ])
  })

  it('is verified elsewhere, from files alone', async () => {
    const { code, output } = await verifyExport(await exported())
    expect(output).toMatch(/^OK: \d+ events up to position \d+ are as signed\.\n$/)
    expect(code).toBe(0)
  })

  it('is verified elsewhere in part, from a checkpoint on', async () => {
    const { data } = (await auditor.client.get('/audit/checkpoints')).body
    const after = String(data[0]?.position)
    const part = await exported(`?after=${after}`)
    const { code, output } = await verifyExport(part, ['--after', after])
    expect(output).toContain(`behind position ${after} and up to position `)
    expect(code).toBe(0)
    // Who does not say so is told that its beginning is missing.
    const cut = await verifyExport(part)
    expect(cut.output).toContain(`missing at position 1: ${data[0]?.count} events are missing`)
    expect(cut.code).toBe(1)
  })

  it('agrees after somebody has been erased: what was signed is what is sealed', async () => {
    const person = await app.person()
    await extendChain(app.back)
    const before = (await exported()).events
    // Whether orders are open is only known once the read models have them all.
    await project(app.back)
    await person.client.delete('/auth/profile', { password })
    await extendChain(app.back)
    expect(await verify()).toMatchObject({ ok: true })
    const after = await exported()
    expect(after.events.startsWith(before)).toBe(true)
    expect(after.events).not.toContain(person.email)
    expect((await verifyExport(after)).code).toBe(0)
  })

  it('has its end open until that is signed, too', async () => {
    await newProduct(app)
    const open = await verify()
    expect(open).toMatchObject({ ok: true, complete: false })
    expect(open.unsignedEvents).toBeGreaterThan(0)
    expect(Number(open.head)).toBeGreaterThan(Number(open.upTo))
    const { output } = await verifyExport(await exported())
    expect(output).toMatch(/\d events behind them are not signed yet/)
    await extendChain(app.back)
    expect((await verify()).upTo).toBe(open.head)
  })
})

describe('the keys', () => {
  it('are published, and hold nothing private', async () => {
    const { keys } = JSON.parse(
      JSON.stringify((await app.anyone.get('//.well-known/audit-jwks.json')).body),
    )
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0]).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    const { data } = (await auditor.client.get('/audit/checkpoints')).body
    const [header = ''] = String(data[0]?.signed).split('.')
    const named = JSON.parse(Buffer.from(header, 'base64url').toString())
    expect(named).toEqual({ alg: 'EdDSA', kid: keys[0].kid, typ: 'orderstream-checkpoint' })
  })
})

describe('a log that was tampered with', () => {
  beforeEach(async () => {
    await app.back.pool.query(`
      create table if not exists public.events_before as select * from eventstore.events;
      create table if not exists public.checkpoints_before as
        select * from shop.audit_checkpoints`)
    return async () => {
      await tamper(
        'delete from eventstore.events',
        'insert into eventstore.events select * from public.events_before',
        'delete from shop.audit_checkpoints',
        'insert into shop.audit_checkpoints select * from public.checkpoints_before',
      )
      expect(await verify()).toMatchObject({ ok: true })
    }
  })

  async function expectBad(position: string, problem: string, offline = position) {
    expect(await verify()).toMatchObject({ ok: false, firstBad: { position, problem } })
    const { code, output } = await verifyExport(await exported())
    expect(output).toContain(`at position ${offline}: `)
    expect(code).toBe(1)
  }

  it('by one byte of one event is told with the position of that event', async () => {
    const { rows } = await app.back.pool.query<{ position: Position; data: string }>(
      `select position, data::text as data from eventstore.events where type = 'OrderSubmitted'
       order by position limit 1`,
    )
    const [{ position, data } = { position: startOfLog, data: '' }] = rows
    const changed = data.replace(/"amount":4/, '"amount":3')
    expect(changed).not.toBe(data)
    await tamper(
      `update eventstore.events set data = '${changed}'::json where position = ${position}`,
    )
    await expectBad(String(position), 'changed')
  })

  it.each([
    ['metadata', `metadata = replace(metadata::text, '"v":1', '"v":2')::json`],
    ['type', `type = 'OrderDelivered'`],
    ['time', `recorded_at = recorded_at - interval '1 millisecond'`],
    ['id', 'event_id = gen_random_uuid()'],
  ])('in the %s of an event is told', async (_, change) => {
    await tamper(`update eventstore.events set ${change} where position = ${target}`)
    await expectBad(String(target), 'changed')
  })

  it('by an event that was deleted is told with its position', async () => {
    await tamper(`delete from eventstore.events where position = ${target}`)
    await expectBad(String(target), 'missing')
  })

  it('by events that were cut off its end is told with the first of them', async () => {
    const { head } = await verify()
    const first = BigInt(String(head)) - 1n
    await tamper(`delete from eventstore.events where position >= ${first}`)
    await expectBad(String(first), 'missing')
  })

  it('by two events that have changed places is told with the first of them', async () => {
    const other = target + 3n
    await tamper(
      `update eventstore.events set position = 999999 where position = ${target}`,
      `update eventstore.events set position = ${target} where position = ${other}`,
      `update eventstore.events set position = ${other} where position = 999999`,
    )
    await expectBad(String(target), 'changed')
  })

  it('and checkpoints that were signed anew with another key are told apart', async () => {
    const { audit, eventStore, app: domain } = app.back
    await tamper(
      `update eventstore.events set event_id = gen_random_uuid() where position = 2`,
      'delete from shop.audit_checkpoints',
    )
    const { pool, secrets, close } = await openLodge()
    try {
      const forger = { book: audit.book, signer: createCheckpointSigner(pool, secrets) }
      await extendChain({ audit: forger, eventStore, app: domain })
    } finally {
      await close()
    }
    const last = (await audit.book.last())?.position
    await expectBad(String(last), 'forged-checkpoint')
    const { data } = (await auditor.client.get('/audit/checkpoints')).body
    expect(data).toMatchObject([{ valid: false, hash: null }])
  })

  it('and a checkpoint that was taken away is missed', async () => {
    const { data } = (await auditor.client.get('/audit/checkpoints')).body
    await tamper(`delete from shop.audit_checkpoints where position = ${data[1]?.position}`)
    await expectBad(String(data[2]?.position), 'missing-checkpoint')
  })
})
