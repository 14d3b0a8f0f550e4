// Jobs and looks that hang do not keep others from being done.
import { afterAll, expect, it } from 'vitest'
import { redisOptions } from '../../src/infra/redis.ts'
import { onceAtATime, startJobQueue } from '../../src/workers/jobQueue.ts'
import { testRedis } from '../support/redis.ts'
import { waitFor } from '../support/waitFor.ts'

const stops: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
})

const never = new Promise<never>(() => undefined)
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

it('a job that hangs gives its place to the next one', async () => {
  const redis = await testRedis()
  stops.push(redis.release)
  const done: string[] = []
  const queue = startJobQueue<string>({
    name: 'webhooks',
    connection: redisOptions(redis.url),
    concurrency: 1,
    jobMs: 200,
    log: silent,
    work: async data => {
      if (data === 'hangs') await never
      done.push(data)
    },
    naming: data => ({ data }),
  })
  stops.push(() => queue.close())
  await queue.add([
    { name: 'first', data: 'hangs' },
    { name: 'second', data: 'works' },
  ])
  await waitFor('the second job', () => done.includes('works'))
  expect(done).toEqual(['works'])
})

it('a look that hangs is followed by another', async () => {
  let looks = 0
  const { wake } = onceAtATime(async () => {
    looks += 1
    if (looks === 1) await never
  }, 50)
  wake()
  await waitFor('the first look', () => looks === 1)
  wake()
  await waitFor('the second look', () => looks === 2)
})
