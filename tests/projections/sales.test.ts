// Totals of sales are what their lines come to, however the events arrive: values written by hand.
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import type { ReadEvent } from '../../src/projections/core/events.ts'
import { applyPlan } from '../../src/projections/core/plan.ts'
import { digestOf } from '../../src/projections/rebuild/shadow.ts'
import type { ReportDimension } from '../../src/projections/sales/salePeriods.ts'
import { sales } from '../../src/projections/sales/sales.ts'
import { salesReport } from '../../src/projections/sales/salesReport.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { gbp, sampleId } from '../support/samples.ts'

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
beforeEach(() => pool.query(`truncate ${sales.tables.join()}`))

const lamp = { productId: sampleId(1), sku: 'LAMP' }
const spade = { productId: sampleId(2), sku: 'SPADE' }
const [lights, garden] = [sampleId(41), sampleId(42)]
const [ann, bob, eve] = [sampleId(31), sampleId(32), sampleId(33)]

const event = (at: string, type: ReadEvent['type'], data: object) =>
  ({ type, at: `${at}Z`, data }) as unknown as ReadEvent

interface Goods {
  sku: string
  productId: string
  name: string
  quantity: number
  total: { amount: number; currency: string }
}

/** An order of one kind of goods, or of several. */
function ordered(at: string, order: number, customerId: string, ...lines: Goods[]) {
  const charges = order === 11 ? [{ code: 'POST', name: 'Postage', amount: gbp(395) }] : []
  const country = order === 11 ? 'GB' : null
  return event(at, 'OrderSubmitted', {
    orderId: sampleId(order),
    ...{ customerId, country, lines, charges },
  })
}
const line = (goods: typeof lamp, name: string, quantity: number, total: number): Goods => ({
  ...goods,
  ...{ name, quantity, total: gbp(total) },
})
const paid = (at: string, order: number) =>
  event(at, 'OrderPaid', { orderId: sampleId(order), amount: gbp(1) })
const inCategory = (goods: typeof lamp, categoryId: string | null) =>
  event('1970-01-01T00:00:00.000', 'ProductDetailsChanged', { ...goods, categoryId })

const story: readonly ReadEvent[] = [
  inCategory(lamp, lights),
  inCategory(spade, garden),
  ordered('1971-06-01T11:59:00.000', 16, eve, line(lamp, 'Old lamp', 1, 100)),
  paid('1971-06-01T12:00:00.000', 16),
  ordered(
    '2025-01-31T23:50:00.000',
    11,
    ann,
    line(lamp, 'Lamp', 2, 2_000),
    line(spade, 'Spade', 1, 500),
  ),
  paid('2025-01-31T23:59:59.999', 11),
  inCategory(lamp, null),
  ordered('2025-02-10T10:00:00.000', 12, bob, line(lamp, 'Lantern', 3, 3_000)),
  ordered('2025-02-11T10:00:00.000', 14, bob, line(lamp, 'Never paid', 9, 9_000)),
  paid('2025-02-14T18:29:00.000', 12),
  event('2025-03-02T09:00:00.000', 'OrderRefunded', {
    orderId: sampleId(12),
    ...{ refundId: sampleId(71), amount: gbp(600) },
  }),
  ordered('2025-02-14T12:00:00.000', 17, eve, {
    ...line(spade, 'Spade', 1, 0),
    total: { amount: 700, currency: 'EUR' },
  }),
  paid('2025-02-14T12:01:00.000', 17),
  ordered('2025-02-20T12:00:00.000', 13, ann, line(spade, 'Spade', 5, 2_500)),
  paid('2025-02-20T12:01:00.000', 13),
  event('2025-02-20T13:00:00.000', 'OrderRefunded', {
    orderId: sampleId(13),
    ...{ refundId: sampleId(72), amount: gbp(100) },
  }),
  event('2025-02-21T12:00:00.000', 'OrderCancelled', { orderId: sampleId(13) }),
  ordered('2025-03-05T12:00:00.000', 15, bob, line(spade, 'Spade', 4, 2_000)),
  paid('2025-03-05T12:01:00.000', 15),
  event('2025-03-20T10:00:00.000', 'CreditNoteIssued', {
    ...{ creditNoteId: sampleId(81), customerId: ann, country: 'GB' },
    lines: [line(spade, 'Spade', 1, -500)],
  }),
  event('2025-03-28T10:00:00.000', 'ItemsReturned', {
    ...{ orderId: sampleId(15), returnId: sampleId(73), amount: gbp(500) },
    ...{ lines: [line(spade, 'Spade', 1, 500)], charges: [] },
  }),
]

