// Statements of a batch go together: all of them are written or none, whichever way they are sent.

import { CompiledQuery } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import type { Position } from '../../src/kit/position.ts'
import { acquire, advancing, ensureCheckpoints } from '../../src/projections/core/checkpoints.ts'
import { copyFrom } from '../../src/projections/core/copyIn.ts'
import { commitBatch } from '../../src/projections/core/engine.ts'
import { insertOf } from '../../src/projections/core/keyedTable.ts'
import { runPipeline } from '../../src/projections/core/pipeline.ts'
import type { Projection } from '../../src/projections/core/projection.ts'
import { nullable, uuid } from '../../src/projections/core/table.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { positionAt } from '../support/positions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database?.drop())

const categories = {
  name: 'sale_categories',
  columns: { product_id: uuid, category_id: nullable(uuid) },
} as const

const row = (number: number) => ({
  product_id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
  category_id: null,
})

const rowsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => row(first + index))

describe.each([
  ['without waiting in between', true],
  ['one after the other', false],
])('statements that are sent %s', (_, pipeline) => {
  let pool: Pool
  let db: Database
  beforeAll(async () => {
    pool = createPool(database.url, { size: 1, pipeline })
    db = createDatabase(pool)
    await pool.query('truncate sale_categories')
  })
  afterAll(() => pool?.end())

  const count = async () => {
    const { rows } = await pool.query<{ count: Position }>('select count(*) from sale_categories')
    return Number(rows[0]?.count)
  }

  it('say how much each has written', async () => {
    const few = insertOf(categories, rowsFrom(0, 3))
    const many = insertOf(categories, rowsFrom(100, copyFrom))
    expect(await runPipeline(db, [...few, ...few])).toEqual([3, 0])
    expect(await runPipeline(db, [...few, ...many, ...few])).toEqual([0, copyFrom, 0])
    expect(await count()).toBe(3 + copyFrom)
  })

  it.each([
    ['an insert', 2],
    ['a COPY', copyFrom],
  ])(
    'leave nothing of %s behind when a later one fails, and the session as it was',
    async (...of) => {
      const before = await count()
      const added = insertOf(categories, rowsFrom(1_000, of[1]))
      const failing = CompiledQuery.raw('select 1 / $1::integer', [0])
      const others = insertOf(categories, rowsFrom(2_000, 2))
      await expect(runPipeline(db, [...added, failing, ...others])).rejects.toThrow('by zero')
      expect(await count()).toBe(before)
      expect(await runPipeline(db, others)).toEqual([2])
      await pool.query('delete from sale_categories where product_id = any($1)', [
        rowsFrom(2_000, 2).map(each => each.product_id),
      ])
    },
  )

  it('pass over the rows of a COPY that fails, or that comes behind what fails', async () => {
    const there = insertOf(categories, rowsFrom(4_000, 1))
    await runPipeline(db, there)
    const before = await count()
    const copied = insertOf(categories, rowsFrom(4_000, copyFrom))
    const failing = CompiledQuery.raw('select 1 / $1::integer', [0])
    await expect(runPipeline(db, [...copied, ...there])).rejects.toMatchObject({ code: '23505' })
    await expect(runPipeline(db, [failing, ...copied])).rejects.toThrow('by zero')
    await expect(Promise.all(copied.map(each => db.executeQuery(each)))).rejects.toThrow()
    expect(await count()).toBe(before)
    expect(await runPipeline(db, there)).toEqual([0])
  })

  it('write nothing for who has lost its lease meanwhile', async () => {
    const named = { name: `leased ${pipeline}`, version: 1 }
    await ensureCheckpoints(db, [named])
    const [lease] = await acquire(db, [named], 'one')
    if (lease === undefined) throw new Error('somebody has the lease')
    const added = insertOf(categories, rowsFrom(3_000, 1))
    const before = await count()
    await acquire(db, [named], 'one')
    const late = runPipeline(db, [advancing(db, [lease], positionAt(7)), ...added])
    await expect(late).rejects.toMatchObject({ code: 'OS001' })
    expect(await count()).toBe(before)
    const projection: Projection = {
      ...named,
      tables: [],
      personal: [],
      on: ['CartCleared'],
      signals: [],
      plan: async () => ({ writes: added }),
    }
    const parking = { name: named.name, streams: new Set<string>(), onParked: () => undefined }
    const batch = { items: [], position: positionAt(7) }
    const outcome = commitBatch(db, [{ projection, lease, parking }], batch)
    await expect(outcome).rejects.toMatchObject({ name: 'LeaseLost' })
    const [current] = await acquire(db, [named], 'one')
    if (current === undefined) throw new Error('somebody has the lease')
    expect(await runPipeline(db, [advancing(db, [current], positionAt(7)), ...added])).toEqual([
      1, 1,
    ])
  })
})
