// Whether a stream that is known has got further is asked of the end of the log only: that must
// miss nothing that anybody had appended before it was asked for.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresEventStore } from '../../src/eventstore/postgres/postgres.ts'
import { createPool, type Pool } from '../../src/infra/postgres/database.ts'
import { type EventStore, readStream } from '../../src/ports/eventStore.ts'
import { all, anEvent, newStream, seed, someEvents, upTo } from '../contract/eventStoreSubject.ts'
import { testDatabase } from '../support/database.ts'
import { runAsSuperuser } from '../support/tampering.ts'

/** Statements that have read streams, of all pools that count. */
let streamReads = 0

/** Counts reads of streams, and gives how many rows each read of the tail has given. */
function countReads(pool: Pool): number[] {
  const tails: number[] = []
  const query = pool.query.bind(pool)
  Object.assign(pool, {
    async query(asked: { name: string; text: string }) {
      const answer = await query(asked)
      if (asked.name === 'eventstore_read_many') streamReads += 1
      if (asked.name === 'eventstore_read_tail') tails.push(answer.rows.length)
      return answer
    },
  })
  return tails
}

/** Whether a read says that nothing is new without a read of the stream itself. */
async function hasNothingNew(store: EventStore, stream: string, revision: number) {
  const before = streamReads
  await store.read([{ stream, after: revision }])
  return streamReads === before
}

describe('reads of streams that are known', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>
  let pools: Pool[]
  let reader: EventStore
  let writer: EventStore

  beforeAll(async () => {
    database = await testDatabase()
    pools = [createPool(database.url), createPool(database.url)]
    for (const pool of pools) countReads(pool)
    const [one, other] = pools.map(pool => postgresEventStore(pool))
    if (one === undefined || other === undefined) throw new Error('two stores are needed')
    reader = one
    writer = other
  })
  afterAll(async () => {
    await reader.close()
    await writer.close()
    for (const pool of pools) await pool.end()
    await database.drop()
  })

  const behind = async (stream: string, from: number) => {
    const [page] = await reader.read([{ stream, after: from - 1 }])
    return page?.events.map(({ revision }) => revision)
  }
  const isAtHead = (stream: string, revision: number) => hasNothingNew(reader, stream, revision)

  it('find what another process has appended', async () => {
    const stream = newStream()
    await seed(reader, stream, 3)
    expect(await behind(stream, 3)).toEqual([])
    expect(await isAtHead(stream, 2)).toBe(true)
    expect(await isAtHead(stream, 1)).toBe(false)
    await writer.append(stream, 2, [anEvent(), anEvent()])
    expect(await behind(stream, 3)).toEqual([3, 4])
    expect(await behind(stream, 5)).toEqual([])
    expect(await behind(stream, 1)).toEqual([1, 2, 3, 4])
  })

  it('find the first event of a stream that was known to be empty', async () => {
    const stream = newStream()
    expect(await behind(stream, 0)).toEqual([])
    expect(await isAtHead(stream, -1)).toBe(true)
    await writer.append(stream, 'no-stream', [anEvent()])
    expect(await behind(stream, 0)).toEqual([0])
  })

  it('find it after more was appended elsewhere than is looked through', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await writer.append(newStream(), 'no-stream', someEvents(700))
    await writer.append(stream, 0, [anEvent()])
    expect(await behind(stream, 1)).toEqual([1])
    expect(await behind(stream, 2)).toEqual([])
  })

  it('find what another process has appended before something of our own', async () => {
    const [stream, ours] = [newStream(), newStream()]
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await writer.append(stream, 0, [anEvent()])
    await reader.append(ours, 'no-stream', [anEvent(), anEvent()])
    expect(await behind(ours, 2)).toEqual([])
    expect(await behind(stream, 1)).toEqual([1])
  })

  it('find what another process has appended behind something of our own', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await reader.append(stream, 0, [anEvent()])
    expect(await isAtHead(stream, 0)).toBe(false)
    expect(await isAtHead(stream, 1)).toBe(true)
    await writer.append(stream, 1, [anEvent()])
    expect(await isAtHead(stream, 1)).toBe(false)
    expect(await behind(stream, 1)).toEqual([1, 2])
  })

  it('find what was appended after an event far above it was taken away again', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    const [pool] = pools
    if (pool === undefined) throw new Error('a pool is needed')
    const far = '9000000000000000000'
    await runAsSuperuser(pool, [
      `insert into eventstore.events
       select ${far}, 'far-1', 0, gen_random_uuid(), type, data, metadata, now()
       from eventstore.events limit 1`,
    ])
    expect(await isAtHead(stream, 0)).toBe(true)
    await runAsSuperuser(pool, [`delete from eventstore.events where position = ${far}`])
    await writer.append(stream, 0, [anEvent()])
    expect(await behind(stream, 1)).toEqual([1])
  })

  it('miss nothing while many write and read at once', async () => {
    const streams = upTo(8).map(() => newStream())
    const lane = async (stream: string) => {
      for (const n of upTo(60)) {
        const store = n % 2 === 0 ? writer : reader
        await store.append(stream, n === 0 ? 'no-stream' : n - 1, [anEvent()])
        // What was acknowledged is found by each read that is asked for afterwards.
        const seen = await Promise.all([behind(stream, n), behind(stream, n), behind(stream, 0)])
        expect(seen).toEqual([[n], [n], upTo(n + 1)])
        expect(await behind(stream, n + 1)).toEqual([])
      }
    }
    await Promise.all(streams.map(lane))
  }, 60_000)

  it('do not read again what this process has appended itself', async () => {
    const pool = createPool(database.url, { size: 2 })
    const read = countReads(pool)
    const store = postgresEventStore(pool)
    const stream = newStream()
    await seed(store, stream, 1)
    await all(readStream(store, stream, { from: 1 }))
    await Promise.all(upTo(20).map(() => store.append(newStream(), 'no-stream', someEvents(3))))
    await store.append(stream, 0, [anEvent()])
    expect(await hasNothingNew(store, stream, 1)).toBe(true)
    // The one that is known to be there.
    expect(read).toEqual([1])
    await writer.append(stream, 1, [anEvent()])
    expect(await hasNothingNew(store, stream, 1)).toBe(false)
    expect(read).toEqual([1, 2])
    await store.close()
    await pool.end()
  })
})
