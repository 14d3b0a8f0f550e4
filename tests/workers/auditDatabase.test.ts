// What the auditor finds in the tables of a shop, which rows it names, and what its command tells
// by its exit code.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { projections } from '../../src/projections/index.ts'
import { rebuildStates } from '../../src/projections/rebuild/rebuildStates.ts'
import { audit } from '../../src/workers/audit/audit.ts'
import { atRest, findings } from '../support/auditing.ts'
import { moveOrder, newOrder, newProduct } from '../support/goods.ts'
import { saveTables } from '../support/tampering.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { project } from '../support/tidy/sources.ts'
import { webhookReceiver } from '../support/webhookReceiver.ts'

let app: TestApp
const ids = { order: '', other: '' }

const tables = [
  'readmodel.orders',
  'readmodel.stock_movements',
  'readmodel.carts',
  'readmodel.products',
  'shop.checkpoints',
  'shop.parked_events',
  'shop.mails',
  'shop.webhook_endpoints',
  'shop.webhook_deliveries',
  'shop.accounts',
]
let restoring: string[] = []
let receiver: Awaited<ReturnType<typeof webhookReceiver>> | undefined
/** For rows that are there twice. */
const keys = [
  `alter table shop.mails drop constraint if exists mails_pkey,
    add constraint mails_pkey primary key (event_id, template)`,
  `alter table shop.webhook_deliveries drop constraint if exists webhook_deliveries_once,
    add constraint webhook_deliveries_once unique (endpoint_id, event_id)`,
]

