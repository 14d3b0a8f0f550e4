// Somebody may write to every table, is a superuser of the database, and does not know SECRET_KEY:
// what they change is found, whether the signer runs meanwhile or not (RELIABILITY.md §7.4).
import { createHash, randomUUID } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditServices } from '../../src/commands/auditPorts.ts'
import { createHighWaterMarks, filePlace, tablePlace } from '../../src/infra/auditMarks.ts'
import { bindHashes } from '../../src/infra/bindHashes.ts'
import { publicationBook } from '../../src/infra/checkpointPublishers.ts'
import { createSecrets } from '../../src/infra/secrets.ts'
import { checkProof } from '../../src/workers/audit/proofCheck.ts'
import { extendChain, LogTampered } from '../../src/workers/auditChain.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { reopenedProof } from '../support/proof.ts'
import { runAsSuperuser, saveTables } from '../support/tampering.ts'
import { type Person, password, startTestShop, type TestShop } from '../support/testShop.ts'

let shop: TestShop
let auditor: Person
let customer: Person
let productId = ''
/** An event in the middle of the signed log, and the revision that follows in the stock. */
let target = 0n
let head = 0n

const tables = [
  'eventstore.events',
  'shop.audit_checkpoints',
  'shop.audit_marks',
  'shop.audit_keys',
  'shop.audit_publications',
  'shop.snapshots',
  'shop.accounts',
  'shop.person_keys',
  'shop.signing_keys',
  'shop.webhook_endpoints',
  'shop.identity',
]

beforeAll(async () => {
  shop = await startTestShop({ workers: false })
  auditor = await shop.person('auditor')
  customer = await shop.person()
  productId = (await newProduct(shop, { stock: 100 })).id
  await newOrder(customer, productId)
  await extendChain(shop.back)
  for (let n = 0; n < 3; n += 1) await newOrder(customer, productId)
  await extendChain(shop.back)
  await newOrder(customer, productId)
  const hook = { url: 'https://partner.example/hook', events: ['order.paid'] }
  await shop.admin.client.post('/admin/webhooks', hook)
  await extendChain(shop.back)
  head = await shop.back.eventStore.head()
  target = head - 12n
  restoring = [
    ...(await saveTables(shop.back.pool, tables)),
    'alter table eventstore.events drop constraint if exists events_in_the_log',
    `alter table eventstore.events
       add constraint events_in_the_log check (position > 0 and revision >= 0) not valid`,
  ]
  expect(await faults()).toEqual([])
}, 90_000)
afterAll(() => shop?.close())

let restoring: string[] = []
afterEach(() => tamper(...restoring))

const tamper = (...statements: readonly string[]) => runAsSuperuser(shop.back.pool, [...statements])

/** The proof as a process sees it that has nothing in its memory. */
const proof = (): AuditServices => reopenedProof(shop)

async function faults(): Promise<string[]> {
  const results = await checkProof({ ...proof(), eventStore: shop.back.eventStore })
  return results.flatMap(({ findings }) => [...findings])
}

const verify = async () => (await auditor.client.get('/audit/verify')).body

/** An event as somebody writes it who has read the table: the right shape, without a seal. */
const insert = (
  position: string,
  stream: string,
  { revision, type, data }: { revision: string; type: string; data: object },
) => `insert into eventstore.events
  select ${position}, '${stream}', ${revision}, gen_random_uuid(), '${type}',
    '${JSON.stringify(data)}'::json, (
      select metadata from eventstore.events where type = 'StockAdjusted' order by position limit 1
    ), now()`
const atHead = '(select max(position) + 1 from eventstore.events)'
const nextOf = (stream: string) =>
  `(select max(revision) + 1 from eventstore.events where stream = '${stream}')`

