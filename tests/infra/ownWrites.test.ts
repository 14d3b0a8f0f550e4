// How far callers have written: known to every process, whatever becomes of Redis.
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOwnWrites } from '../../src/infra/ownWrites.ts'
import { createRedis, type Redis } from '../../src/infra/redis.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

let server: TestRedis
const connections: Redis[] = []
beforeAll(async () => {
  server = await testRedis()
})
afterAll(async () => {
  for (const redis of connections) redis.disconnect()
  await server.release()
})
beforeEach(async () => {
  await connect().flushdb()
})

function connect(): Redis {
  const redis = createRedis(server.url)
  connections.push(redis)
  return redis
}

/** A process beside a log that ends at a position, which has looked at Redis once. */
async function process(head = { position: 1_000n }) {
  const redis = connect()
  await once(redis, 'ready')
  const own = createOwnWrites(redis, async () => head.position)
  await own.of('nobody')
  return { redis, ...own }
}

describe('what a caller has written', () => {
  it('is known to every process, and only of that caller', async () => {
    const [one, other] = [await process(), await process()]
    expect(await one.note('ann', 1_007n)).toBe(true)
    expect((await other.of('ann')).known).toBe(1_007n)
    expect((await other.of('bob')).known).toBe(0n)
  })

  it('never goes back, and is exact for the largest positions', async () => {
    const [one, other] = [await process(), await process()]
    const positions = [9_007_199_254_740_993n, 9_007_199_254_740_992n, 999n]
    for (const position of positions) await one.note('ann', position)
    expect((await other.of('ann')).known).toBe(positions[0])
    await other.note('ann', 9_007_199_254_740_994n)
    expect((await one.of('ann')).known).toBe(9_007_199_254_740_994n)
  })

  it('is told together for all who write at once, of each the highest', async () => {
    const [one, other] = [await process(), await process()]
    const noted = await Promise.all([
      one.note('ann', 1_007n),
      one.note('bob', 1_009n),
      one.note('ann', 1_008n),
      one.note('ann', 1_006n),
    ])
    expect(noted).toEqual([true, true, true, true])
    expect((await other.of('ann')).known).toBe(1_008n)
    expect((await other.of('bob')).known).toBe(1_009n)
  })

  it('is forgotten after a quarter of an hour', async () => {
    const { note, redis } = await process()
    await note('ann', 7n)
    expect(await redis.ttl('own-writes:ann')).toBeGreaterThan(890)
    expect(await redis.ttl('own-writes:ann')).toBeLessThanOrEqual(900)
  })
})

describe('when Redis has forgotten', () => {
  it('everybody may have written what is in the log by then, and nothing later', async () => {
    const head = { position: 50n }
    const [one, other] = [await process(head), await process(head)]
    await one.note('ann', 60n)
    head.position = 60n
    await one.redis.flushdb()
    expect((await other.of('ann')).possible).toBe(60n)
    await waitFor('the floor', async () => (await one.redis.get('own-writes:floor')) !== null)
    head.position = 99n
    expect((await other.of('ann')).possible).toBe(60n)
    expect((await one.of('bob')).possible).toBe(60n)
  })

  it('the process that wrote still knows', async () => {
    const { note, of, redis } = await process()
    await note('ann', 1_007n)
    await redis.flushdb()
    expect((await of('ann')).known).toBe(1_007n)
  })

  it('or may have, because the connection was lost, the log is asked once', async () => {
    const head = { position: 50n }
    const { of, redis } = await process(head)
    head.position = 70n
    expect((await of('ann')).possible).toBe(50n)
    const connected = once(redis, 'ready')
    redis.disconnect(true)
    await connected
    expect((await of('ann')).possible).toBe(70n)
    head.position = 90n
    expect((await of('ann')).possible).toBe(70n)
  })
})

describe('without Redis', () => {
  it('a note says that nobody else knows, and readers wait for the end of the log', async () => {
    const head = { position: 50n }
    const { note, of, redis } = await process(head)
    redis.disconnect()
    expect(await note('ann', 60n)).toBe(false)
    head.position = 61n
    expect(await of('ann')).toEqual({ known: 60n, possible: 61n })
    expect(await of('bob')).toEqual({ known: 0n, possible: 61n })
  })

  it('that is silent nobody waits for long, and it is not asked again at once', async () => {
    const never = new Promise<never>(() => undefined)
    let asked = 0
    const silent = () => {
      asked += 1
      return never
    }
    const fake = { on: () => undefined, mget: silent, eval: silent }
    const { note, of } = createOwnWrites(fake as never, async () => 50n)
    expect(await note('ann', 40n)).toBe(false)
    expect(await note('ann', 41n)).toBe(false)
    expect(await of('ann')).toEqual({ known: 41n, possible: 50n })
    expect(asked).toBe(1)
  })
})