beforeAll(async () => {
  app = await startTestApp({ settings: { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1' } })
  receiver = await webhookReceiver()
  const { url } = receiver
  const events = ['order.placed', 'order.paid', 'order.shipped']
  expect((await app.admin.client.post('/admin/webhooks', { url, events })).status).toBe(201)
  const person = await app.person()
  const product = await newProduct(app)
  ids.order = (await newOrder(person, product.id)).body.orderId
  ids.other = (await newOrder(person, product.id)).body.orderId
  await person.client.post(`/orders/${ids.order}/pay`)
  await moveOrder(app, ids.order, 'shipped')
  await receiver.until(3, 'orderId', ids.order)
  await receiver.until(1, 'orderId', ids.other)
  await atRest(app.back)
  await app.stop()
  expect(await findings(app.back)).toEqual([])
  restoring = await saveTables(app.back.pool, tables)
}, 90_000)
afterAll(async () => {
  await receiver?.stop()
  await app?.close()
})
afterEach(async () => {
  await app.back.pool.query([...restoring, ...keys].join(';'))
})

async function found(fault: string): Promise<string> {
  // Looked at a moment ago, the log is not compared with the checkpoints that a case changes.
  await app.back.logIdentity.check()
  await app.back.pool.query(fault)
  return (await findings(app.back)).join('\n')
}

describe('in the database the auditor finds', () => {
  it.each<[string, string, RegExp]>([
    [
      'a checkpoint beyond the log',
      `update shop.checkpoints set position = 999999 where name = 'sales'`,
      /sales .* beyond the log/,
    ],
    [
      'a parked event',
      `insert into shop.parked_events values ('customers', 1, 'x', 'x', 'x')`,
      /customers .* 1 events are parked/,
    ],
    [
      'a mail that was never queued',
      `delete from shop.mails where template = 'order-shipped'`,
      /no mail is forgotten: OrderShipped .* "order-shipped": it was never queued/,
    ],
    [
      'a mail that was not sent',
      `update shop.mails set sent_at = null where template = 'order-paid'`,
      /what is queued goes out: .*"order-paid" of OrderPaid .* is queued and not sent/,
    ],
    [
      'a mail that nothing gave rise to',
      `insert into shop.mails (event_id, template, order_id)
       values (gen_random_uuid(), 'order-paid', gen_random_uuid())`,
      /a mail has its event: A mail "order-paid" .* is not in the log/,
    ],
    [
      'a mail that is there twice',
      `alter table shop.mails drop constraint mails_pkey;
       insert into shop.mails (event_id, template, order_id, state, sent_at)
       select event_id, template, order_id, state, sent_at from shop.mails
       where template = 'order-paid' limit 1`,
      /a mail is written once: The mail "order-paid" of OrderPaid .* is there twice/,
    ],
    [
      'an order that is shown and not in the log',
      `update readmodel.orders set order_id = gen_random_uuid() where status = 'shipped'`,
      /read models equal the log: Order .* is shown and not in the log/,
    ],
    [
      'an order that is shown as something else',
      `update readmodel.orders set status = 'delivered' where status = 'shipped'`,
      /read models equal the log: Order .* is shipped with .*, and shown as delivered/,
    ],
    [
      'stock that is shown with other figures',
      `update readmodel.products set on_hand = on_hand + 1`,
      /read models equal the log: Product .* has \d+ pieces, .* is shown with \d+/,
    ],
    [
      'a webhook that is there twice',
      `alter table shop.webhook_deliveries drop constraint webhook_deliveries_once;
       insert into shop.webhook_deliveries
         (endpoint_id, event_id, position, type, message, trace, status)
       select endpoint_id, event_id, position, type, message, trace, status
       from shop.webhook_deliveries where type = 'order.paid'`,
      /a webhook is sent once: endpoint .* is told 2 times of OrderPaid/,
    ],
    [
      'a webhook that nothing gave rise to',
      `update shop.webhook_deliveries set event_id = gen_random_uuid() where type = 'order.paid'`,
      /a webhook has its event: endpoint .*, which is not in the log/,
    ],
    [
      'a webhook that was never queued',
      `delete from shop.webhook_deliveries where type = 'order.shipped'`,
      /no webhook is forgotten: endpoint .* is not told of OrderShipped/,
    ],
    [
      'a webhook that waits while nothing moves',
      `update shop.webhook_deliveries set status = 'pending', due_at = now() - interval '1 day'
       where type = 'order.shipped'`,
      /what is queued goes out: The webhook to .* of OrderShipped .* is queued and not sent/,
    ],
    [
      'a mail about another order',
      `update shop.mails set order_id = gen_random_uuid() where template = 'order-paid'`,
      /a mail has its event: .*"order-paid" of OrderPaid .* is about another order/,
    ],
    [
      'the address of an account, swapped with that of another',
      `drop index shop.accounts_email;
       update shop.accounts a set email_digest = (
         select email_digest from shop.accounts b where b.customer_id <> a.customer_id
         order by b.customer_id limit 1
       );
       update shop.accounts set email_digest = email_digest || customer_id::text;
       create unique index accounts_email on shop.accounts (email_digest)`,
      /accounts are those of the customers.*: account .*: it has another address/,
    ],
    [
      'the address of an account that has been moving for ever',
      `update shop.accounts set email_digest = 'x', moving_since = 'infinity'
       where username = 'admin'`,
      /account .*: it has another address than its customer/,
    ],
    [
      'the address of an account that nobody has confirmed, as it says',
      `update shop.accounts set email_digest = 'x', confirmed = false where username = 'admin'`,
      /account .*: it has another address than its customer/,
    ],
    [
      'the name of an account',
      `update shop.accounts set username = 'administrator' where username = 'admin'`,
      /account .*: it has another name than its customer/,
    ],
    [
      'an account of nobody',
      `insert into shop.accounts (customer_id, username, email_digest, password_hash, confirmed)
       values (gen_random_uuid(), 'nobody', 'x', 'x', true)`,
      /account .*: the log knows no such customer/,
    ],
    [
      'what a product costs, as it is shown',
      `update readmodel.products set price_minor = 1`,
      /projection catalogue .*products differs/,
    ],
  ])('%s', async (_, fault, finding) => {
    expect(await found(fault)).toMatch(finding)
  })
})

describe('of a projection that differs from a fresh one', () => {
  const row = (name: string, id: string) => `${name} row {"order_id" : "${id}"}`

  it('the rows that differ are named by their keys', async () => {
    const told = await found(
      `update readmodel.orders set total_minor = total_minor + 1
       where order_id = '${ids.order}'`,
    )
    expect(told).toContain(
      'projection orders equals a fresh one: orders differs: as many rows; ' +
        '1 different, 0 missing, 0 extra',
    )
    expect(told).toContain(`orders: ${row('different', ids.order)}`)
    expect(told).not.toContain(ids.other)
  })

  it('rows that are gone and rows that are invented are told apart', async () => {
    const invented = '01980000-0000-7000-8000-00000000dead'
    const told = await found(
      `delete from readmodel.stock_movements where kind = 'StockReserved';
       insert into readmodel.carts values ('${invented}', null, '[]', 0, now())`,
    )
    expect(told).toMatch(
      /stock_movements differs: .* rows instead of .*; 0 different, 2 missing, 0/,
    )
    expect(told.match(/stock_movements: missing row \{/g)).toHaveLength(2)
    expect(told).toMatch(/carts differs: .*; 0 different, 0 missing, 1 extra/)
    expect(told).toMatch(new RegExp(`carts: extra row \\{.*${invented}`))
  })

  it('of many the first twenty are named, and all are counted', async () => {
    await app.back.pool.query(
      `insert into readmodel.carts
       select ('01980000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, null, '[]', 0, now()
       from generate_series(1, 30) n`,
    )
    const results = await audit({ ...app.back, projections }, new Date())
    const carts = results.find(({ check }) => check.startsWith('projection carts'))
    expect(carts?.count).toBe(31)
    expect(carts?.findings).toHaveLength(21)
    expect(carts?.findings[0]).toMatch(/0 different, 0 missing, 30 extra/)
    expect(carts?.findings[1]).toContain('01980000-0000-7000-8000-000000000001')
    expect(carts?.findings.at(-1)).toContain('01980000-0000-7000-8000-000000000020')
  })
})

describe('mails that are queued', () => {
  it('are no finding while they are going out', async () => {
    const { pool } = app.back
    const { rows } = await pool.query<{ event_id: string }>(
      `update shop.mails set sent_at = null, state = 'due', due_at = now() - interval '1 hour'
       where not account returning event_id`,
    )
    expect(rows.length).toBeGreaterThan(3)
    // Between two looks somebody sends the next one.
    const beforeRecheck = async () => {
      await pool.query(
        `update shop.mails set sent_at = clock_timestamp(), state = 'sent' where event_id = $1`,
        [rows.pop()?.event_id],
      )
    }
    const parts = { ...app.back, projections: [], beforeRecheck }
    const results = await audit(parts, new Date(Date.now() + 60_000))
    expect(rows).toEqual([])
    const mails = results.find(({ check }) => check === 'what is queued goes out')
    expect(mails).toMatchObject({ count: 0, findings: [] })
  })
})

function runScript(name: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; output: string }>(resolve => {
    execFile(
      process.execPath,
      [join(project, 'tools', name), ...args],
      { env: { ...process.env, ...app.env, ...env } },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1
        resolve({ code, output: stdout + stderr })
      },
    )
  })
}

describe('npm run projections -- rebuild', () => {
  it('ends with 1 and names the rows of tables that were not equal, then with 0', async () => {
    await app.back.pool.query(`
      update readmodel.orders set country = 'Nowhere' where order_id = '${ids.other}';
      delete from readmodel.stock_movements where order_id = '${ids.order}';
      insert into readmodel.carts
      select ('01980000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, null, '[]', 0, now()
      from generate_series(1, 30) n;
    `)
    const { code, output } = await runScript('projections.ts', [
      ...['rebuild', 'orders', 'stock', 'carts', 'customers'],
    ])
    expect(code).toBe(1)
    expect(output).toMatch(/orders +at \d+, DIFFERENT/)
    expect(output).toMatch(/customers +at \d+, equal/)
    expect(output).toContain(
      'orders: table orders, old against new: 1 different, 0 missing, 0 extra',
    )
    expect(output).toContain(`orders: orders: different row {"order_id" : "${ids.other}"}`)
    expect(output).not.toContain(ids.order)
    expect(output).toMatch(/table stock_movements, old against new: 0 different, 2 missing/)
    expect(output).toContain(
      'carts: table carts, old against new: 0 different, 0 missing, 30 extra',
    )
    expect(output).toContain('01980000-0000-7000-8000-000000000020')
    expect(output).not.toContain('01980000-0000-7000-8000-000000000021')
    const [state] = await rebuildStates(app.back.db, 'orders')
    const first = [{ kind: 'different', key: `{"order_id" : "${ids.other}"}` }]
    expect(state).toMatchObject({ matches: false, differences: [{ table: 'orders', first }] })
    const again = await runScript('projections.ts', ['rebuild', 'orders', 'stock', 'carts'])
    expect(again).toMatchObject({ code: 0, output: expect.not.stringContaining('DIFFERENT') })
  })
})

describe('npm run audit', () => {
  const run = (env: Record<string, string> = {}, args: readonly string[] = ['--grace', '0']) =>
    runScript('audit.ts', args, env)

  it('ends with 0 where the books are in order', async () => {
    const { code, output } = await run()
    expect(output).toContain('The books are in order.')
    expect(code).toBe(0)
  })

  it('finds nothing broken in what waits for the first worker of a restored shop', async () => {
    const { pool } = app.back
    await pool.query(`
      update shop.mails set state = 'due', sent_at = null, due_at = now() - interval '1 hour';
      update shop.webhook_deliveries set status = 'pending', due_at = now() - interval '1 hour'
    `)
    const stuck = await findings(app.back)
    expect(stuck.join()).toMatch(/mail "order-paid" .* is queued and not sent/)
    expect(stuck.join()).toMatch(/webhook to endpoint .* is queued and not sent/)
    await pool.query('update shop.checkpoints set epoch = 0 where version is null')
    const { code, output } = await run()
    expect(output).toMatch(/[1-9]\d* mails and webhooks are due and wait for a worker/)
    expect(output).toContain('The books are in order.')
    expect(code).toBe(0)
  })

  it('ends with 1 and goes on where an event cannot be decoded', async () => {
    const session = await app.back.pool.connect()
    const change = async (type: string, to: string) => {
      await session.query(
        `set session_replication_role = replica;
         update eventstore.events set type = '${to}' where type = '${type}'`,
      )
    }
    try {
      await change('OrderShipped', 'OrderLost')
      const { code, output } = await run()
      expect(code).toBe(1)
      expect(output).toMatch(/every event can be read: OrderLost at \d+ in order-/)
      expect(output).toMatch(/the log is as it was signed: position \d+/)
      // The checks behind it have been run as well.
      expect(output).toMatch(/projection stock equals a fresh one/)
      await change('OrderLost', 'OrderShipped')
    } finally {
      session.release(true)
    }
  })

  it('ends with 2 where it could not run, and says why', async () => {
    const without = await run({ DATABASE_URL: 'postgres://127.0.0.1:1/none' })
    expect(without.code).toBe(2)
    expect(without.output).not.toMatch(/in order|findings/)
    const misread = await run({}, ['--grace', 'soon'])
    expect(misread.code).toBe(2)
    expect(misread.output).toContain('the arguments were not understood')
  })
})