const grant = (position: string) => {
  const stream = `customer-${customer.id}`
  const data = { customerId: customer.id, role: 'admin' }
  return insert(position, stream, { revision: nextOf(stream), type: 'RoleGranted', data })
}
const addStock = (position: string) => {
  const stream = `stock-${productId}`
  const data = { productId, delta: 5_000, reason: 'found' }
  return insert(position, stream, { revision: nextOf(stream), type: 'StockAdjusted', data })
}
const open = 'alter table eventstore.events drop constraint events_in_the_log'
const newestGone = `delete from shop.audit_checkpoints
  where position = (select max(position) from shop.audit_checkpoints)`
const allGone = 'delete from shop.audit_checkpoints'
const editNewest = () => `update eventstore.events
  set data = replace(data::text, '"quantity":1', '"quantity":9')::json
  where position > ${head} - 10`
const at = (change: string) => `update eventstore.events set ${change} where position = ${target}`

type Attack = [name: string, statements: () => string[], finding: RegExp]

const attacks: Attack[] = [
  ['an event at position 0', () => [open, grant('0')], /position 0, customer-/],
  ['an event below position 0', () => [open, addStock('-7')], /position -7, stock-/],
  ['events far below 0', () => [open, grant('-1'), addStock('-2')], /position -1, [\s\S]*-2, /],
  ['a negative revision', () => [open, at('revision = -1')], /changed[\s\S]*revisions/],
  ['an event at the head: a role', () => [grant(atHead)], /unsealed.*the shop has/],
  ['an event at the head: stock', () => [addStock(atHead)], /unsealed/],
  [
    'an event with the seal of another',
    () => [
      `insert into eventstore.events select max(position) + 1, 'stock-${productId}',
         ${nextOf(`stock-${productId}`)}, gen_random_uuid(), 'StockAdjusted', (
           select data from eventstore.events where type = 'StockAdjusted' limit 1
         ), (select metadata from eventstore.events where type = 'StockAdjusted' limit 1), now()
       from eventstore.events`,
    ],
    /unsealed.*Its seal is not right/,
  ],
  ['data', () => [at(`data = '{"a":1}'`)], /changed/],
  [
    'the actor',
    () => [at(`metadata = replace(metadata::text, '"id":"', '"id":"x')::json`)],
    /changed/,
  ],
  ['the seal alone', () => [at(`metadata = (metadata::jsonb - 'mac')::json`)], /changed/],
  ['the type', () => [at(`type = 'OrderDelivered'`)], /changed/],
  ['recorded_at', () => [at(`recorded_at = recorded_at - interval '1 hour'`)], /changed/],
  ['the id', () => [at('event_id = gen_random_uuid()')], /changed/],
  ['the stream', () => [at(`stream = 'order-${randomUUID()}'`)], /changed/],
  ['the case of a stream', () => [at('stream = upper(stream)')], /changed[\s\S]*every stream/],
  [
    'when it happened',
    () => [at(`metadata = replace(metadata::text, '"at":"20', '"at":"19')::json`)],
    /changed/,
  ],
  [
    'the version from which it is read',
    () => [at(`metadata = replace(metadata::text, '"v":', '"v":1')::json`)],
    /changed/,
  ],
  [
    'the payloads of two events of one stream, swapped',
    () => [
      `update eventstore.events e
       set (data, metadata) = (
         select s.data, s.metadata from saved.eventstore_events s
         where s.stream = e.stream and s.revision = 3 - e.revision
       )
       where stream = 'stock-${productId}' and revision in (1, 2)`,
    ],
    /changed/,
  ],
  [
    'a stream under the name of another, with all its events',
    () => [
      `update eventstore.events set stream = 'order-${randomUUID()}'
       where stream = (select min(stream) from eventstore.events where stream like 'order-%')`,
    ],
    /changed/,
  ],
  [
    'the end of one stream, and nothing of the others',
    () => [
      `delete from eventstore.events
       where stream = 'stock-${productId}' and revision >= ${nextOf(`stock-${productId}`)} - 2`,
    ],
    /missing/,
  ],
  [
    'an event once more, with an id and a place of its own',
    () => [
      `insert into eventstore.events
       select ${atHead}, stream, ${nextOf(`stock-${productId}`)}, gen_random_uuid(), type, data,
         metadata, now()
       from eventstore.events where stream = 'stock-${productId}' and revision = 0`,
    ],
    /unsealed.*Its seal is not right/,
  ],
  ['a deletion', () => [`delete from eventstore.events where position = ${target}`], /missing/],
  [
    'a deletion at the end',
    () => [`delete from eventstore.events where position >= ${head}`],
    /missing/,
  ],
  [
    'two that have changed places',
    () => [
      `update eventstore.events set position = 999999 where position = ${target}`,
      `update eventstore.events set position = ${target} where position = ${target} + 2`,
      `update eventstore.events set position = ${target} + 2 where position = 999999`,
    ],
    /changed/,
  ],
  [
    'an edit that takes the newest checkpoint with it',
    () => [editNewest(), newestGone],
    /unsealed[\s\S]*went-back/,
  ],
  ['the newest checkpoint alone', () => [newestGone], /went-back/],
  ['all checkpoints', () => [allGone], /went-back/],
  [
    'all checkpoints, their keys and the mark of the database',
    () => [allGone, 'delete from shop.audit_keys', 'delete from shop.audit_marks', editNewest()],
    /unsealed[\s\S]*went-back/,
  ],
  [
    'the end of the log with its checkpoint',
    () => [
      newestGone,
      `delete from eventstore.events
       where position > (select max(position) from shop.audit_checkpoints)`,
    ],
    /went-back/,
  ],
  [
    'the whole log',
    () => ['delete from eventstore.events', allGone, 'delete from shop.audit_marks'],
    /went-back/,
  ],
  [
    'a checkpoint in the middle',
    () => [
      `delete from shop.audit_checkpoints where position = (
         select position from shop.audit_checkpoints order by position offset 1 limit 1)`,
    ],
    /missing-checkpoint/,
  ],
  [
    'the signature of a checkpoint',
    () => [`update shop.audit_checkpoints set signed = signed || 'A'`],
    /forged-checkpoint/,
  ],
  [
    'the marks of a checkpoint',
    () => [`update shop.audit_checkpoints set marks = overlay(marks placing '\\x00' from 30)`],
    /changed/,
  ],
  [
    'an event and its mark',
    () => [
      at(`data = '{"a":1}'`),
      `update shop.audit_checkpoints set marks = ''::bytea where position >= ${target}`,
    ],
    /wrong-hash|added/,
  ],
  [
    'a snapshot',
    () => [
      `insert into shop.snapshots (stream, revision, event_id, version, written)
       select stream, revision, event_id, 1, '{"state":{"onHand":99999}}'
       from eventstore.events where stream = 'stock-${productId}' order by revision desc limit 1`,
    ],
    /snapshots are sealed: stock-/,
  ],
  [
    'the password of an admin',
    () => [
      `update shop.accounts set password_hash = (
         select password_hash from shop.accounts where customer_id = '${customer.id}'
       ) where username = 'admin'`,
    ],
    /password hashes belong/,
  ],
  [
    'whose account it is',
    () => [
      `update shop.accounts set customer_id = gen_random_uuid() where username = 'admin'`,
      `update shop.accounts set customer_id = '${shop.admin.id}'
       where customer_id = '${customer.id}'`,
    ],
    /password hashes belong/,
  ],
  [
    'the key of a person',
    () => [
      `update shop.person_keys set sealed_key = (
         select sealed_key from shop.person_keys where subject = '${customer.id}'
       ) where subject = '${shop.admin.id}'`,
    ],
    /person_keys/,
  ],
  [
    'a key that signs tokens',
    () => [
      `insert into shop.signing_keys (kid, sealed_private_key, public_jwk)
      values ('mine', 'v1.AAAA', '{}')`,
    ],
    /signing_keys/,
  ],
  [
    'a key that signs checkpoints',
    () => [`insert into shop.audit_keys (kid, sealed_private_key) values ('mine', 'v1.AAAA')`],
    /audit_keys/,
  ],
  [
    'where webhooks go',
    () => [`update shop.webhook_endpoints set url = 'https://thief.example/'`],
    /webhook endpoints.*Its address or its events were changed/,
  ],
  [
    'which events go there',
    () => [`update shop.webhook_endpoints set events = events || '{order.placed}'`],
    /webhook endpoints.*Its address or its events were changed/,
  ],
  [
    'the secret of a webhook',
    () => [`update shop.webhook_endpoints set secret = 'v1.AAAA'`],
    /webhook endpoints.*Its secret is not of this row/,
  ],
]

