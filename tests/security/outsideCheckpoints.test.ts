// Somebody rewrites the log together with what the shop keeps about it: checkpoints that were
// kept elsewhere, and the verifier that runs without a shop, find it (RELIABILITY.md §7.4).
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { extendChain } from '../../src/workers/auditChain.ts'
import { type Export, takeExport, verifyExport } from '../support/exports.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { type Person, startTestShop, type TestShop } from '../support/testShop.ts'

let shop: TestShop
let auditor: Person
let directory = ''
let before: Export
/** Where the last checkpoint is, the one before it, and an event between them. */
const at = { last: 0n, previous: 0n, between: 0n }

beforeAll(async () => {
  shop = await startTestShop({ workers: false })
  auditor = await shop.person('auditor')
  const customer = await shop.person()
  const { id } = await newProduct(shop, { stock: 100 })
  await newOrder(customer, id)
  await extendChain(shop.back)
  at.previous = await shop.back.eventStore.head()
  await newOrder(customer, id)
  await newOrder(customer, id)
  await extendChain(shop.back)
  at.last = await shop.back.eventStore.head()
  at.between = at.last - 1n
  before = await takeExport(shop.url, auditor.access)
  directory = await temporaryDirectory()
  await writeFile(join(directory, 'outside.ndjson'), before.checkpoints)
  await shop.back.pool.query(`
    create schema saved;
    create table saved.events as select * from eventstore.events;
    create table saved.checkpoints as select * from shop.audit_checkpoints;
  `)
}, 90_000)
afterAll(async () => {
  await shop?.close()
  await rm(directory, { recursive: true, force: true })
})

const outside = () => ['--outside', join(directory, 'outside.ndjson')]

/** What a superuser of the database changes, for as long as `look` takes. */
async function tampered<T>(statements: readonly string[], look: () => Promise<T>): Promise<T> {
  const session = await shop.back.pool.connect()
  try {
    await session.query('set session_replication_role = replica')
    for (const statement of statements) await session.query(statement)
    return await look()
  } finally {
    await session.query(`
      delete from eventstore.events;
      insert into eventstore.events select * from saved.events;
      delete from shop.audit_checkpoints;
      insert into shop.audit_checkpoints select * from saved.checkpoints;
    `)
    session.release(true)
  }
}

const newestGone = () => `delete from shop.audit_checkpoints where position = ${at.last}`
const edit = () => `update eventstore.events
  set recorded_at = recorded_at - interval '1 hour' where position = ${at.between}`

describe('with checkpoints that were kept elsewhere', () => {
  it('an export of a log that nobody has touched is in order', async () => {
    const { code, output } = await verifyExport(before, outside())
    expect(output).toMatch(/^OK: \d+ events up to position \d+ are as signed/)
    expect(code).toBe(0)
  })

  it.each<[string, () => string[], { alone: number; offline: RegExp; http: string }]>([
    [
      'an event that was changed',
      () => [edit()],
      { alone: 1, offline: /changed/, http: 'changed' },
    ],
    [
      'an event that was deleted',
      () => [`delete from eventstore.events where position = ${at.between}`],
      { alone: 1, offline: /missing/, http: 'missing' },
    ],
    [
      'an event that was changed, with the checkpoint that says so',
      () => [edit(), newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
    [
      'the end of the log, cut off with its checkpoint',
      () => [`delete from eventstore.events where position > ${at.previous}`, newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
    [
      'the checkpoint alone',
      () => [newestGone()],
      { alone: 0, offline: /went-back/, http: 'went-back' },
    ],
  ])('is found: %s', async (_, statements, expected) => {
    await tampered(statements(), async () => {
      const after = await takeExport(shop.url, auditor.access)
      // What the shop itself says cannot tell it where its checkpoints have gone, too.
      expect((await verifyExport(after)).code).toBe(expected.alone)
      const { code, output } = await verifyExport(after, outside())
      expect(output).toMatch(expected.offline)
      expect(code).toBe(1)
      const { body } = await auditor.client.get('/audit/verify')
      expect(body).toMatchObject({ ok: false })
      expect(JSON.stringify(body)).toContain(expected.http)
    })
  })

  it('is found: a checkpoint elsewhere that somebody else has signed', async () => {
    const [line = ''] = before.checkpoints.trim().split('\n')
    const { position, signed } = JSON.parse(line)
    const file = join(directory, 'forged.ndjson')
    await writeFile(file, JSON.stringify({ position, signed: `${signed.slice(0, -8)}AAAAAAAA` }))
    const { code, output } = await verifyExport(before, ['--outside', file])
    expect(output).toMatch(/forged-checkpoint/)
    expect(code).toBe(1)
  })
})
