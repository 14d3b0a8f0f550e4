// A process caches a state only when it was folded from every event up to its revision.
import { describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { adjust, commit, reserve, type Stock, stock } from '../../src/domain/stock/stock.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import type { AppendResult, EventStore } from '../../src/ports/eventStore.ts'
import { mapCache } from '../support/mapCache.ts'
import { productId, sampleId } from '../support/samples.ts'
import { noSeals } from '../support/testSeals.ts'

const codec = createCodec(stock.events, noSeals)
const at = new Date('2011-08-09T10:11:12.345Z')
/** A step of the order process: the same id in each process; the state shows that it is done. */
const step = (n: number) => systemEnvelope('test', at, sampleId(n))
const byState = { idempotency: 'state' } as const

const newProcess = (eventStore: EventStore) =>
  createRepository(stock, { eventStore, codec, cache: mapCache, fingerprint: digestOf })

const receive = (pieces: number) => (state: Stock) =>
  adjust(state, { productId, delta: pieces, reason: 'received' })
const [orderA, orderB, orderC] = [sampleId(11), sampleId(12), sampleId(13)]
const reserving = (orderId: string, quantity: number) => (state: Stock) =>
  reserve(state, { productId, orderId, quantity })
const committing = (orderId: string) => (state: Stock) => commit(state, productId, orderId)

describe('a step that another process has taken, with other events since', () => {
  it('leaves no state in the cache that lacks these events', async () => {
    const store = memoryEventStore()
    const [here, there] = [newProcess(store), newProcess(store)]
    await here.decide(productId, step(1), receive(3), byState)
    await here.decide(productId, step(2), reserving(orderA, 1), byState)
    await there.decide(productId, step(3), reserving(orderB, 2), byState)
    await there.decide(productId, step(4), committing(orderA), byState)
    const again = await here.decide(productId, step(4), committing(orderA), byState)
    if (isRejection(again)) throw new Error(again.detail)
    const third = await here.decide(productId, step(5), reserving(orderC, 2), byState)
    if (isRejection(third)) throw new Error(third.detail)
    expect(third.state.reserved.has(orderC)).toBe(false)
    const { state } = await newProcess(store).load(productId)
    expect(state).toMatchObject({ onHand: 2, reservedTotal: 2 })
  })

  it('is settled with where it had led to, after others have written more', async () => {
    const store = memoryEventStore()
    const [here, there] = [newProcess(store), newProcess(store)]
    await here.decide(productId, step(1), receive(3), byState)
    await there.decide(productId, step(2), receive(4), byState)
    await there.decide(productId, step(3), receive(5), byState)
    const again = await here.decide(productId, step(2), receive(4), byState)
    expect(again).toMatchObject({ revision: 1, position: 2n, replayed: true })
    expect(await here.load(productId)).toMatchObject({ revision: 2, state: { onHand: 12 } })
  })
})

it('a step is another event where it was decided otherwise, and only there', async () => {
  const idOf = async (pieces: number) => {
    const store = memoryEventStore()
    await newProcess(store).decide(productId, step(1), receive(pieces), byState)
    for await (const { id } of store.readAll()) return id
    return ''
  }
  const [one, other, again] = [await idOf(3), await idOf(4), await idOf(3)]
  expect(again).toBe(one)
  expect(other).not.toBe(one)
})

/** A store whose answer to the next append is changed on its way. */
function answering(store: EventStore, change: (result: AppendResult) => AppendResult): EventStore {
  let left = 1
  return {
    ...store,
    async append(...asked) {
      const result = await store.append(...asked)
      left -= 1
      return left < 0 ? result : change(result)
    },
  }
}

describe('an append whose answer does not fit', () => {
  it('is found again by a command that is given once, however much came behind it', async () => {
    const store = memoryEventStore()
    const there = newProcess(store)
    let isFirst = true
    const late: EventStore = {
      ...store,
      async append(...asked) {
        const result = await store.append(...asked)
        if (!isFirst) return result
        isFirst = false
        for (const n of [2, 3, 4, 5]) await there.decide(productId, step(n), receive(1), byState)
        return { ...result, repeated: true }
      },
    }
    const parts = { codec, cache: mapCache, fingerprint: digestOf, commandsMax: 2 }
    const here = createRepository(stock, { ...parts, eventStore: late })
    const once = systemEnvelope('test', at, sampleId(1))
    const outcome = await here.decide(productId, once, receive(3), { idempotency: 'none' })
    expect(outcome).toMatchObject({ revision: 0, replayed: true })
    expect((await there.load(productId)).state.onHand).toBe(7)
  })

  it.each([
    ['is repeated', (result: AppendResult) => ({ ...result, repeated: true })],
    ['has another revision', (result: AppendResult) => ({ ...result, revision: 7 })],
  ])('and %s has the stream read again', async (_, change) => {
    const store = memoryEventStore()
    const reads: string[] = []
    const read: EventStore['read'] = ranges => {
      reads.push(...ranges.map(({ after }) => `${after}`))
      return store.read(ranges)
    }
    const here = newProcess({ ...answering(store, change), read })
    const outcome = await here.decide(productId, step(1), receive(3), { isNew: true, ...byState })
    expect(outcome).toMatchObject({ revision: 0, state: { onHand: 3 } })
    expect(reads).toEqual(['-1'])
    expect(await store.head()).toBe(1n)
  })
})
