// A ledger in the log: whole orders at their own time, once, and read models that agree with it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { available } from '../../src/domain/stock/stock.ts'
import type { AppServices } from '../../src/main/openServices.ts'
import { readStream } from '../../src/ports/eventStore.ts'
import { readEarlierImports } from '../../src/workers/imports/ledger/earlierImports.ts'
import type { LedgerPlan } from '../../src/workers/imports/ledger/ledgerPlan.ts'
import { planLedger } from '../../src/workers/imports/ledger/planLedger.ts'
import type { LedgerRow } from '../../src/workers/imports/ledger/readLedger.ts'
import { reconcile } from '../../src/workers/imports/ledger/reconcile.ts'
import { countRows } from '../../src/workers/imports/ledger/rowOutcomes.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { importInto, ledgerRows, ledgerText, openTestShop, project } from '../support/ledger.ts'
import { testRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'

const december = ledgerRows(
  { InvoiceNo: '1', Quantity: '6' },
  { InvoiceNo: '1', StockCode: '85123a', Description: 'HOLDER', Quantity: '4', UnitPrice: '2.55' },
  { InvoiceNo: '1', StockCode: 'POST', Description: 'POSTAGE', Quantity: '1', UnitPrice: '18' },
  { InvoiceNo: '2', StockCode: '85123A', Quantity: '2', UnitPrice: '2.55', CustomerID: '' },
  { InvoiceNo: '3', Quantity: '-3', UnitPrice: '0', CustomerID: '', Description: 'damages' },
  { InvoiceNo: 'C4', Quantity: '-2', InvoiceDate: '2010-12-03 10:00:00' },
  { InvoiceNo: 'C5', StockCode: 'D', Description: 'Discount', Quantity: '-1', UnitPrice: '5' },
  { InvoiceNo: '6', Quantity: 'many' },
)
const january = ledgerRows(
  { InvoiceNo: '7', Quantity: '5', InvoiceDate: '2011-01-05 08:00:00' },
  { InvoiceNo: 'C8', Quantity: '-7', InvoiceDate: '2011-01-06 08:00:00' },
)

let database: TestDatabase
let open: AppServices

beforeAll(async () => {
  database = await testDatabase()
  open = await openTestShop(database.url)
})
afterAll(async () => {
  await open.close()
  await database.drop()
})

async function check(rows: readonly LedgerRow[], plan: LedgerPlan) {
  const { documents } = await readEarlierImports(open.eventStore, open.codec)
  const counts = countRows(plan, documents)
  const money = await reconcile(open.db, { rows, plan, counts })
  return { counts, ...money }
}

async function stockOf(sku: string) {
  const claim = await open.app.skuClaims.load(encodeURIComponent(sku))
  return available((await open.app.stock.load(claim.state.productId ?? '')).state)
}

describe('an imported ledger', () => {
  it('is in the log as orders that ran their course at their own time', async () => {
    await importInto(open, december)
    const types: string[] = []
    const order = planLedger(december).documents[0]?.orders[0]?.orderId
    for await (const recorded of readStream(open.eventStore, `order-${order}`)) {
      const event = await open.codec.decode(recorded)
      types.push(event.type)
      expect(event.source).toBe('import')
      expect(event.actor).toEqual({ role: 'system', id: 'import-retail' })
    }
    expect(types).toEqual([
      'OrderSubmitted',
      'OrderPlaced',
      'OrderPaid',
      'OrderShipped',
      'OrderDelivered',
      'ItemsReturned',
    ])
  })

  it('leaves the stock that came back, and none else', async () => {
    expect(await stockOf('71053')).toBe(2)
    expect(await stockOf('85123A')).toBe(0)
  })

  it('agrees with the read models by day, customer and code', async () => {
    await project(open)
    const { counts, comparisons, refusedMinor } = await check(december, planLedger(december))
    expect(
      comparisons.map(({ dimension, groups, differences }) => [dimension, groups, differences]),
    ).toEqual([
      ['day', 2, []],
      ['customer', 2, []],
      ['code', 5, []],
    ])
    expect(Object.fromEntries(counts.byEnd)).toMatchObject({
      'order lines': 3,
      'charges of orders': 1,
      returns: 1,
      'credit notes': 1,
      'stock adjustments': 1,
      refusals: 1,
    })
    expect(refusedMinor).toBe(0)
  })

  it('shows where the read models do not agree', async () => {
    await open.pool.query("update readmodel.sale_lines set amount_minor = 1 where sku = 'POST'")
    const { comparisons } = await check(december, planLedger(december))
    expect(comparisons.map(each => each.differences)).toEqual([
      [{ group: '2010-12-01', file: 4_864, projections: 3_065 }],
      [{ group: '17850', file: 3_676, projections: 1_877 }],
      [{ group: 'POST', file: 1_800, projections: 1 }],
    ])
    await open.pool.query("update readmodel.sale_lines set amount_minor = 1800 where sku = 'POST'")
  })

  it('writes nothing when it is imported again', async () => {
    const head = await open.eventStore.head()
    await importInto(open, december)
    expect(await open.eventStore.head()).toBe(head)
  })
})

describe('another stretch of the same ledger', () => {
  it('takes goods back to orders of the first one', async () => {
    const plan = await importInto(open, january)
    const [sale, back] = plan.documents
    const first = planLedger(december).documents[0]
    expect(back?.returns.map(each => [each.orderId, each.lines[0]?.quantity])).toEqual([
      [sale?.orders[0]?.orderId, 5],
      [first?.orders[0]?.orderId, 2],
    ])
    expect(await stockOf('71053')).toBe(9)
  })

  it('plans the same returns when it is imported again', async () => {
    const earlier = await readEarlierImports(open.eventStore, open.codec)
    const pieces = planLedger(january, earlier).documents[1]?.returns.map(
      each => each.lines[0]?.quantity,
    )
    // Side by side they went into the log in any order.
    expect(pieces?.toSorted()).toEqual([2, 5])
    await project(open)
    const { comparisons } = await check(january, planLedger(january, earlier))
    expect(comparisons.flatMap(each => each.differences)).toEqual([])
  })

  it('brings its own stock where it repeats documents that are in', async () => {
    const more = ledgerRows(
      { InvoiceNo: '1', Quantity: '6' },
      { InvoiceNo: '9', Quantity: '100', InvoiceDate: '2011-01-07 08:00:00' },
    )
    const plan = await importInto(open, [...december, ...more.slice(1)])
    const order = plan.documents.at(-1)?.orders[0]?.orderId ?? ''
    expect((await open.app.orders.load(order)).state).toMatchObject({ status: 'delivered' })
    expect(await stockOf('71053')).toBe(0)
  })
})

describe('a document that grew since it was imported', () => {
  it('is counted as refused with the reason, not as imported', async () => {
    const rows = [
      ...ledgerRows({ InvoiceNo: '2', StockCode: '85123A', CustomerID: '' }),
      ...december,
    ]
    const grown = rows.map((row, index) => ({ ...row, row: index + 2 }))
    const { counts } = await check(grown, planLedger(grown))
    expect(counts.refusals).toContainEqual({
      reason: 'was imported before, when its document had 1 rows',
      rows: 2,
      firstRow: 2,
    })
  })
})

describe('npm run import:retail', () => {
  it('ends once everything in the log is signed, without any worker', async () => {
    const redis = await testRedis()
    const directory = await temporaryDirectory()
    const file = join(directory, 'february.csv')
    await writeFile(file, ledgerText([{ InvoiceNo: '20', InvoiceDate: '2011-02-01 08:00:00' }]))
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      SMTP_URL: 'smtp://127.0.0.1:1',
      SECRET_KEY: '5'.repeat(64),
      AUDIT_DIR: directory,
    }
    const child = spawn(process.execPath, ['tools/importRetail.ts', file], { env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text
      })
    }
    await once(child, 'close')
    expect(child.exitCode, output).toBe(0)
    const head = await open.eventStore.head()
    expect((await open.audit.book.last())?.position, output).toBe(head)
    await redis.release()
    await rm(directory, { recursive: true, force: true })
  })
})
