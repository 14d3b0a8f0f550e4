// Jobs and looks that hang do not keep others from being done, nor do people who ask for much.
import { randomUUID } from 'node:crypto'
import { afterAll, expect, it } from 'vitest'
import { createDatabase, createPool } from '../../src/infra/postgres/database.ts'
import { redisOptions } from '../../src/infra/redis/redis.ts'
import { dueImports } from '../../src/workers/imports/products/importTables.ts'
import { onceAtATime, startJobQueue } from '../../src/workers/jobs/jobQueue.ts'
import { dueImages } from '../../src/workers/reactions/image/jobs.ts'
import { testDatabase } from '../support/database.ts'
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
  const { notify } = onceAtATime(async () => {
    looks += 1
    if (looks === 1) await never
  }, 50)
  notify()
  await waitFor('the first look', () => looks === 1)
  notify()
  await waitFor('the second look', () => looks === 2)
})

async function database() {
  const made = await testDatabase()
  const pool = createPool(made.url)
  stops.push(made.drop, () => pool.end())
  return { pool, db: createDatabase(pool) }
}

it('imports of one person are queued one at a time, what is under way first', async () => {
  const { pool, db } = await database()
  let minute = 0
  const add = async (requestedBy: string, status: string, undoneBy: string | null = null) => {
    const id = randomUUID()
    minute += 1
    await pool.query(
      `insert into shop.product_imports (import_id, upload_id, correlation_id, requested_by, format,
        dry_run, digest, bytes, status, undo_requested_by, requested_at)
      values ($1, $1, $1, $2, 'csv', false, '', 1, $3, $4,
        '2026-11-30T10:00:00Z'::timestamptz + make_interval(mins => $5))`,
      [id, requestedBy, status, undoneBy, minute],
    )
    return id
  }
  await add('ann', 'finished')
  await add('ann', 'queued')
  const running = await add('ann', 'running')
  await add('ann', 'queued')
  const first = await add('bob', 'queued')
  await add('bob', 'queued')
  const undo = await add('ann', 'undoing', 'cem')
  expect(await dueImports(db)).toEqual([running, first, undo])
})

it('a few images of one person are queued at a time, those of others in between', async () => {
  const { pool, db } = await database()
  const add = (by: string, second: number, attempts = 0) =>
    pool.query(
      `insert into shop.image_jobs (hash, requested_by, queued_at, attempts)
      values ($1, $2, '2026-11-30T10:00:00Z'::timestamptz + make_interval(secs => $3), $4)`,
      [`${by} ${second}`, by, second, attempts],
    )
  for (let second = 0; second < 8; second += 1) await add('ann', second, second === 0 ? 3 : 0)
  await add('bob', 20)
  await add('bob', 21)
  expect((await dueImages(db)).map(({ hash }) => hash)).toEqual([
    ...['ann 1', 'bob 20'],
    ...['ann 2', 'bob 21'],
    ...['ann 3', 'ann 4'],
  ])
})
