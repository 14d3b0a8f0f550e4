// Streams that are believed to be new are not read first, and nothing depends on the belief.
import { describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { adjust, reserve, type Stock, stock } from '../../src/domain/stock/stock.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import type { EventStore } from '../../src/ports/eventStore.ts'
import { planLedger } from '../../src/workers/imports/ledger/planLedger.ts'
import { runImport } from '../../src/workers/imports/ledger/runImport.ts'
import { ledgerRows } from '../support/ledger.ts'
import { mapCache } from '../support/mapCache.ts'
import { orderId, productId, sampleId } from '../support/samples.ts'
import { noSeals, testSeals } from '../support/testSeals.ts'

const codec = createCodec(stock.events, noSeals)
const at = new Date('2011-08-09T10:11:12.345Z')
const command = (n: number) => ({
  ...systemEnvelope('test', at, sampleId(n)),
  digest: `digest${n}`,
})

const receive = (pieces: number) => (state: Stock) =>
  adjust(state, { productId, delta: pieces, reason: 'received' })

/** A process over a log, and how often it has read a stream. */
function newProcess(store: EventStore) {
  const reads: string[] = []
  const read: EventStore['read'] = ranges => {
    reads.push(...ranges.map(({ stream }) => stream))
    return store.read(ranges)
  }
  const parts = { codec, cache: mapCache, fingerprint: digestOf }
  return { ...createRepository(stock, { ...parts, eventStore: { ...store, read } }), reads }
}

describe('a stream that is believed to be new', () => {
  it('is not read', async () => {
    const process = newProcess(memoryEventStore())
    const outcome = await process.decide(productId, command(1), receive(3), { isNew: true })
    expect(outcome).toMatchObject({ revision: 0, state: { onHand: 3 }, replayed: false })
    expect(process.reads).toEqual([])
  })

  it('is read where somebody else has begun it', async () => {
    const store = memoryEventStore()
    await newProcess(store).decide(productId, command(1), receive(3))
    const outcome = await newProcess(store).decide(productId, command(2), receive(4), {
      isNew: true,
    })
    expect(outcome).toMatchObject({ revision: 1, state: { onHand: 7 }, replayed: false })
  })

  it('is read before anything is refused', async () => {
    const store = memoryEventStore()
    await newProcess(store).decide(productId, command(1), receive(3))
    const outcome = await newProcess(store).decide(productId, command(2), receive(-2), {
      isNew: true,
    })
    expect(outcome).toMatchObject({ revision: 1, state: { onHand: 1 } })
  })

  it('has a repeat get the first answer, in a process that knows nothing of it', async () => {
    const store = memoryEventStore()
    const first = await newProcess(store).decide(productId, command(1), receive(3), { isNew: true })
    await newProcess(store).decide(productId, command(2), receive(4))
    const again = await newProcess(store).decide(productId, command(1), receive(3), { isNew: true })
    expect(first).toMatchObject({ revision: 0, replayed: false })
    expect(again).toMatchObject({ revision: 0, replayed: true, state: { onHand: 7 } })
    expect((await newProcess(store).load(productId)).revision).toBe(1)
  })

  it('has a repeat right after it get the first answer, not one of its own', async () => {
    const store = memoryEventStore()
    await newProcess(store).decide(productId, command(1), receive(3), { isNew: true })
    const again = await newProcess(store).decide(productId, command(1), receive(3), { isNew: true })
    expect(again).toMatchObject({ revision: 0, replayed: true })
  })
})

describe('an imported ledger', () => {
  /** Imports a document in a process of its own; what it has read, and where the log is then. */
  async function importDocument(store: EventStore) {
    const reads: string[] = []
    const read: EventStore['read'] = ranges => {
      reads.push(...ranges.map(({ stream }) => stream))
      return store.read(ranges)
    }
    const app = createApp({
      eventStore: { ...store, read },
      codec: createCodec(eventSchemas, testSeals()),
      cache: mapCache,
      fingerprint: digestOf,
      clock: { now: () => at },
      payments: Object(null),
      currency: 'GBP',
    })
    const rows = ledgerRows(
      { InvoiceNo: '1', Quantity: '6' },
      { InvoiceNo: '1', StockCode: '85123A', Quantity: '4' },
      { InvoiceNo: 'C2', StockCode: 'D', Quantity: '-1', UnitPrice: '5' },
    )
    const documents: string[] = []
    await runImport(app, planLedger(rows), {
      isDone: () => false,
      onDocument: ({ document }) => documents.push(document.key),
    })
    return { reads, documents, head: await store.head() }
  }

  it('reads no stream where all of it is new, and writes nothing twice', async () => {
    const store = memoryEventStore()
    const first = await importDocument(store)
    expect(first.reads).toEqual([])
    expect(first.documents).toHaveLength(2)
    // As if the process had died and did not know what is done.
    const again = await importDocument(store)
    expect(again.reads).not.toEqual([])
    expect(again.head).toBe(first.head)
  })
})

describe('what a process remembers of a stream', () => {
  it('can be asked for without the log, and forgotten', async () => {
    const process = newProcess(memoryEventStore())
    expect(process.cached(productId)).toBeUndefined()
    await process.decide(productId, command(1), receive(3), { isNew: true })
    expect(process.cached(productId)?.onHand).toBe(3)
    process.evict(productId)
    expect(process.cached(productId)).toBeUndefined()
    expect((await process.load(productId)).state.onHand).toBe(3)
  })
})

describe('a command that the state itself tells has been done', () => {
  it('is not remembered, and done once all the same', async () => {
    const process = newProcess(memoryEventStore())
    await process.decide(productId, command(1), receive(3), { isNew: true })
    const keep = (state: Stock) => reserve(state, { productId, orderId, quantity: 2 })
    const step = systemEnvelope('test', at, sampleId(2))
    const options = { idempotency: 'state' } as const
    await process.decide(productId, step, keep, options)
    const again = await process.decide(productId, step, keep, options)
    expect(again).toMatchObject({ revision: 1, state: { reservedTotal: 2 } })
    const { processed: handled } = await process.load(productId)
    expect([...handled].map(([id]) => id)).toEqual([sampleId(1)])
  })
})
