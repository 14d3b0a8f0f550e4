// Cached answers: old as soon as the catalogue has changed, computed once, and never mixed up.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createResponseCache,
  type ResponseCacheOptions,
} from '../../src/infra/caching/responseCache.ts'
import { createResponseStore } from '../../src/infra/caching/responseStore.ts'
import { createRedis, type Redis } from '../../src/infra/redis/redis.ts'
import { type Position, startOfLog } from '../../src/kit/position.ts'
import { noMetrics } from '../../src/ports/metrics.ts'
import { positionAt } from '../support/positions.ts'
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
beforeEach(async () => {
  await redis.flushdb()
  made += 1
  key = `key-${made}`
})

/** A process with its own cache, and what it is asked for here. */
function process(options?: ResponseCacheOptions, on: Redis = redis) {
  const cache = createResponseCache(on, options)
  const ask = async (
    compute: Table['compute'],
    wanted: { after?: Position; asOf?: Position } = {},
  ) => {
    const all = { kind: 'listing', key, after: startOfLog, asOf: positionAt(0), ...wanted }
    return (await cache.get(all, compute)).answer?.body
  }
  return { ...cache, ask }
}

type Table = ReturnType<typeof table>

/** What the tables say; counts how often they are asked. */
function table(body: string) {
  const state = { body, asked: 0 }
  const compute = async () => {
    state.asked += 1
    return { etag: `"${state.body}"`, body: state.body }
  }
  return { state, compute }
}

/** What Redis holds of answers. */
async function held() {
  const [name] = (await redis.keys('answers:*')).filter(each => each !== 'answers:version')
  const fields = name === undefined ? {} : await redis.hgetall(name)
  const { '#bytes': bytes = '0', ...entries } = fields
  return { name: name ?? '', bytes: Number(bytes), entries }
}

async function shares({ ask }: ReturnType<typeof process>, { compute }: Table) {
  await waitFor('Redis to have it', async () => {
    await ask(compute)
    return Object.keys((await held()).entries).some(field => field.endsWith(key))
  })
}

