// Calls between the processes of one shop, and of no other that uses the same Redis.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRedis, createSignals, type Redis, type Signals } from '../../src/infra/redis.ts'
import { testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

const shops: { redis: Redis; signals: Signals; heard: string[]; release(): Promise<void> }[] = []
beforeAll(async () => {
  for (const { url, release } of [await testRedis(), await testRedis()]) {
    const redis = createRedis(url)
    shops.push({ redis, signals: createSignals(redis), heard: [], release })
  }
})
afterAll(async () => {
  for (const { redis, signals, release } of shops) {
    signals.close()
    redis.disconnect()
    await release()
  }
})

it('stay within a logical database', async () => {
  for (const { signals, heard } of shops) signals.on('news', text => heard.push(text))
  const [one, other] = shops
  await waitFor('both to listen', async () => {
    for (const [shop, { signals }] of shops.entries()) signals.send('news', `of shop ${shop}`)
    return shops.every(({ heard }) => heard.length > 0)
  })
  expect(new Set(one?.heard)).toEqual(new Set(['of shop 0']))
  expect(new Set(other?.heard)).toEqual(new Set(['of shop 1']))
})
