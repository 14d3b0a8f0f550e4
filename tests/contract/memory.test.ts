// Holds the in-memory event store to the contract.
import { describe, expect, it } from 'vitest'
import { watchedStore } from '../../src/eventstore/core/observed.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { BrokenStream, readStream } from '../../src/ports/eventStore.ts'
import { eventStoreContract } from './eventStoreContract.ts'
import { all, anEvent, newStream } from './eventStoreSubject.ts'

eventStoreContract('memory', async () => {
  const store = memoryEventStore()
  return { store, close: () => store.close() }
})

describe('a store that is watched', () => {
  it('tells of a broken stream once, and when it is whole again', async () => {
    const told: unknown[][] = []
    const brokenStream = (...news: unknown[]) => told.push(news)
    const store = watchedStore(memoryEventStore(), { brokenStream })
    const stream = newStream()
    for (const _ of [1, 2]) {
      await expect(store.read([{ stream, after: 1 }])).rejects.toBeInstanceOf(BrokenStream)
      await expect(all(readStream(store, stream, { from: 2 }))).rejects.toThrow(stream)
    }
    expect(told).toEqual([[stream, 'all of its events are missing']])
    await store.append(stream, 'no-stream', [anEvent()])
    await store.read([{ stream, after: 0 }])
    expect(told).toHaveLength(1)
    for (const _ of [1, 2]) expect(await all(readStream(store, stream))).toHaveLength(1)
    expect(told.slice(1)).toEqual([[stream, undefined]])
  })
})

describe('the event store in memory', () => {
  it('takes the time from its clock and counts positions from one', async () => {
    const at = new Date('2011-08-09T10:11:12.345Z')
    const store = memoryEventStore({ clock: () => at })
    expect(await store.head()).toBe(0n)
    const stream = newStream()
    const result = await store.append(stream, 'no-stream', [anEvent(), anEvent()])
    expect(result).toEqual({ revision: 1, position: 2n, repeated: false })
    const [first] = await all(readStream(store, stream))
    expect(first).toMatchObject({ position: 1n, recordedAt: at })
    expect(await store.head()).toBe(2n)
  })
})
