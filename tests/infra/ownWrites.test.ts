// How far callers have written: known to every process, whatever becomes of Redis.

import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createOwnWrites } from '../../src/infra/redis/ownWrites.ts'
import { createRedis, type Redis } from '../../src/infra/redis/redis.ts'
import { startOfLog } from '../../src/kit/position.ts'
import { positionAt } from '../support/positions.ts'
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
async function process(head = { position: positionAt(1_000) }) {
  const redis = connect()
  await once(redis, 'ready')
  const own = createOwnWrites(redis, async () => head.position)
  await own.of('nobody')
  return { redis, ...own }
}

describe('what a caller has written', () => {
  it('is known to every process, and only of that caller', async () => {
    const [one, other] = [await process(), await process()]
    expect(await one.note('ann', positionAt(1_007))).toBe(true)
    expect((await other.of('ann')).known).toBe(positionAt(1_007))
    expect((await other.of('bob')).known).toBe(positionAt(0))
  })

  it('never goes back, and is exact for the largest positions', async () => {
    const [one, other] = [await process(), await process()]
    const positions = [
      positionAt(9_007_199_254_740_993n),
      positionAt(9_007_199_254_740_992n),
      positionAt(999),
    ]
    for (const position of positions) await one.note('ann', position)
    expect((await other.of('ann')).known).toBe(positions[0])
    await other.note('ann', positionAt(9_007_199_254_740_994n))
    expect((await one.of('ann')).known).toBe(positionAt(9_007_199_254_740_994n))
  })

  it('is told together for all who write at once, of each the highest', async () => {
    const [one, other] = [await process(), await process()]
    const noted = await Promise.all([
      one.note('ann', positionAt(1_007)),
      one.note('bob', positionAt(1_009)),
      one.note('ann', positionAt(1_008)),
      one.note('ann', positionAt(1_006)),
    ])
    expect(noted).toEqual([true, true, true, true])
    expect((await other.of('ann')).known).toBe(positionAt(1_008))
    expect((await other.of('bob')).known).toBe(positionAt(1_009))
  })

  it('is forgotten after a quarter of an hour', async () => {
    const { note, redis } = await process()
    await note('ann', positionAt(7))
    expect(await redis.ttl('own-writes:ann')).toBeGreaterThan(890)
    expect(await redis.ttl('own-writes:ann')).toBeLessThanOrEqual(900)
  })
})

describe('when Redis has forgotten', () => {
  it('everybody may have written what is in the log by then, and nothing later', async () => {
    const head = { position: positionAt(50) }
    const [one, other] = [await process(head), await process(head)]
    await one.note('ann', positionAt(60))
    head.position = positionAt(60)
    await one.redis.flushdb()
    expect((await other.of('ann')).possible).toBe(positionAt(60))
    await waitFor('the floor', async () => (await one.redis.get('own-writes:floor')) !== null)
    head.position = positionAt(99)
    expect((await other.of('ann')).possible).toBe(positionAt(60))
    expect((await one.of('bob')).possible).toBe(positionAt(60))
  })

  it('the process that wrote still knows', async () => {
    const { note, of, redis } = await process()
    await note('ann', positionAt(1_007))
    await redis.flushdb()
    expect((await of('ann')).known).toBe(positionAt(1_007))
  })

  it('or may have, because the connection was lost, the log is asked once', async () => {
    const head = { position: positionAt(50) }
    const { of, redis } = await process(head)
    head.position = positionAt(70)
    expect((await of('ann')).possible).toBe(positionAt(50))
    const connected = once(redis, 'ready')
    redis.disconnect(true)
    await connected
    expect((await of('ann')).possible).toBe(positionAt(70))
    head.position = positionAt(90)
    expect((await of('ann')).possible).toBe(positionAt(70))
  })
})

describe('without Redis', () => {
  it('a note says that nobody else knows, and readers wait for the end of the log', async () => {
    const head = { position: positionAt(50) }
    const { note, of, redis } = await process(head)
    redis.disconnect()
    expect(await note('ann', positionAt(60))).toBe(false)
    head.position = positionAt(61)
    expect(await of('ann')).toEqual({ known: positionAt(60), possible: positionAt(61) })
    expect(await of('bob')).toEqual({ known: startOfLog, possible: positionAt(61) })
  })

  it('that is silent nobody waits for long, and it is not asked again at once', async () => {
    const never = new Promise<never>(() => undefined)
    let asked = 0
    const silent = () => {
      asked += 1
      return never
    }
    const fake = { on: () => undefined, mget: silent, eval: silent }
    const { note, of } = createOwnWrites(fake as never, async () => positionAt(50))
    expect(await note('ann', positionAt(40))).toBe(false)
    expect(await note('ann', positionAt(41))).toBe(false)
    expect(await of('ann')).toEqual({ known: positionAt(41), possible: positionAt(50) })
    expect(asked).toBe(1)
  })
})
