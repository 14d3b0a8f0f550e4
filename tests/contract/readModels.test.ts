// New columns of a read model are filled by a rebuild, which a higher version of its projection
// asks for: each version keeps the columns that it was recorded with.
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { catalogFile } from '../../src/infra/audit/catalogGuard.ts'
import { projections } from '../../src/projections/index.ts'

const file = new URL('readModels.json', import.meta.url)

/** The columns of the migrated database by table, but for those that PostgreSQL computes. */
async function columnsByTable() {
  const columns = new Map<string, string[]>()
  for (const line of (await readFile(catalogFile, 'utf8')).split('\n')) {
    const [, table, column, rest = ''] = /^column readmodel\.(\w+)\.(\w+) = (.*)$/.exec(line) ?? []
    if (table === undefined || column === undefined || / generated /.test(rest)) continue
    columns.set(table, [...(columns.get(table) ?? []), `${table}.${column}`])
  }
  return columns
}

/** The columns of each projection by `name@version`. */
async function currentColumns(): Promise<Record<string, string[]>> {
  const columns = await columnsByTable()
  const entries = projections.map(({ name, version, tables }) => [
    `${name}@${version}`,
    tables.flatMap(table => columns.get(table) ?? []).sort(),
  ])
  return Object.fromEntries(entries)
}

/** As they were recorded. `UPDATE_GOLDEN=1` replaces entries of earlier versions, and no others. */
async function recordedColumns(current: Record<string, string[]>) {
  const recorded: Record<string, string[]> = JSON.parse(await readFile(file, 'utf8'))
  if (process.env.UPDATE_GOLDEN !== '1') return recorded
  const names = Object.keys(current)
  const next = Object.fromEntries(names.map(name => [name, recorded[name] ?? current[name] ?? []]))
  await writeFile(file, `${JSON.stringify(next, null, 2)}\n`)
  return next
}

describe('the columns of a projection', () => {
  it('change with its version alone', async () => {
    const current = await currentColumns()
    const advice = 'raise the version of the projection, then run this test with UPDATE_GOLDEN=1'
    expect(current, advice).toEqual(await recordedColumns(current))
  })
})
