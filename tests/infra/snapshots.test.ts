// What is kept under a seal: events, snapshots, of which the newest stays, the mark of the signer.

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { watchSeals } from '../../src/audit/sealCheck.ts'
import { Secret } from '../../src/config/secret.ts'
import { createEventSeals } from '../../src/eventstore/core/eventSeals.ts'
import {
  createHighWaterMarks,
  fileStore,
  type MarkStore,
  redisStore,
  tableStore,
} from '../../src/infra/audit/highWaterMarks.ts'
import { createSecrets } from '../../src/infra/crypto/secrets.ts'
import { createSnapshots } from '../../src/infra/log/snapshots.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { createRedis, type Redis } from '../../src/infra/redis/redis.ts'
import type { Position } from '../../src/kit/position.ts'
import type { Snapshot } from '../../src/ports/caches.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { numberOf, positionAt } from '../support/positions.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/servers.ts'

let database: TestDatabase
let pool: Pool
beforeAll(async () => {
  database = await testDatabase()
  pool = createPool(database.url)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const secrets = createSecrets(new Secret('s'.repeat(32)))

describe('snapshots', () => {
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

  it.each([
    ['written', `written = '{"onHand":99999}'`],
    ['revision', 'revision = 5'],
    ['event', `event_id = '${randomUUID()}'`],
    ['stream', `stream = 'stock-5'`],
  ])('are not used where somebody else has changed the %s', async (what, change) => {
    const snapshots = createSnapshots(pool, secrets)
    const stream = what === 'stream' ? 'stock-5' : 'stock-4'
    await snapshots.keep('stock-4', at(7_000))
    expect(await snapshots.find('stock-4')).toBeDefined()
    await pool.query(`update shop.snapshots set ${change} where stream = 'stock-4'`)
    expect(await snapshots.find(stream)).toBeUndefined()
    await pool.query('delete from shop.snapshots where stream = $1', [stream])
  })
})

describe('the mark of the signer', () => {
  const mark = (position: Position) => ({
    position,
    count: Number(numberOf(position)),
    hash: 'ab'.repeat(32),
    at: new Date('2026-02-03T04:05:06.789Z'),
  })
  let server: TestRedis
  let redis: Redis
  let directory: string
  let places: Record<'database' | 'file' | 'redis', MarkStore>
  beforeAll(async () => {
    server = await testRedis()
    redis = createRedis(server.url)
    directory = await temporaryDirectory()
    places = {
      database: tableStore(pool),
      file: fileStore(directory),
      redis: redisStore(() => redis),
    }
  })
  afterAll(async () => {
    redis.disconnect()
    await server.release()
    await rm(directory, { recursive: true })
  })

  it.each(['database', 'file', 'redis'] as const)('is in the %s by itself', async name => {
    const open = (by = secrets) => createHighWaterMarks(pool, by, [places[name]])
    expect(await open().newest()).toBeUndefined()
    expect(await open().raise(mark(positionAt(10)))).toEqual([])
    expect(await open().newest()).toEqual(mark(positionAt(10)))
    // Who does not know the secret cannot make one.
    expect(await open(createSecrets(new Secret('t'.repeat(32)))).newest()).toBeUndefined()
  })

  it('is the highest of all places', async () => {
    await createHighWaterMarks(pool, secrets, [places.redis]).raise(mark(positionAt(30)))
    const all = createHighWaterMarks(pool, secrets, Object.values(places))
    expect(await all.newest()).toEqual(mark(positionAt(30)))
  })

  it('of another log is not believed', async () => {
    let kept = ''
    const moved: MarkStore = {
      name: 'moved',
      read: async () => kept,
      async write(_, sealed) {
        kept = sealed
      },
      clear: async () => undefined,
    }
    const other = await testDatabase()
    const elsewhere = createPool(other.url)
    await createHighWaterMarks(elsewhere, secrets, [moved]).raise(mark(positionAt(40)))
    expect((await createHighWaterMarks(elsewhere, secrets, [moved]).newest())?.position).toBe(
      positionAt(40),
    )
    expect(await createHighWaterMarks(pool, secrets, [moved]).newest()).toBeUndefined()
    await elsewhere.end()
    await other.drop()
  })
})

describe('the seal of an event', () => {
  const seals = createEventSeals(secrets.key('event-seals'))
  const event = {
    id: randomUUID(),
    type: 'StockCounted',
    data: { counted: 3 },
    metadata: { v: 1, at: '2026-02-03T04:05:06.789Z' },
  }
  const place = { stream: 'stock-1', revision: 7, position: positionAt(42), recordedAt: new Date() }
  const recorded = (revision?: number) => ({ ...seals.seal('stock-1', revision, event), ...place })

  it('is right where the event was appended', () => {
    expect(seals.stateOf(recorded(7))).toBe('sealed')
    expect(seals.stateOf(recorded())).toBe('sealed')
    expect(seals.stateOf({ ...event, ...place })).toBe('unsealed')
  })

  it.each([
    ['stream', { stream: 'stock-2' }],
    ['revision', { revision: 8 }],
    ['id', { id: randomUUID() }],
    ['type', { type: 'StockAdjusted' }],
    ['data', { data: { counted: 4 } }],
  ])('is not with another %s', (_, change) => {
    expect(seals.stateOf({ ...recorded(7), ...change })).toBe('forged')
  })

  it('may be missing before the first that has one, and no more behind it', () => {
    const [sealed, unsealed] = [recorded(7), { ...event, ...place }]
    const faultOf = watchSeals(seals)
    const faults = [unsealed, sealed, unsealed, sealed].map(each => faultOf(each)?.problem)
    expect(faults).toEqual([undefined, undefined, 'unsealed', undefined])
    expect(watchSeals(seals, true)(unsealed)?.problem).toBe('unsealed')
    expect(watchSeals(seals)({ ...sealed, revision: 8 })?.problem).toBe('unsealed')
  })

  it('is not with other metadata, nor with another seal', () => {
    const sealed = recorded(7)
    const mac = String(sealed.metadata.mac)
    for (const changed of [{ v: 2 }, { mac: `a${mac.slice(1)}` }, { mac: 1 }, { mac: '' }]) {
      const metadata = { ...sealed.metadata, ...changed }
      expect(seals.stateOf({ ...sealed, metadata })).toBe('forged')
    }
    const other = createEventSeals(createSecrets(new Secret('t'.repeat(32))).key('event-seals'))
    expect(other.stateOf(sealed)).toBe('forged')
  })
})
