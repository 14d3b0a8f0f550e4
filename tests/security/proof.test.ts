// Somebody may write to every table, is a superuser of the database, and does not know SECRET_KEY:
// what they change is found, whether the signer runs meanwhile or not (RELIABILITY.md §7.4).
import { createHash, randomUUID } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bindHashes } from '../../src/infra/accounts/bindHashes.ts'
import { publicationBook } from '../../src/infra/audit/checkpointPublishers.ts'
import { openCheckpoint } from '../../src/infra/audit/checkpointSeals.ts'
import {
  createHighWaterMarks,
  fileStore,
  tableStore,
} from '../../src/infra/audit/highWaterMarks.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import type { AuditServices } from '../../src/ports/audit.ts'
import { checkExport, faultLines, UnreadableExport } from '../../src/workers/audit/exportCheck.ts'
import { checkProof } from '../../src/workers/audit/proofCheck.ts'
import { extendChain, LogTampered } from '../../src/workers/jobs/auditChain.ts'
import { type Export, takeExport } from '../support/exports.ts'
import { newOrder, newProduct } from '../support/goods.ts'
import { grant, logAttacks, newestGone, on, open } from '../support/logAttacks.ts'
import { moved, positionAt } from '../support/positions.ts'
import { reopenedProof } from '../support/proof.ts'
import { temporaryDirectory } from '../support/servers.ts'
import { runAsSuperuser, saveTables } from '../support/tampering.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

let app: TestApp
let auditor: Person
let customer: Person
/** What an auditor keeps elsewhere: checkpoints and public keys. */
let kept: Export

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
  app = await startTestApp({ workers: false })
  auditor = await app.person('auditor')
  customer = await app.person()
  const { id: productId } = await newProduct(app, { stock: 100 })
  await newOrder(customer, productId)
  await extendChain(app.back)
  for (let n = 0; n < 3; n += 1) await newOrder(customer, productId)
  await extendChain(app.back)
  await newOrder(customer, productId)
  const hook = { url: 'https://partner.example/hook', events: ['order.paid'] }
  await app.admin.client.post('/admin/webhooks', hook)
  await extendChain(app.back)
  const head = await app.back.eventStore.head()
  const ids = { customerId: customer.id, adminId: app.admin.id, productId }
  Object.assign(on, { ...ids, head, target: moved(head, -12) })
  kept = await takeExport(app.url, auditor.access)
  directory = await temporaryDirectory()
  restoring = [
    ...(await saveTables(app.back.pool, tables)),
    'alter table eventstore.events drop constraint if exists events_in_the_log',
    `alter table eventstore.events
       add constraint events_in_the_log check (position > 0 and revision >= 0) not valid`,
  ]
  expect(await faults()).toEqual([])
}, 90_000)
afterAll(async () => {
  await app?.close()
  await rm(directory, { recursive: true, force: true })
})

let directory = ''
let restoring: string[] = []
afterEach(() => tamper(...restoring))

const tamper = (...statements: readonly string[]) => runAsSuperuser(app.back.pool, [...statements])

/** The proof as a process sees it that has nothing in its memory. */
const proof = (): AuditServices => reopenedProof(app)

async function faults(): Promise<string[]> {
  const results = await checkProof({ ...proof(), eventStore: app.back.eventStore })
  return results.flatMap(({ findings }) => [...findings])
}

/** What the verifier says that has no shop, of an export with what was kept elsewhere. */
async function offlineFaults(): Promise<string> {
  const file = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  const now = await takeExport(app.url, auditor.access)
  const files = {
    events: await file('events.ndjson', now.events),
    checkpoints: await file('checkpoints.ndjson', now.checkpoints),
    keys: await file('keys.json', kept.keys),
    outside: await file('outside.ndjson', kept.checkpoints),
  }
  const verified = await checkExport(files, openCheckpoint).catch(error => {
    if (error instanceof UnreadableExport) return error.message
    throw error
  })
  if (typeof verified === 'string') return verified
  return verified.count === 0 ? '0 faults' : faultLines(verified).join('\n')
}

const verify = async () => (await auditor.client.get('/audit/verify')).body

const attacks = logAttacks.map(([name, statements, finding, offline]) => {
  return { name, statements, finding, offline }
})

describe('whatever is changed past the shop', () => {
  it.each(attacks)('is found: $name', async ({ statements, finding, offline }) => {
    await tamper(...statements())
    expect(await offlineFaults()).toMatch(offline ?? /^0 faults$/)
    // With the signer stopped: what it has not seen is found as well.
    expect((await faults()).join('\n')).toMatch(finding)
    const newest = (await app.back.audit.book.last())?.position
    // And once it has looked: it does not make a signature out of a forgery.
    await extendChain({ ...app.back, audit: proof() }).catch((error: Error) => {
      expect(error).toBeInstanceOf(LogTampered)
    })
    expect((await app.back.audit.book.last())?.position).toBe(newest)
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
      firstBad: { problem: 'went-back', position: String(on.head) },
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
    const { id } = app.admin
    await tamper(`insert into shop.password_resets (token_digest, customer_id, expires_at)
      values ('${digest(secret)}', '${id}', now() + interval '1 hour')`)
    const taken = 'taken over 12 times'
    const reset = await app.anyone.post('/auth/password/reset/confirm', {
      uid: id,
      token: secret,
      newPassword: taken,
    })
    expect(reset.status).toBeGreaterThanOrEqual(400)
    const { recovery, sessions } = app.back.accounts
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
    expect((await app.anyone.post('/auth/login', login)).status).toBe(401)
  })
})

describe('a password hash whose seal was taken off', () => {
  const secrets = () => createSecrets(app.config.secretKey)
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
    await bindHashes(app.back.pool, secrets(), marks())
    expect((await app.anyone.post('/auth/login', login)).status).toBe(401)
    expect((await faults()).join('\n')).toMatch(/password hashes belong/)
  })

  it('is bound at the first start of a shop that no release has bound hashes for', async () => {
    await tamper(strip, noIdentity)
    await bindHashes(app.back.pool, secrets(), noMarks)
    expect((await app.anyone.post('/auth/login', login)).status).toBe(200)
  })
})

describe('what says that a checkpoint has left the machine', () => {
  it('does not count where somebody has written it', async () => {
    const book = publicationBook(app.back.pool, createSecrets(app.config.secretKey))
    await book.note('file', positionAt(7), undefined)
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
  createHighWaterMarks(app.back.pool, createSecrets(app.config.secretKey), [
    tableStore(app.back.pool),
    fileStore(app.config.audit.directory),
  ])

describe('the mark', () => {
  it('is in a file that the database cannot reach, and a made-up one is not believed', async () => {
    const { directory } = app.config.audit
    await writeFile(join(directory, 'mark-made_up'), 'e30.AAAA')
    const mark = await app.back.audit.marks?.newest()
    expect(mark?.position).toBe(on.head)
    await tamper('delete from shop.audit_marks')
    expect((await app.back.audit.marks?.newest())?.position).toBe(on.head)
    // Yesterday's copy in a new database of that name: the mark of the shop is still there.
    const files = await readdir(directory)
    const ofDatabase = files.filter(name => name.startsWith('mark-test_'))
    expect(ofDatabase).toHaveLength(1)
    for (const name of ofDatabase) await rm(join(directory, name))
    expect((await createMarks().newest())?.position).toBe(on.head)
  })
})
