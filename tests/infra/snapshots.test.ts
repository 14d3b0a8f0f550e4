// Snapshots in PostgreSQL: the newest one of a stream is kept, whoever is slow.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Snapshot } from '../../src/commands/ports.ts'
import { createPool, type Pool } from '../../src/infra/database.ts'
import { createSnapshots } from '../../src/infra/snapshots.ts'
import { testDatabase } from '../support/database.ts'

describe('snapshots', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>
  let pool: Pool

  beforeAll(async () => {
    database = await testDatabase()
    pool = createPool(database.url)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const at = (revision: number, version = 1): Snapshot => {
    const written = JSON.stringify({ z: 1, a: ['\u0000', revision] })
    return { revision, eventId: randomUUID(), version, written }
  }

  it('are found as they were written', async () => {
    const snapshots = createSnapshots(pool)
    const snapshot = at(2_000)
    await snapshots.keep('stock-1', snapshot)
    expect(await snapshots.find('stock-1')).toEqual(snapshot)
    expect(await snapshots.find('stock-2')).toBeUndefined()
  })

  it('do not go back, but for another form', async () => {
    const snapshots = createSnapshots(pool)
    const [newer, older, other] = [at(4_000), at(3_999), at(3_000, 2)]
    await snapshots.keep('stock-3', newer)
    await snapshots.keep('stock-3', older)
    expect(await snapshots.find('stock-3')).toEqual(newer)
    await snapshots.keep('stock-3', other)
    expect(await snapshots.find('stock-3')).toEqual(other)
  })
})
