// Where order numbers come from when the log is slow, fails, or answers twice.
import { describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { importOrder } from '../../src/commands/ledger/importLedger.ts'
import { orderNumberSource } from '../../src/commands/order/orderNumbers.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { orderNumbers } from '../../src/domain/order/orderNumbers.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { type EventStore, readStream, Unavailable } from '../../src/ports/eventStore.ts'
import { mapCache } from '../support/mapCache.ts'
import { customerId, gbp, orderId } from '../support/samples.ts'
import { noSeals } from '../support/testSeals.ts'

const clock = { now: () => new Date('2011-08-09T10:11:12.345Z') }
const partsOf = (eventStore: EventStore) => ({
  eventStore,
  codec: createCodec(eventSchemas, noSeals),
  cache: mapCache,
  fingerprint: digestOf,
})

/** Numbers of a process whose appends go through `append`, and the log without it. */
function startProcess(append: (log: EventStore) => EventStore['append']) {
  const log = memoryEventStore()
  const time = { ms: 0 }
  const repository = createRepository(orderNumbers, partsOf({ ...log, append: append(log) }))
  const source = orderNumberSource({ repository, clock, elapsedMs: () => time.ms })
  const blocks = async () => {
    const found: unknown[] = []
    for await (const { data } of readStream(log, 'orderNumbers-shop')) {
      found.push([data.from, data.to])
    }
    return found
  }
  return { source, time, blocks }
}

describe('an order', () => {
  it('is not numbered while the log is away, and the next one is', async () => {
    let isAway = true
    const { source } = startProcess(log => async (...asked) => {
      if (isAway) throw new Unavailable('the log is away')
      return log.append(...asked)
    })
    await expect(source.request()()).rejects.toThrow(Unavailable)
    isAway = false
    expect(await source.request()()).toBe('100-0015')
  })

  it('gets a number of its own where the answer to a reservation was lost', async () => {
    let tries = 0
    const { source, blocks } = startProcess(log => async (...asked) => {
      const result = await log.append(...asked)
      tries += 1
      return { ...result, repeated: tries === 1 }
    })
    expect(await source.request()()).toBe('100-0028')
    expect(await blocks()).toEqual([
      [100_001, 100_001],
      [100_002, 100_002],
    ])
  })

  it('is not numbered from a block that was asked for a second before it came', async () => {
    let isHeld = false
    const held = Promise.withResolvers<void>()
    const { source, time, blocks } = startProcess(log => async (...asked) => {
      if (isHeld) await held.promise
      return log.append(...asked)
    })
    await source.request()()
    isHeld = true
    const early = source.request()()
    time.ms = 1_000
    const late = source.request()()
    held.resolve()
    expect([await early, await late]).toEqual(['100-0028', '100-0044'])
    expect((await blocks()).slice(0, 2)).toEqual([
      [100_001, 100_001],
      [100_002, 100_003],
    ])
  })

  it('shares a block of at most 256 with those that come with it', async () => {
    const { source, blocks } = startProcess(log => log.append)
    const takes = Array.from({ length: 300 }, () => source.request())
    const given = await Promise.all(takes.map(take => take()))
    expect(new Set(given).size).toBe(300)
    for (const [from, to] of (await blocks()) as [number, number][]) {
      expect(to - from).toBeLessThan(256)
    }
    expect((await blocks()).length).toBeLessThanOrEqual(4)
  })
})

describe('an order of an imported ledger', () => {
  const ordered = (orderNumber: string) => ({
    ...{ orderId, orderNumber, customerId, currency: 'GBP', country: null },
    ...{ lines: [], charges: [{ code: 'POST', name: 'Postage', amount: gbp(250) }] },
  })

  it('is refused with a number that an order of the shop may get', async () => {
    const app = createApp({
      ...partsOf(memoryEventStore()),
      ...{ clock, payments: Object(null), currency: 'GBP' },
    })
    const envelope = { ...systemEnvelope('import', clock.now()), source: 'test' }
    expect(await importOrder.run(app, ordered('100-0015'), envelope)).toMatchObject({
      rejected: 'order/number-taken',
    })
    const kept = await importOrder.run(app, ordered('100-0016'), envelope)
    expect(kept).toMatchObject({ id: orderId })
    expect((await app.orders.load(orderId)).state).toMatchObject({ orderNumber: '100-0016' })
  })
})
