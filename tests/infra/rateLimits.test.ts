// Counting requests: shared by all processes on one Redis, and still there when Redis is not.
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCounters } from '../../src/infra/redis/rateLimits.ts'
import { createRedis } from '../../src/infra/redis/redis.ts'
import { cuttableProxy } from '../support/cuttableProxy.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

let server: TestRedis
const open: Redis[] = []
beforeAll(async () => {
  server = await testRedis()
})
afterAll(async () => {
  for (const redis of open) redis.disconnect()
  await server.release()
})

const connect = async (url = server.url) => {
  const redis = createRedis(url)
  open.push(redis)
  await waitFor('Redis is there', () => redis.status === 'ready')
  return redis
}

describe('a quota', () => {
  it('is used up by one process and by ten at once alike', async () => {
    const processes = await Promise.all(Array.from({ length: 10 }, () => connect()))
    const counters = processes.map(redis => createCounters(redis)('shared', 20, 60))
    const asked = await Promise.all(
      Array.from({ length: 50 }, (_, index) => counters[index % 10]?.count('somebody')),
    )
    expect(asked.filter(each => each?.allowed)).toHaveLength(20)
    const last = await counters[0]?.count('somebody')
    expect(last).toMatchObject({ allowed: false, remaining: 0 })
    expect(last?.resetSeconds).toBeLessThanOrEqual(60)
    expect(await counters[1]?.count('somebody else')).toMatchObject({
      allowed: true,
      remaining: 19,
    })
  })

  it('is there again when its window has ended', async () => {
    const counter = createCounters(await connect())('short', 1, 1)
    expect((await counter.count('somebody')).allowed).toBe(true)
    expect((await counter.count('somebody')).allowed).toBe(false)
    await waitFor('the next window', async () => (await counter.count('somebody')).allowed)
  })

  it('can be given back', async () => {
    const redis = await connect()
    const counter = createCounters(redis)('given', 1, 60)
    await counter.count('somebody')
    await counter.reset('somebody')
    expect((await counter.count('somebody')).allowed).toBe(true)
  })

  it('keeps its keys to itself', async () => {
    const redis = await connect()
    await createCounters(redis)('named', 1, 60).count('somebody')
    expect(await redis.keys('*named*')).toEqual(['limit:named:somebody'])
  })
})

describe('without Redis', () => {
  it('a process goes on counting by itself, and refuses what is too much', async () => {
    const url = new URL(server.url)
    const proxy = await cuttableProxy(url.hostname, Number(url.port))
    url.host = `127.0.0.1:${proxy.port}`
    const redis = await connect(url.href)
    const counter = createCounters(redis)('lost', 3, 60)
    expect((await counter.count('somebody')).allowed).toBe(true)
    await proxy.close()
    await waitFor('the loss', () => redis.status !== 'ready')
    const allowed: boolean[] = []
    for (let index = 0; index < 5; index += 1) {
      allowed.push((await counter.count('somebody')).allowed)
    }
    expect(allowed).toEqual([true, true, true, false, false])
  })
})