async function apply(events: readonly ReadEvent[], size: number) {
  for (let from = 0; from < events.length; from += size) {
    const batch = events.slice(from, from + size)
    await db.transaction().execute(async trx => {
      await applyPlan(await sales.plan(batch, trx), trx)
    })
  }
}

/** `key currency orders quantity gross returned`, a line each. */
async function report(by: ReportDimension, days = '', timeZone = 'UTC') {
  const [from, to] = days.split(' ').map(day => day || undefined)
  const { data } = await salesReport(db, { by, from, to, timeZone, limit: null })
  return data.map(({ key, orders, quantity, gross, returned, net }) => {
    expect(net.amount).toBe(gross.amount - returned.amount)
    return `${key} ${gross.currency} ${orders} ${quantity} ${gross.amount} ${returned.amount}`
  })
}

async function expectAll() {
  expect(await report('product')).toEqual([
    'LAMP GBP 3 6 5100 600',
    'SPADE GBP 2 3 2500 1000',
    'SPADE EUR 1 1 700 0',
    'POST GBP 1 1 395 0',
  ])
  expect(await report('category')).toEqual([
    'null GBP 2 4 3395 600',
    `${lights} GBP 2 3 2100 0`,
    `${garden} GBP 2 3 2500 1000`,
    `${garden} EUR 1 1 700 0`,
  ])
  expect(await report('country')).toEqual([
    'null GBP 3 7 5100 1100',
    'GB GBP 1 3 2895 500',
    'null EUR 1 1 700 0',
  ])
  expect(await report('customer')).toEqual([
    `${bob} GBP 2 6 5000 1100`,
    `${ann} GBP 1 3 2895 500`,
    `${eve} EUR 1 1 700 0`,
    `${eve} GBP 1 1 100 0`,
  ])
  expect(await report('day')).toEqual([
    '1971-06-01 GBP 1 1 100 0',
    '2025-01-31 GBP 1 4 2895 0',
    '2025-02-14 EUR 1 1 700 0',
    '2025-02-14 GBP 1 3 3000 0',
    '2025-03-02 GBP 0 0 0 600',
    '2025-03-05 GBP 1 4 2000 0',
    '2025-03-20 GBP 0 -1 0 500',
    '2025-03-28 GBP 0 -1 0 500',
  ])
}

describe('sales', () => {
  it.each([1, 2, 3, 4, 5, 7, 100])('are the same in batches of %i', async size => {
    await apply(story, size)
    await expectAll()
  })

  it('are the same row by row, and when every event comes twice', async () => {
    await apply(story, 1)
    const digest = await digestOf(db, sales, 'readmodel')
    await pool.query(`truncate ${sales.tables.join()}`)
    await apply(
      story.flatMap(each => [each, each]),
      3,
    )
    expect(await digestOf(db, sales, 'readmodel')).toBe(digest)
    await pool.query(`update sale_totals set orders = orders + 1 where key = 'POST'`)
    expect(await digestOf(db, sales, 'readmodel')).not.toBe(digest)
  })

  it('have the names that goods were ordered under last', async () => {
    await apply(story, 100)
    const range = { by: 'product', from: undefined, to: undefined, timeZone: 'UTC' } as const
    const { data } = await salesReport(db, { ...range, limit: null })
    expect(data.map(({ name }) => name)).toEqual(['Never paid', 'Spade', 'Spade', 'Postage'])
  })
})

