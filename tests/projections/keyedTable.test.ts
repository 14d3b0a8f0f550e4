// Rows that are folded from events: what is different is written, and nothing else.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import type { ReadEvent } from '../../src/projections/core/events.ts'
import { execute, fold } from '../../src/projections/core/keyedTable.ts'
import { boolean, type RowOf, text, uuid } from '../../src/projections/core/table.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { sampleId } from '../support/samples.ts'

const categories = {
  name: 'categories',
  key: 'category_id',
  columns: { category_id: uuid, name: text, description: text, active: boolean },
} as const
type CategoryRow = RowOf<typeof categories>

let database: TestDatabase
let pool: Pool
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url)
  db = createDatabase(pool)
  const insert = `
    insert into categories
      (category_id, name, description, active, deleted, revision, created_at, updated_at)
    values ($1, 'name ' || $2, 'description ' || $2, true, false, $2::int, now(), now())`
  for (const number of [1, 2, 3]) await pool.query(insert, [sampleId(number), `${number}`])
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

/** Of an event nothing but its key and its type is asked here. */
const eventOf = (number: number, type: ReadEvent['type'] = 'CategoryChanged') =>
  ({ stream: sampleId(number), type }) as ReadEvent

/** Statements that bring the rows with these numbers to where `evolve` says. */
async function folded(numbers: number[], evolve: (row: CategoryRow | undefined) => CategoryRow) {
  const events = numbers.map(number => eventOf(number))
  return (await fold(db, categories, events, { keyOf: ({ stream }) => stream, evolve })).writes
}

const rename = (row: CategoryRow | undefined) => ({ ...kept(row), name: `new ${row?.name}` })

function kept(row: CategoryRow | undefined): CategoryRow {
  if (row === undefined) throw new Error('the row is not there')
  return row
}

async function rows() {
  const { rows: found } = await pool.query(
    'select name, description, active, revision::int from categories order by category_id',
  )
  return found
}

describe('rows that are there', () => {
  it('are written where they differ; columns that the fold does not know stay', async () => {
    const writes = await folded([1, 2], rename)
    expect(writes).toHaveLength(1)
    const [write] = writes
    expect(write?.sql).toContain('"name" = r."name"')
    expect(write?.sql).not.toContain('description')
    expect(String(write?.parameters[0])).not.toContain('description')
    await execute(db, writes)
    expect(await rows()).toEqual([
      { name: 'new name 1', description: 'description 1', active: true, revision: 1 },
      { name: 'new name 2', description: 'description 2', active: true, revision: 2 },
      { name: 'name 3', description: 'description 3', active: true, revision: 3 },
    ])
  })

  it('are written together where they differ in different columns', async () => {
    let turn = 0
    const writes = await folded([2, 3], row => {
      turn += 1
      return turn === 1 ? { ...kept(row), active: false } : { ...kept(row), description: 'other' }
    })
    expect(writes).toHaveLength(1)
    await execute(db, writes)
    expect((await rows()).slice(1)).toEqual([
      { name: 'new name 2', description: 'description 2', active: false, revision: 2 },
      { name: 'name 3', description: 'other', active: true, revision: 3 },
    ])
  })

  it('are not written where they are the same again', async () => {
    expect(await folded([1], row => ({ ...kept(row) }))).toEqual([])
    expect(await folded([1], kept)).toEqual([])
  })
})

describe('a row that an event makes', () => {
  async function foundFor(events: ReadEvent[]) {
    const found: (CategoryRow | undefined)[] = []
    await fold(db, categories, events, {
      keyOf: ({ stream }) => stream,
      isCreation: ({ type }) => type === 'CategoryCreated',
      evolve(row) {
        found.push(row)
        return row
      },
    })
    return found
  }

  it('is not looked for where the batch begins with that event', async () => {
    const found = await foundFor([eventOf(1, 'CategoryCreated'), eventOf(1), eventOf(2)])
    expect(found).toEqual([undefined, undefined, expect.objectContaining({ name: 'new name 2' })])
  })

  it('is looked for where other events come first', async () => {
    const found = await foundFor([eventOf(1), eventOf(1, 'CategoryCreated')])
    expect(found).toHaveLength(2)
    expect(found[0]).toMatchObject({ name: 'new name 1' })
  })
})
