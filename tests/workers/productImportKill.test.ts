// Workers that are killed in the middle of a bulk import or of its undo: the next ones finish it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { moved } from '../support/positions.ts'
import { manyProducts, productBySku, until, upload } from '../support/productImports.ts'
import { startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const main = join(import.meta.dirname, '../../src/main/worker.ts')
const rows = Number(process.env.IMPORT_ROWS ?? 1_600)

let app: TestApp
let worker: ChildProcess | undefined
beforeAll(async () => {
  app = await startTestApp({ workers: false })
})
afterAll(async () => {
  await kill()
  await app?.close()
})

function startWorker(): void {
  const { config } = app
  worker = spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      DATABASE_URL: config.databaseUrl.reveal(),
      REDIS_URL: config.redisUrl.reveal(),
      SMTP_URL: config.smtpUrl.reveal(),
      SECRET_KEY: config.secretKey.reveal(),
      PAYMENT_PROVIDER: 'simulated',
      LOG_LEVEL: 'silent',
    },
  })
}

async function kill(): Promise<void> {
  if (worker === undefined || worker.exitCode !== null || worker.signalCode !== null) return
  const exited = once(worker, 'exit')
  worker.kill('SIGKILL')
  await exited
}

/** Kills the worker once a count of the import has passed a mark, and starts another one. */
async function killBehind(id: string, count: string, mark: number): Promise<void> {
  startWorker()
  await waitFor(
    `${mark} ${count}`,
    async () => Number((await app.admin.client.get(`/products/imports/${id}`)).body[count]) > mark,
    60_000,
  )
  // In the middle of the next batch, not between two.
  const head = await app.back.eventStore.head()
  await waitFor('more events', async () => (await app.back.eventStore.head()) > moved(head, 100))
  await kill()
}

it('carries each row out once, however often workers die', { timeout: 180_000 }, async () => {
  const { body } = await upload(app, manyProducts(rows))
  await killBehind(body.id, 'created', 100)
  await killBehind(body.id, 'created', rows / 4)
  await killBehind(body.id, 'created', rows / 2)
  startWorker()
  const ended = await until(app, body.id, 'finished')
  expect(ended.body).toMatchObject({ rows, created: rows, changed: 0, unchanged: 0, refused: 0 })
  const { CategoryUsed, CategoryNameClaimed, SkuClaimed, ...counts } = await countEvents()
  // A row that is tried again claims anew: others may have voided or taken its first claims.
  expect(CategoryUsed).toBeGreaterThanOrEqual(rows)
  expect(CategoryNameClaimed).toBeGreaterThanOrEqual(10)
  expect(SkuClaimed).toBeGreaterThanOrEqual(rows)
  expect(counts).toEqual({
    CategoryCreated: 10,
    ProductCreated: rows,
    // Every fiftieth row has no stock.
    StockAdjusted: rows - rows / 50,
  })

  await kill()
  await app.admin.client.post(`/products/imports/${body.id}/undo`)
  await killBehind(body.id, 'undone', rows / 4)
  startWorker()
  const undone = await until(app, body.id, 'undone')
  expect(undone.body).toMatchObject({ undone: rows, kept: 0 })
  expect(await productBySku(app, 'BULK-7')).toBeUndefined()
  expect(await countEvents()).toMatchObject({
    ProductDeleted: rows,
    SkuReleased: rows,
    StockAdjusted: 2 * (rows - rows / 50),
  })
})

async function countEvents(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for await (const { type } of app.back.eventStore.readAll()) {
    if (!/^(Category|Product|Sku|Stock)/.test(type)) continue
    counts[type] = (counts[type] ?? 0) + 1
  }
  return counts
}