describe('an answer in the cache', () => {
  it('is computed once for all who ask at once, and for those who come later', async () => {
    const { ask } = process()
    const { state, compute } = table('one')
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(compute)))
    expect(answers).toEqual(Array(8).fill('one'))
    await ask(compute)
    expect(state.asked).toBe(1)
  })

  it('serves other processes as it is, with all that belongs to it', async () => {
    const answer = { etag: '"4-x"', body: '{"a":"\\n"}', nextCursor: 'there', total: 7 }
    const cache = process()
    const wanted = { kind: 'listing', key, after: startOfLog, asOf: positionAt(0) }
    await cache.get(wanted, async () => answer)
    await cache.get(wanted, async () => answer)
    await waitFor('Redis to have it', async () => (await held()).bytes > 0)
    const { state, compute } = table('never')
    expect((await process().get(wanted, compute)).answer).toEqual(answer)
    expect(state.asked).toBe(0)
  })

  it('is old at once in the process that has projected a change', async () => {
    const { ask, invalidate } = process()
    const { state, compute } = table('before')
    await ask(compute)
    state.body = 'after'
    // Who asked before the change was committed is still under way.
    const asking = ask(compute)
    await invalidate()
    expect(await ask(compute)).toBe('after')
    expect(await asking).toBe('before')
  })

  it('is old in every other process as soon as that has looked at the version', async () => {
    const [one, other] = [process(), process()]
    const { state, compute } = table('before')
    await shares(one, { state, compute })
    state.body = 'after'
    await other.invalidate()
    await waitFor('the change', async () => (await one.ask(compute)) === 'after', 2_000)
  })

  it('is old in every process once Redis has lost its memory, and never comes back', async () => {
    const [one, other] = [process(), process()]
    const { state, compute } = table('before')
    await shares(one, { state, compute })
    await other.ask(compute)
    // A change that the processes hear of, and one that is forgotten with everything else.
    await other.invalidate()
    await redis.flushdb()
    state.body = 'after'
    for (const { ask } of [one, other]) {
      await waitFor('the change', async () => (await ask(compute)) === 'after', 2_000)
    }
    for (let round = 0; round < 5; round += 1) {
      await redis.flushdb()
      await one.invalidate()
      expect(await one.ask(compute)).toBe('after')
    }
  })

  it('is old within a second or two when the signal of the change was lost', async () => {
    let version = 'v1'
    const { ask } = process({ readVersion: async () => version })
    const { state, compute } = table('before')
    await ask(compute)
    state.body = 'after'
    version = 'v2'
    await waitFor('the change', async () => (await ask(compute)) === 'after', 3_000)
  })

  it('that was computed while the catalogue changed is not shown afterwards', async () => {
    const one = process()
    const { promise, resolve } = Promise.withResolvers<void>()
    await one.current()
    const slow = one.ask(async () => {
      await promise
      return { etag: '"old"', body: 'old' }
    })
    await one.invalidate()
    resolve()
    expect(await slow).toBe('old')
    const { compute } = table('new')
    expect(await one.ask(compute)).toBe('new')
    expect(await process().ask(compute)).toBe('new')
  })

  it('is only good enough for a position that it is known to show', async () => {
    const [one, other] = [process(), process()]
    const { state, compute } = table('before')
    await one.ask(compute, { asOf: positionAt(5) })
    state.body = 'after'
    expect(await one.ask(compute, { after: positionAt(5), asOf: positionAt(9) })).toBe('before')
    expect(await one.ask(compute, { after: positionAt(7), asOf: positionAt(9) })).toBe('after')
    expect(await one.ask(compute, { after: positionAt(9), asOf: positionAt(9) })).toBe('after')
    expect(state.asked).toBe(2)
    await waitFor('Redis to have it', async () => (await held()).bytes > 0)
    state.body = 'later'
    expect(await other.ask(compute, { after: positionAt(9), asOf: positionAt(20) })).toBe('after')
    expect(await other.ask(compute, { after: positionAt(11), asOf: positionAt(20) })).toBe('later')
  })

  it('that is none is asked for again', async () => {
    const { ask } = process()
    expect(await ask(async () => undefined as never)).toBeUndefined()
    const { compute } = table('there now')
    expect(await ask(compute)).toBe('there now')
  })

  it('is counted as a hit or as a miss of its kind', async () => {
    const counted: [string, boolean][] = []
    const metrics = {
      ...noMetrics,
      cache: (kind: string, hit: boolean) => counted.push([kind, hit]),
    }
    const cache = createResponseCache(redis, { metrics })
    const { compute } = table('x')
    const wanted = { key, after: startOfLog, asOf: positionAt(0) }
    await cache.get({ ...wanted, kind: 'listing' }, compute)
    await cache.get({ ...wanted, kind: 'product' }, compute)
    await cache.get({ ...wanted, kind: 'listing' }, compute)
    expect(counted).toEqual([
      ['listing', false],
      ['product', false],
      ['listing', true],
    ])
  })
})

