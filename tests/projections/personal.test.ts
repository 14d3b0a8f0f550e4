// What is personal is declared once, in the schemas of events: columns that hold it follow.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { eraseCustomer } from '../../src/commands/customer/customer.ts'
import type { eventSchemas } from '../../src/domain/index.ts'
import { personalPaths, withTexts } from '../../src/domain/kernel/personal.ts'
import { personalColumns } from '../../src/projections/forgetting.ts'
import { projections } from '../../src/projections/index.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { exampleOf } from '../support/arbitrary.ts'
import { atRest } from '../support/auditing.ts'
import { aggregates } from '../support/brokenText.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

describe('a personal column', () => {
  it('is of a projection that reads who is erased', () => {
    for (const { table } of personalColumns) {
      const owner = projections.find(({ tables }) => tables.includes(table))
      expect(owner?.on, table).toContain('CustomerErased')
    }
  })
})

describe('a log with something unmistakable in every personal field', () => {
  let app: TestApp
  let person = ''
  /** By the field that has it. */
  const canaries = new Map<string, string>()
  beforeAll(async () => {
    app = await startTestApp()
    person = (await app.person('warehouse')).id
    await appendCanaries()
    await atRest(app.back)
  })
  afterAll(() => app?.close())

  function marked(type: string, schema: (typeof eventSchemas)[string]) {
    const example: Record<string, unknown> = { ...exampleOf(schema) }
    if ('customerId' in example) example.customerId = person
    const texts = personalPaths(schema).map(path => {
      const canary = `cnry${String(canaries.size).padStart(3, '0')}q`
      canaries.set(`${type} ${path.join('/')}`, canary)
      return [path.join('/'), canary]
    })
    return withTexts(example, Object.fromEntries(texts))
  }

  async function appendCanaries() {
    const { codec, eventStore } = app.back
    const actor = { role: 'warehouse', id: person, roles: ['warehouse'] } as const
    const envelope = { ...systemEnvelope('test', new Date()), actor }
    for (const { category, events } of aggregates) {
      const id = category === 'customer' ? person : randomUUID()
      for (const [type, schema] of Object.entries(events)) {
        if (type === 'CustomerErased') continue
        const data = marked(type, schema)
        if (category === 'order') Object.assign(data, { orderId: id })
        const event = await codec.encode({ type, data }, randomUUID(), envelope, person)
        await eventStore.append(`${category}-${id}`, 'any', [event])
      }
    }
  }

  /** The columns of all tables that are written to, as `schema.table.column`, and their text. */
  async function columnTexts() {
    const { pool } = app.back
    const { rows } = await pool.query<{ place: string; schema: string; name: string; col: string }>(
      `select n.nspname || '.' || c.relname || '.' || a.attname as place,
        n.nspname as schema, c.relname as name, a.attname as col
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
        and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
    )
    const texts = rows.map(async ({ place, schema, name, col }) => {
      const found = await pool.query<{ text: string | null }>(
        `select string_agg("${col}"::text, ' ') as text from "${schema}"."${name}"`,
      )
      return { place, text: found.rows[0]?.text ?? '' }
    })
    return Promise.all(texts)
  }

  /** Where which fields can be read. The words of a search follow from other columns. */
  async function readablePlaces(): Promise<Map<string, string[]>> {
    const columns = await columnTexts()
    const found = new Map<string, string[]>()
    for (const [field, canary] of canaries) {
      const places = columns.filter(({ text }) => text.includes(canary)).map(each => each.place)
      if (places.length > 0) found.set(field, places)
    }
    return found
  }

  it('is found in the columns that are declared, and in no others', async () => {
    const declared = new Set(personalColumns.map(each => `readmodel.${each.table}.${each.column}`))
    const words = new Set(['readmodel.orders.words', 'readmodel.customers.words'])
    const found = await readablePlaces()
    for (const [field, places] of found) {
      const others = places.filter(place => !declared.has(place) && !words.has(place))
      expect(others, field).toEqual([])
    }
    const seen = new Set([...found.values()].flat())
    expect([...declared].filter(place => !seen.has(place))).toEqual([])
  })

  it('is found nowhere once its person is erased, also where a rebuild has kept it', async () => {
    const { back } = app
    const tables = personalColumns.map(({ table }) => table)
    const about = projections.filter(each => each.tables.some(table => tables.includes(table)))
    await rebuild(back.db, about, { ...rebuildLog(back), onProgress: () => undefined })
    const before = [...(await readablePlaces()).values()].flat()
    expect(before.some(place => place.startsWith('previous_'))).toBe(true)
    const actor = { role: 'customer', id: person, roles: ['customer'] } as const
    const envelope = { ...systemEnvelope('erase', new Date()), actor }
    await execute(back.app, eraseCustomer, { customerId: person }, envelope)
    await waitFor('nothing to be readable', async () => (await readablePlaces()).size === 0)
  })
})