describe('a report of some days', () => {
  beforeEach(() => apply(story, 100))

  it('adds what is before the first whole month and behind the last', async () => {
    const days = '2025-02-01 2025-03-04'
    expect(await report('product', days, 'Asia/Kolkata')).toEqual([
      'LAMP GBP 2 5 5000 600',
      'SPADE EUR 1 1 700 0',
      'SPADE GBP 1 1 500 0',
      'POST GBP 1 1 395 0',
    ])
    expect(await report('product', days)).toEqual(['LAMP GBP 1 3 3000 600', 'SPADE EUR 1 1 700 0'])
  })

  it('takes off what is in a whole month and not in these days', async () => {
    expect(await report('customer', '2025-02-01 2025-03-25')).toEqual([
      `${bob} GBP 2 7 5000 600`,
      `${eve} EUR 1 1 700 0`,
      `${ann} GBP 0 -1 0 500`,
    ])
    expect(await report('customer', '2025-02-01 2025-03-19')).toEqual([
      `${bob} GBP 2 7 5000 600`,
      `${eve} EUR 1 1 700 0`,
    ])
    expect(await report('category', ' 2025-03-27')).toEqual([
      'null GBP 2 4 3395 600',
      `${lights} GBP 2 3 2100 0`,
      `${garden} GBP 2 4 2500 500`,
      `${garden} EUR 1 1 700 0`,
    ])
  })

  it('has days that begin in the time zone, also by half hours and long ago', async () => {
    expect(await report('day', '2025-02-01 2025-02-14', 'Asia/Kolkata')).toEqual([
      '2025-02-01 GBP 1 4 2895 0',
      '2025-02-14 EUR 1 1 700 0',
      '2025-02-14 GBP 1 3 3000 0',
    ])
    // Liberia was 44 minutes and 30 seconds behind UTC.
    expect(await report('day', '1971-01-01 1972-01-01', 'Africa/Monrovia')).toHaveLength(1)
    await apply([paid('1971-06-02T00:44:29.000', 16)], 1)
    expect(await report('day', '1971-06-01 1971-06-01', 'Africa/Monrovia')).toEqual([
      '1971-06-01 GBP 1 1 100 0',
    ])
    await apply([paid('1971-06-02T00:44:30.000', 16)], 1)
    expect(await report('day', '', 'Africa/Monrovia')).toContain('1971-06-02 GBP 1 1 100 0')
  })

  it('has a few days inside one month, or one', async () => {
    expect(await report('product', '2025-02-14 2025-02-14')).toEqual([
      'LAMP GBP 1 3 3000 0',
      'SPADE EUR 1 1 700 0',
    ])
    expect(await report('country', '2025-03-06 2025-03-27')).toEqual(['GB GBP 0 -1 0 500'])
  })
})

describe('totals', () => {
  it('are all that a report without days reads, and one of whole months', async () => {
    await apply(story, 100)
    await pool.query('delete from sale_lines where sold_at > $1', ['1980-01-01T00:00Z'])
    await expectAll()
    expect(await report('product', '2025-03-01 2025-03-31')).toEqual([
      'SPADE GBP 1 2 2000 1000',
      'LAMP GBP 0 0 0 600',
    ])
  })

  it('are what the migration makes of lines that are there', async () => {
    await apply(story, 100)
    const all = async () => (await pool.query('select * from sale_totals order by 1, 2, 3, 4')).rows
    const before = await all()
    const file = new URL('../../migrations/0073_sale_totals.sql', import.meta.url)
    const text = await readFile(file, 'utf8')
    const [filling] = /insert into readmodel\.sale_totals[^;]*;/.exec(text) ?? []
    await pool.query('truncate sale_totals')
    await pool.query(String(filling))
    expect(await all()).toEqual(before)
    expect(before.length).toBeGreaterThan(20)
  })

  it('are by periods in which no day begins, in any time zone that there is', async () => {
    const { rows } = await pool.query(`
      select z.name, at
      from pg_timezone_names z,
        generate_series('1980-01-01Z'::timestamptz, '2030-01-01Z', interval '183 days') at
      where extract(epoch from at at time zone z.name)::bigint % 900 <> 0
        and z.name not like 'posix%'`)
    expect(rows).toEqual([])
  })
})