describe('whatever is changed past the shop', () => {
  it.each(attacks)('is found: %s', async (_, statements, finding) => {
    await tamper(...statements())
    // With the signer stopped: what it has not seen is found as well.
    expect((await faults()).join('\n')).toMatch(finding)
    const newest = (await shop.back.audit.book.last())?.position
    // And once it has looked: it does not make a signature out of a forgery.
    await extendChain({ ...shop.back, audit: proof() }).catch((error: Error) => {
      expect(error).toBeInstanceOf(LogTampered)
    })
    expect((await shop.back.audit.book.last())?.position).toBe(newest)
    expect((await faults()).join('\n')).toMatch(finding)
  })

  it('is told by GET /audit/verify, where a key does not come from its memory', async () => {
    expect(await verify()).toMatchObject({
      ok: true,
      complete: true,
      unsignedEvents: 0,
      findings: [],
      findingsCount: 0,
    })
    await tamper(open, grant('-3'), newestGone)
    expect(await verify()).toMatchObject({
      ok: false,
      complete: false,
      firstBad: { problem: 'went-back', position: String(head) },
      findings: expect.arrayContaining([
        expect.objectContaining({ key: expect.stringContaining('position -3, customer-') }),
        expect.objectContaining({ key: 'constraint eventstore.events.events_in_the_log' }),
      ]),
    })
  })
})