describe('what the cache takes in Redis', () => {
  it('is nothing for what is asked for once', async () => {
    const { ask } = process()
    for (let each = 0; each < 200; each += 1) {
      key = `once-${each}`
      await ask(table('x'.repeat(1_000)).compute)
    }
    expect((await held()).entries).toEqual({})
  })

  it('ends an hour after it was begun, and no earlier', async () => {
    const one = process()
    await shares(one, table('x'))
    const { name } = await held()
    expect(await redis.ttl(name)).toBeGreaterThan(3_590)
    expect(await redis.ttl(name)).toBeLessThanOrEqual(3_600)
    await redis.expire(name, 100)
    key = 'another'
    await shares(one, table('y'))
    expect(await redis.ttl(name)).toBeLessThanOrEqual(100)
  })

  it('goes with the version that it belongs to', async () => {
    const one = process()
    for (let version = 0; version < 5; version += 1) {
      await shares(one, table('x'))
      await one.invalidate()
    }
    await waitFor('nothing to be left', async () => (await redis.keys('answers:*')).length === 0)
  })

  it('stays below its bound in bytes', async () => {
    const one = process({ bytesMax: 50_000 })
    for (let each = 0; each < 60; each += 1) {
      key = `page-${each}`
      await shares(one, table('x'.repeat(1_000)))
      const { entries, bytes } = await held()
      const text = Object.entries(entries).flat().join('')
      expect(text.length).toBeLessThanOrEqual(bytes)
      expect(bytes).toBeLessThanOrEqual(50_000)
    }
  })

  it('stays below its bound in number, and is nothing of a version that has ended', async () => {
    const store = createResponseStore(redis, 1e9)
    await redis.set('answers:version', 'now')
    const many = Array.from({ length: 10_001 }, (_, n) => [`field-${n}`, 'x']).flat()
    await redis.hset('answers:now', ...many)
    expect(await store.keep('now.1', 'one more', 'text')).toBe('stored')
    expect((await held()).entries).toEqual({ 'one more': 'text' })
    expect(await store.keep('before.1', 'late', 'text')).toBe('outdated')
    expect(await redis.exists('answers:before')).toBe(0)
  })

  it('is given up when Redis is full: answers are computed, and that is counted', async () => {
    const written: string[] = []
    const metrics = { ...noMetrics, cacheWrite: (result: string) => written.push(result) }
    const one = process({ metrics })
    await shares(one, table('shared'))
    const full = Object.assign(Object.create(redis), {
      eval: async () => Promise.reject(new Error('OOM command not allowed')),
    })
    const other = process({ metrics }, full)
    key = 'another'
    const { state, compute } = table('before')
    await other.ask(compute)
    await other.ask(compute)
    await waitFor('the refusal', () => written.includes('full'))
    expect(written).toEqual(['stored', 'full'])
    state.body = 'after'
    await other.invalidate()
    expect(await other.ask(compute)).toBe('after')
  })
})

describe('what this process believes of the catalogue', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is asked again in good time, and is not believed for 100 ms without an answer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const answers = [Promise.resolve('7'), Promise.resolve('8'), new Promise(() => undefined)]
    let asked = 0
    const get = () => answers[asked++]
    // It needs no more of Redis than this.
    const cache = createResponseCache({ get } as never)
    expect(cache.generation()).toBeUndefined()
    expect(await cache.current()).toBe('7.')
    vi.advanceTimersByTime(9)
    expect([cache.generation(), asked]).toEqual(['7.', 1])
    vi.advanceTimersByTime(31)
    expect([cache.generation(), asked]).toEqual(['7.', 2])
    // What is true is asked for beside the requests: they do not wait for it.
    await new Promise(setImmediate)
    expect(cache.generation()).toBe('8.')
    vi.advanceTimersByTime(59)
    expect([cache.generation(), asked]).toEqual(['8.', 3])
    vi.advanceTimersByTime(2)
    expect(cache.generation()).toBeUndefined()
  })
})

describe('what this process keeps of answers', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('is looked up again after ten seconds, however sure it is', async () => {
    const { ask } = process()
    const { state, compute } = table('x')
    const real = performance.now.bind(performance)
    let ahead = 0
    vi.spyOn(performance, 'now').mockImplementation(() => real() + ahead)
    await ask(compute)
    await waitFor(
      'a second look',
      async () => {
        ahead += 11_000
        await redis.del((await held()).name)
        await ask(compute)
        return state.asked > 1
      },
      1_000_000,
    )
  })

  it('is sixteen megabytes at most, and the oldest goes first', async () => {
    const { ask } = process()
    const first = table('first')
    await ask(first.compute)
    const own = key
    for (let each = 0; each < 10; each += 1) {
      key = `big-${each}`
      await ask(table('x'.repeat(1_000_000)).compute)
    }
    key = own
    await ask(first.compute)
    expect(first.state.asked).toBe(2)
  })
})

describe('without Redis', () => {
  it('every answer is computed', async () => {
    const away = createRedis(server.url)
    const { ask, invalidate } = process({}, away)
    const { state, compute } = table('first')
    await ask(compute)
    away.disconnect()
    await invalidate()
    state.body = 'second'
    expect(await ask(compute)).toBe('second')
  })
})
