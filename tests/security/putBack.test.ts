// Somebody who may write to every table puts rows of an old copy back, which are genuine, or takes
// away what is kept of people: it is found, and the log decides what becomes of it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { erasePerson } from '../../src/commands/account/erasure.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { endOrderOfErased } from '../../src/commands/order/openOrders.ts'
import { createSeals } from '../../src/infra/crypto/personKeys.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { eraseKeysAgain, listErased } from '../../src/workers/jobs/erasedPeople.ts'
import { expectProblem, newOrder, newProduct } from '../support/goods.ts'
import { reopenedProof } from '../support/proof.ts'
import { runAsSuperuser, saveTables } from '../support/tampering.ts'
import { type Person, password, startTestApp, type TestApp } from '../support/testApp.ts'

const newPassword = 'another horse, another staple'
const tables = ['shop.accounts', 'shop.person_keys', 'shop.password_resets', 'shop.identity']

let app: TestApp
/** Has changed the password, is erased, has an order. */
let changed: Person
let erased: Person
let buyer: Person
let late: Person
let orderId = ''
let resetToken = ''
let restoring: string[] = []

const tamper = (...statements: readonly string[]) => runAsSuperuser(app.back.pool, statements)
const old = (table: string) => `old.${table}`
const of = ({ id }: Person) => `where customer_id = '${id}'`
const keyOf = ({ id }: Person) => `where subject = '${id}'`
const putBack = (table: 'accounts' | 'person_keys', person: Person) =>
  `insert into shop.${table}
   select * from ${old(table)} ${table === 'accounts' ? of(person) : keyOf(person)}`

async function findings(): Promise<string> {
  const found: string[] = []
  for await (const { key, detail } of reopenedProof(app).guard?.findings(app.back.eventStore) ??
    []) {
    found.push(`${key}: ${detail}`)
  }
  return found.join('\n')
}

const logIn = async (person: Person, secret: string) =>
  (await app.anyone.post('/auth/login', { username: person.username, password: secret })).status

beforeAll(async () => {
  app = await startTestApp({ workers: false })
  changed = await app.person()
  erased = await app.person()
  buyer = await app.person()
  late = await app.person()
  const { id } = await newProduct(app, { stock: 10 })
  orderId = (await newOrder(buyer, id)).body.orderId
  resetToken = (await app.back.accounts.recovery.issue(changed.id, 0)) ?? ''
  await tamper(
    'create schema old',
    ...['accounts', 'person_keys', 'password_resets'].map(
      table => `create table ${old(table)} as select * from shop.${table}`,
    ),
  )
  const change = { oldPassword: password, newPassword }
  expect((await changed.client.post('/auth/password/change', change)).status).toBe(204)
  const envelope = systemEnvelope('test', new Date())
  const request = { customerId: erased.id, envelope, orderIds: [], cancelOpen: false }
  const requestReference = 'a letter'
  const done = await erasePerson(app.back.app, app.back.accounts, {
    ...request,
    requestReference,
  })
  expect(done).toBeTypeOf('bigint')
  restoring = await saveTables(app.back.pool, tables)
  expect(await findings()).toBe('')
}, 90_000)
afterAll(() => app?.close())
afterEach(() => tamper(...restoring, 'alter table shop.accounts alter password_hash set not null'))

type Attack = [name: string, statements: () => string[], finding: () => RegExp]

const attacks: Attack[] = [
  [
    'the password from before a change',
    () => [`delete from shop.accounts ${of(changed)}`, putBack('accounts', changed)],
    () => new RegExp(`person ${changed.id}: An earlier password was put back`),
  ],
  [
    'the key of somebody who is erased',
    () => [`delete from shop.person_keys ${keyOf(erased)}`, putBack('person_keys', erased)],
    () => new RegExp(`person ${erased.id}: .*erased, and the key is there again`),
  ],
  [
    'the account of somebody who is erased',
    () => [putBack('accounts', erased)],
    () => new RegExp(`person ${erased.id}: .*erased, and an account is there again`),
  ],
  [
    'a key that is gone',
    () => [`delete from shop.person_keys ${keyOf(buyer)}`],
    () => new RegExp(`person ${buyer.id}: The key is gone`),
  ],
  [
    'a key that is destroyed',
    () => [`update shop.person_keys set sealed_key = null ${keyOf(buyer)}`],
    () => new RegExp(`person ${buyer.id}: The key is destroyed, but the log does not say`),
  ],
  [
    'a key that is destroyed, with the account',
    () => [
      `update shop.person_keys set sealed_key = null, erased_at = now() ${keyOf(changed)}`,
      `delete from shop.accounts ${of(changed)}`,
    ],
    () => new RegExp(`person ${changed.id}: The key is destroyed, but the log does not say`),
  ],
  [
    'somebody who is noted as erased',
    () => [`update shop.person_keys set erased_at = now() ${keyOf(buyer)}`],
    () => new RegExp(`person ${buyer.id}: The person is noted as erased and still has a key`),
  ],
  [
    'an account without a password',
    () => [
      'alter table shop.accounts alter password_hash drop not null',
      `update shop.accounts set password_hash = null ${of(buyer)}`,
    ],
    () => new RegExp(`${buyer.id}: The shop has not given this account this password`),
  ],
  [
    'the number of a password',
    () => [`update shop.accounts set password_hash = password_hash || '1' ${of(changed)}`],
    () => new RegExp(`${changed.id}: The shop has not given this account this password`),
  ],
  [
    'the currency of the shop',
    () => [`update shop.identity set currency = 'JPY'`],
    () => /shop .*: Its currency is another one/,
  ],
  [
    'where the log is',
    () => [`update shop.identity set event_store = 'eventstoredb'`],
    () => /shop .*: It names another store of events/,
  ],
  [
    'which shop it is',
    () => ['update shop.identity set shop_id = gen_random_uuid()'],
    () => /shop .*: Its id is not the one that was sealed/,
  ],
  [
    'that there is a shop',
    () => ['delete from shop.identity'],
    () => /shop.identity: It has 0 rows/,
  ],
]

