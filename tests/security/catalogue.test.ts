// A superuser of the database may change tables and what runs when they are used: each difference
// to what the migrations make is found.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { createStateGuard } from '../../src/infra/audit/stateGuard.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { createPool, type Pool, type Session } from '../../src/infra/postgres/database.ts'
import type { StateGuard } from '../../src/ports/audit.ts'
import { builtInAttacks } from '../support/builtInAttacks.ts'
import { catalogAttacks } from '../support/catalogAttacks.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { objectAttacks } from '../support/objectAttacks.ts'

let database: TestDatabase
let pool: Pool
let guard: StateGuard
let superuser: Session

beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url, { size: 3 })
  superuser = await pool.connect()
  await superuser.query('set session_replication_role = replica; create schema saved')
  guard = createStateGuard(pool, createSecrets(new Secret('k'.repeat(48))), { holdsLog: true })
})
afterAll(async () => {
  superuser?.release(true)
  await pool?.end()
  await database?.drop()
})

const nothingInLog = { readAll: async function* () {} }

async function findings(): Promise<string> {
  const found: string[] = []
  for await (const { key, detail } of guard.findings(nothingInLog)) found.push(`${key}: ${detail}`)
  return found.join('\n')
}

describe('the catalogue of the database', () => {
  it.each([...catalogAttacks, ...objectAttacks])(
    'is compared with the migrations: %s',
    async (_, statement, back, finding) => {
      await superuser.query(statement)
      const found = await findings()
      await superuser.query(back)
      expect(found).toMatch(finding)
    },
  )

  it('is as the migrations make it once all of that is taken back', async () => {
    // Nobody has started a shop here.
    expect(await findings()).toBe('shop.identity: It has 0 rows instead of one.')
  })

  // What is changed back stays another row than PostgreSQL came with.
  it.each(builtInAttacks)('says what was changed in PostgreSQL itself: %s', async (...attack) => {
    const [, statement, back, finding] = attack
    await superuser.query(statement)
    const found = await findings()
    await superuser.query(back)
    expect(found).toMatch(finding)
  })
})