describe('what somebody writes into the tables of sessions', () => {
  const secret = 'A'.repeat(43)
  const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

  it('lets nobody in: a reset token, a refresh token, a session moved to an admin', async () => {
    const { id } = shop.admin
    await tamper(`insert into shop.password_resets (token_digest, customer_id, expires_at)
      values ('${digest(secret)}', '${id}', now() + interval '1 hour')`)
    const taken = 'taken over 12 times'
    const reset = await shop.anyone.post('/auth/password/reset/confirm', {
      uid: id,
      token: secret,
      newPassword: taken,
    })
    expect(reset.status).toBeGreaterThanOrEqual(400)
    const { recovery, sessions } = shop.back.accounts
    const forged = { customerId: id, token: secret, number: 0 }
    expect(await recovery.use(forged, { hash: 'x', number: 1 })).toBe(false)
    const family = randomUUID()
    await tamper(
      `insert into shop.sessions (family, customer_id, expires_at)
       values ('${family}', '${id}', now() + interval '1 hour')`,
      `insert into shop.refresh_tokens (token_digest, family, expires_at)
       values ('${digest(secret)}', '${family}', now() + interval '1 hour')`,
    )
    expect(await sessions.rotate(secret)).toBe('unknown')
    const own = await sessions.open(customer.id)
    await tamper(`update shop.sessions set customer_id = '${id}' where family = '${own.family}'`)
    expect(await sessions.rotate(own.refresh)).toBe('unknown')
    const other = await sessions.open(customer.id)
    await tamper(
      `update shop.refresh_tokens set family = '${family}'
       where token_digest = '${digest(other.refresh)}'`,
    )
    expect(await sessions.rotate(other.refresh)).toBe('unknown')
    const ticket = await sessions.issueTicket(customer.id, family)
    await tamper(`update shop.tickets set customer_id = '${id}'`)
    expect(await sessions.redeemTicket(ticket)).toBeUndefined()
  })

  it('opens no account: the hash of one password in the row of somebody else', async () => {
    await tamper(`update shop.accounts set password_hash = (
        select password_hash from shop.accounts where customer_id = '${customer.id}'
      ) where username = 'admin'`)
    const login = { username: 'admin', password: 'correct horse battery staple' }
    expect((await shop.anyone.post('/auth/login', login)).status).toBe(401)
  })
})