describe('what is put back or taken away past the shop', () => {
  it.each(attacks)('is found: %s', async (_, statements, finding) => {
    await tamper(...statements())
    expect(await findings()).toMatch(finding())
  })
})

describe('a password from before a change', () => {
  it('opens nothing when its row is put back, and its owner gets a new one by mail', async () => {
    await tamper(`delete from shop.accounts ${of(changed)}`, putBack('accounts', changed))
    expect(await logIn(changed, password)).toBe(401)
    const change = { oldPassword: password, newPassword: 'yet another horse' }
    const refused = await changed.client.post('/auth/password/change', change)
    expectProblem(refused, 403, 'account/wrong-password')
    const { recovery } = app.back.accounts
    const token = await recovery.issue(changed.id, 1)
    const reset = { uid: changed.id, token, newPassword: 'a third horse, a third staple' }
    expect((await app.anyone.post('/auth/password/reset/confirm', reset)).status).toBe(204)
    expect(await logIn(changed, reset.newPassword)).toBe(200)
    expect(await findings()).toBe('')
  })

  it('is known to be one also where the log was told late', async () => {
    const { accounts, passwords } = app.back.accounts
    const { passwordHash: hash = '', passwordNumber: number = 0 } =
      (await accounts.findById(late.id)) ?? {}
    const next = { hash: await passwords.hash(newPassword), number: number + 1 }
    // As a process does it that dies before it has told the log.
    const change = { customerId: late.id, old: { hash, number }, next, keep: late.id }
    expect(await accounts.changePassword(change)).toBe(true)
    expect(await logIn(late, newPassword)).toBe(200)
    await tamper(`delete from shop.accounts ${of(late)}`, putBack('accounts', late))
    expect(await logIn(late, password)).toBe(401)
    expect(await findings()).toMatch(`person ${late.id}: An earlier password`)
  })

  it('is not set with a link that has ended, whatever its row says', async () => {
    const { recovery } = app.back.accounts
    const token = (await recovery.issue(late.id, 0)) ?? ''
    const reset = { customerId: late.id, token, number: 0 }
    expect(await recovery.isGood(reset)).toBe(true)
    await tamper(`update shop.password_resets set expires_at = expires_at + interval '1 hour'`)
    expect(await recovery.isGood(reset)).toBe(false)
  })

  it('is not set again with a link that was used, whatever its row says', async () => {
    await tamper(`update shop.password_resets set ended_at = null ${of(changed)}`)
    const { recovery } = app.back.accounts
    const before = { customerId: changed.id, token: resetToken, number: 0 }
    expect(await recovery.isGood(before)).toBe(true)
    const reset = { uid: changed.id, token: resetToken, newPassword }
    const answer = await app.anyone.post('/auth/password/reset/confirm', reset)
    expectProblem(answer, 400, 'account/reset-expired')
  })
})

describe('somebody who is erased', () => {
  it('loses the key and the account again that are put back', async () => {
    await tamper(
      `delete from shop.person_keys ${keyOf(erased)}`,
      putBack('person_keys', erased),
      putBack('accounts', erased),
    )
    expect(await eraseKeysAgain(app.back)).toBe(1)
    expect(await findings()).not.toContain(erased.id)
  })
})

describe('somebody who is noted as erased, and is not in the log', () => {
  it('is on no list, can be read, and keeps the orders', async () => {
    await tamper(`update shop.person_keys set erased_at = now() ${keyOf(buyer)}`)
    const { erasures } = app.back.accounts
    await listErased(app.back, new Date(0))
    expect((await erasures.all()).map(({ customerId }) => customerId)).toEqual([erased.id])
    const seals = createSeals(app.back.pool, createSecrets(app.config.secretKey))
    await seals.dropErased()
    expect(await seals.isErased(buyer.id)).toBe(false)
    const envelope = systemEnvelope('test', new Date())
    expect(await endOrderOfErased(app.back.app, envelope, orderId)).toBe(false)
  })
})
