// Exporting the whole log: everything is in it, and memory does not grow with it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportLines } from '../../src/api/routes/audit/readLog.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { eventIndex } from '../../src/projections/audit/eventIndex.ts'
import { rebuild } from '../../src/projections/rebuild/rebuild.ts'
import { extendChain } from '../../src/workers/jobs/auditChain.ts'
import { rebuildLog } from '../../src/workers/projector/logReader.ts'
import { anEvent, newStream } from '../contract/eventStoreSubject.ts'
import { expectProblem, newProduct } from '../support/goods.ts'
import { positionAt } from '../support/positions.ts'
import { type Person, startTestApp, type TestApp } from '../support/testApp.ts'
import { waitFor } from '../support/waitFor.ts'

const batches = 80
const batchSize = 400
const padding = 'x'.repeat(1_500)
const mebibyte = 2 ** 20
/** What may be on its way: pages of the log, lines, what the sockets hold. */
const growthMax = 40 * mebibyte

let app: TestApp
let auditor: Person
beforeAll(async () => {
  // Without workers: nothing but the log is read here.
  app = await startTestApp({ workers: false })
  auditor = await app.person('auditor')
  for (let batch = 0; batch < batches; batch += 1) {
    const events = Array.from({ length: batchSize }, (_, n) => anEvent({ n, padding }))
    await app.back.eventStore.append(newStream(), 'no-stream', events)
  }
}, 120_000)
afterAll(() => app?.close())

const accept = 'application/x-ndjson'

async function request(query = '') {
  const headers = { authorization: `Bearer ${auditor.access}`, accept }
  const response = await fetch(`${app.url}/api/audit/events${query}`, { headers })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe(accept)
  return response.body ?? new ReadableStream<Uint8Array>()
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function memoryInUse(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('an export', () => {
  it('of some ten thousand events holds all of them, in memory that stays flat', async () => {
    const before = memoryInUse()
    let bytes = 0
    let lines = 0
    let highest = 0
    let nextLook = 4 * mebibyte
    for await (const chunk of await request()) {
      bytes += chunk.length
      lines += Buffer.from(chunk).toString().split('\n').length - 1
      if (bytes < nextLook) continue
      nextLook += 4 * mebibyte
      highest = Math.max(highest, memoryInUse())
    }
    expect(lines).toBe(Number(await app.back.eventStore.head()))
    expect(lines).toBeGreaterThan(batches * batchSize)
    expect(bytes).toBeGreaterThan(growthMax)
    expect(highest - before).toBeLessThan(growthMax)
  }, 120_000)

  it('can be of what a filter lets through, whatever it has to pass over', async () => {
    const { id, position: after } = await newProduct(app)
    const reading = { ...rebuildLog(app.back), onProgress: () => undefined }
    await rebuild(app.back.db, [eventIndex], reading)
    await auditor.client.get('/audit/events?limit=1', { after })
    const text = await new Response(await request(`?stream=product-${id}`)).text()
    const lines = text.trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toMatchObject([
      { type: 'ProductCreated', stream: `product-${id}`, revision: 0, metadata: { v: 1 } },
    ])
  })

  it('is of a log that is verified in bounded requests, each behind the one before', async () => {
    const head = await app.back.eventStore.head()
    const isSigned = async () => {
      await extendChain(app.back)
      const last = await app.back.audit.book.last()
      return last !== undefined && last.position >= head
    }
    // The worker of the shop may be at it, and it takes its time.
    await waitFor('the signature of everything', isSigned, 90_000)
    const counts: number[] = []
    let from: unknown = '0'
    while (from !== null) {
      const { body } = await auditor.client.get(`/audit/verify?from=${from}`)
      expect(body).toMatchObject({ ok: true, firstBad: null })
      counts.push(Number(body.events))
      from = body.next
    }
    expect(counts.length).toBeGreaterThan(1)
    expect(Math.max(...counts)).toBeLessThan(22_000)
    const total = counts.reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThanOrEqual(Number(String(head)))
  }, 120_000)

  it('ends with the server that is to stop', async () => {
    const reader = (await request()).getReader()
    await reader.read()
    await app.restart()
    const rest = async () => {
      for (;;) if ((await reader.read()).done) return 'whole'
    }
    await expect(rest()).rejects.toThrow()
  }, 60_000)
})

describe('exports', () => {
  it('are few in an hour, whatever else is read', async () => {
    const settings = { RATE_LIMITS: 'on', RATE_LIMIT_BULK: '2' }
    const limited = await startTestApp({ settings })
    try {
      const { client } = await limited.person('auditor')
      const all = { headers: { accept } }
      expect((await client.get('/audit/events', all)).status).toBe(200)
      expect((await client.get('/audit/verify', all)).status).toBe(200)
      const refused = await client.get('/audit/events', all)
      expectProblem(refused, 429, 'request/too-many')
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60)
      expect((await client.get('/audit/events')).status).toBe(200)
      expect((await client.get('/audit/checkpoints', all)).status).toBe(200)
    } finally {
      await limited.close()
    }
  }, 60_000)
})

describe('lines of an export', () => {
  it('are made when somebody takes them', async () => {
    const eventStore = memoryEventStore()
    const events = Array.from({ length: 50 }, () => anEvent())
    await eventStore.append(newStream(), 'no-stream', events)
    let read = 0
    const counting = {
      ...eventStore,
      async *readAll(options = {}) {
        for await (const event of eventStore.readAll(options)) {
          read += 1
          yield event
        }
      },
    }
    const { audit, db, codec } = app.back
    const lines = exportLines({ audit, db, codec, eventStore: counting }, {}, positionAt(0))
    for (let taken = 1; taken <= 3; taken += 1) {
      await lines.next()
      expect(read).toBe(taken)
    }
    await lines.return(undefined)
    expect(read).toBe(3)
  })
})
