// What is copied into a table comes out as what is inserted does, whatever letters are in it.
import fc from 'fast-check'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createDatabase,
  createPool,
  type Database,
  type Pool,
} from '../../src/infra/postgres/database.ts'
import { copyOf } from '../../src/projections/core/copyIn.ts'
import { execute, insertOf } from '../../src/projections/core/keyedTable.ts'
import {
  boolean,
  json,
  jsonb,
  nullable,
  position,
  type RowOf,
  text,
  texts,
  time,
} from '../../src/projections/core/table.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

let database: TestDatabase
let pool: Pool
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url, { size: 1 })
  db = createDatabase(pool)
  await pool.query(`
    create table readmodel.samples (
      position bigint primary key, note text, list text[], data jsonb, kept json,
      flag boolean, at timestamptz
    )
  `)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

const samples = {
  name: 'samples',
  columns: {
    position,
    note: nullable(text),
    list: texts,
    data: nullable(jsonb(Type.Object({}))),
    kept: nullable(json(Type.Object({}))),
    flag: boolean,
    at: nullable(time),
  },
} as const
type Sample = RowOf<typeof samples>

async function through(statement: typeof copyOf<Sample>, rows: readonly Sample[]) {
  await pool.query('delete from samples')
  await execute(db, [statement(samples, rows)])
  return stored()
}

const oneByOne = async (rows: readonly Sample[]) => {
  await pool.query('delete from samples')
  for (const row of rows) await execute(db, insertOf(samples, [row]))
  return stored()
}

/** With what is kept as it was written letter by letter. */
async function stored() {
  const { rows } = await pool.query('select *, kept::text as kept from samples order by position')
  return rows
}

const sample = (number: number, note: string): Sample => ({
  position: String(number),
  note,
  list: [note, 'plain', ''],
  data: { [note]: note, nested: [note, 1, null] },
  kept: { z: note, [note]: note, a: [note, 1, null] },
  flag: number % 2 === 0,
  at: '2026-11-21T10:00:00.123Z',
})

describe('rows that are copied', () => {
  it('keep every letter that means something to COPY, to arrays or to JSON', async () => {
    const notes = [
      '\t',
      '\n',
      '\r',
      '\\',
      '\\N',
      '\\.',
      '"',
      '{}',
      ',',
      'NULL',
      "'",
      'Zoë 李 🏮',
      '',
    ]
    const rows = notes.map((note, index) => sample(index, note))
    expect(await through(copyOf, rows)).toEqual(await oneByOne(rows))
  })

  it('keep what is not there apart from what is empty', async () => {
    const none = { note: null, data: null, kept: null, at: null }
    const nothing = { position: '1', list: [], flag: false, ...none }
    expect(await through(copyOf, [nothing])).toEqual(await oneByOne([nothing]))
  })

  it('are the same as inserted ones for any text', async () => {
    const text = fc.string({ unit: 'binary' }).map(each => each.replaceAll('\0', ''))
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 8 }), async notes => {
        const rows = notes.map((note, index) => sample(index, note.toWellFormed()))
        expect(await through(copyOf, rows)).toEqual(await oneByOne(rows))
      }),
      { numRuns: 30 },
    )
  })
})