describe('a password hash whose seal was taken off', () => {
  const secrets = () => createSecrets(shop.config.secretKey)
  const login = { username: 'admin', password }
  const strip = `update shop.accounts set password_hash = split_part(password_hash, '~', 1)`
  const toAdmin = `update shop.accounts set password_hash = (
      select split_part(password_hash, '~', 1) from shop.accounts
      where customer_id = '${'%s'}'
    ) where username = 'admin'`
  const moved = () => toAdmin.replace('%s', customer.id)

  const noIdentity = 'delete from shop.identity'
  const noMarks = { newest: async () => undefined }

  it.each<[string, () => string[], () => Parameters<typeof bindHashes>[2]]>([
    ['a start', () => [moved()], createMarks],
    ['a shop with an identity', () => [moved(), strip], () => noMarks],
    ['a shop with other hashes that are bound', () => [moved(), noIdentity], () => noMarks],
    ['a shop whose log has been signed', () => [moved(), strip, noIdentity], createMarks],
  ])('is not bound to the row of somebody else by %s', async (_, statements, marks) => {
    await tamper(...statements(), 'delete from shop.audit_marks')
    await bindHashes(shop.back.pool, secrets(), marks())
    expect((await shop.anyone.post('/auth/login', login)).status).toBe(401)
    expect((await faults()).join('\n')).toMatch(/password hashes belong/)
  })

  it('is bound at the first start of a shop that no release has bound hashes for', async () => {
    await tamper(strip, noIdentity)
    await bindHashes(shop.back.pool, secrets(), noMarks)
    expect((await shop.anyone.post('/auth/login', login)).status).toBe(200)
  })
})

describe('what says that a checkpoint has left the machine', () => {
  it('does not count where somebody has written it', async () => {
    const book = publicationBook(shop.back.pool, createSecrets(shop.config.secretKey))
    await book.note('file', 7n, undefined)
    const genuine = await book.newest('file')
    expect(genuine?.position).toBe(7n)
    await tamper(
      `insert into shop.audit_publications (target, position, published_at, seal)
       select target, 999999, published_at, seal from shop.audit_publications`,
    )
    expect(await book.newest('file')).toEqual(genuine)
    await tamper(`update shop.audit_publications set published_at = now() + interval '1 year'`)
    expect(await book.newest('file')).toBeUndefined()
  })
})

const createMarks = () =>
  createHighWaterMarks(shop.back.pool, createSecrets(shop.config.secretKey), [
    tablePlace(shop.back.pool),
    filePlace(shop.config.audit.directory),
  ])

describe('the mark', () => {
  it('is in a file that the database cannot reach, and a made-up one is not believed', async () => {
    const { directory } = shop.config.audit
    await writeFile(join(directory, 'mark-made_up'), 'e30.AAAA')
    const mark = await shop.back.audit.marks?.newest()
    expect(mark?.position).toBe(head)
    await tamper('delete from shop.audit_marks')
    expect((await shop.back.audit.marks?.newest())?.position).toBe(head)
    // Yesterday's copy in a new database of that name: the mark of the shop is still there.
    const files = await readdir(directory)
    const ofDatabase = files.filter(name => name.startsWith('mark-test_'))
    expect(ofDatabase).toHaveLength(1)
    for (const name of ofDatabase) await rm(join(directory, name))
    expect((await createMarks().newest())?.position).toBe(head)
  })
})
