// Cached answers: old as soon as the catalogue has changed, computed once, and never mixed up.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAnswerCache } from '../../src/infra/answerCache.ts'
import { createRedis, type Redis } from '../../src/infra/redis.ts'
import { noMetrics } from '../../src/metrics.ts'
import { type TestRedis, testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

let server: TestRedis
let redis: Redis
beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.release()
})

let key = ''
let made = 0
beforeEach(() => {
  made += 1
  key = `key-${made}`
})
const on = (fresh = false) => ({ kind: 'listing', key, fresh })

/** What the tables say; counts how often they are asked. */
function table(body: string) {
  const state = { body, asked: 0 }
  const compute = async () => {
    state.asked += 1
    return { etag: `"${state.body}"`, body: state.body }
  }
  return { state, compute }
}

describe('an answer in the cache', () => {
  it('is computed once for all who ask at once, and for those who come later', async () => {
    const cache = createAnswerCache(redis)
    const { state, compute } = table('one')
    const answers = await Promise.all(Array.from({ length: 8 }, () => cache.get(on(), compute)))
    expect(answers.map(answer => answer?.body)).toEqual(Array(8).fill('one'))
    await cache.get(on(), compute)
    expect(state.asked).toBe(1)
  })

  it('serves other processes as it is, with all that belongs to it', async () => {
    const answer = { etag: '"4-x"', body: '{"a":"\\n"}', nextCursor: 'there', total: 7 }
    await createAnswerCache(redis).get(on(), async () => answer)
    await waitFor('Redis to have it', async () => (await redis.keys(`*${key}`)).length > 0)
    const { state, compute } = table('never')
    expect(await createAnswerCache(redis).get(on(), compute)).toEqual(answer)
    expect(state.asked).toBe(0)
  })

  it('is old at once in the process that has projected a change', async () => {
    const cache = createAnswerCache(redis)
    const { state, compute } = table('before')
    await cache.get(on(), compute)
    state.body = 'after'
    // Who asked before the change was committed is still under way.
    const asking = cache.get(on(), compute)
    await cache.invalidate()
    expect((await cache.get(on(), compute))?.body).toBe('after')
    expect((await asking)?.body).toBe('before')
  })

  it('is old in every other process as soon as that has looked at the generation', async () => {
    const [one, other] = [createAnswerCache(redis), createAnswerCache(redis)]
    const { state, compute } = table('before')
    await one.get(on(), compute)
    state.body = 'after'
    await other.invalidate()
    await waitFor('the change', async () => (await one.get(on(), compute))?.body === 'after')
  })

  it('that was computed while the catalogue changed is not shown afterwards', async () => {
    const cache = createAnswerCache(redis)
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = cache.get(on(), async () => {
      await promise
      return { etag: '"old"', body: 'old' }
    })
    await cache.invalidate()
    resolve()
    expect((await slow)?.body).toBe('old')
    const { compute } = table('new')
    expect((await cache.get(on(), compute))?.body).toBe('new')
  })

  it('is not looked at by who waits for more than this process knows', async () => {
    const cache = createAnswerCache(redis)
    const { state, compute } = table('before')
    await cache.get(on(), compute)
    state.body = 'after'
    expect((await cache.get(on(true), compute))?.body).toBe('after')
  })

  it('that is none is asked for again', async () => {
    const cache = createAnswerCache(redis)
    expect(await cache.get(on(), async () => undefined)).toBeUndefined()
    const { compute } = table('there now')
    expect((await cache.get(on(), compute))?.body).toBe('there now')
  })

  it('is counted as a hit or as a miss of its kind', async () => {
    const counted: [string, boolean][] = []
    const metrics = {
      ...noMetrics,
      cache: (kind: string, hit: boolean) => counted.push([kind, hit]),
    }
    const cache = createAnswerCache(redis, metrics)
    const { compute } = table('x')
    await cache.get(on(), compute)
    await cache.get({ ...on(), kind: 'product' }, compute)
    await cache.get(on(), compute)
    expect(counted).toEqual([
      ['listing', false],
      ['product', false],
      ['listing', true],
    ])
  })
})

describe('what this process believes of the catalogue', () => {
  it('is asked again in good time, and is not believed for 100 ms without an answer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const answers = [Promise.resolve('7'), Promise.resolve('8'), new Promise(() => undefined)]
      let asked = 0
      const get = () => answers[asked++]
      // It needs no more of Redis than this.
      const cache = createAnswerCache({ get } as never)
      expect(cache.generation()).toBeUndefined()
      expect(await cache.current()).toBe('7')
      vi.advanceTimersByTime(9)
      expect([cache.generation(), asked]).toEqual(['7', 1])
      vi.advanceTimersByTime(31)
      expect([cache.generation(), asked]).toEqual(['7', 2])
      // What is true is asked for beside the requests: they do not wait for it.
      await Promise.resolve().then(() => undefined)
      await Promise.resolve()
      expect(cache.generation()).toBe('8')
      vi.advanceTimersByTime(59)
      expect([cache.generation(), asked]).toEqual(['8', 3])
      vi.advanceTimersByTime(2)
      expect(cache.generation()).toBeUndefined()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('without Redis', () => {
  it('every answer is computed', async () => {
    const away = createRedis(server.url)
    const cache = createAnswerCache(away)
    const { state, compute } = table('first')
    await cache.get(on(), compute)
    away.disconnect()
    await cache.invalidate()
    state.body = 'second'
    expect((await cache.get(on(), compute))?.body).toBe('second')
  })
})
