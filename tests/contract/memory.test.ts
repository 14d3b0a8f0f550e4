// Holds the in-memory event store to the contract.
import { describe, expect, it } from 'vitest'
import { memoryEventStore } from '../../src/eventstore/memory.ts'
import { eventStoreContract } from './eventStoreContract.ts'
import { all, anEvent, newStream } from './eventStoreSubject.ts'

eventStoreContract('memory', async () => {
  const store = memoryEventStore()
  return { store, close: () => store.close() }
})

describe('the event store in memory', () => {
  it('takes the time from its clock and counts positions from one', async () => {
    const at = new Date('2011-08-09T10:11:12.345Z')
    const store = memoryEventStore({ clock: () => at })
    expect(await store.head()).toBe(0n)
    const stream = newStream()
    const result = await store.append(stream, 'no-stream', [anEvent(), anEvent()])
    expect(result).toEqual({ revision: 1, position: 2n, repeated: false })
    const [first] = await all(store.readStream(stream))
    expect(first).toMatchObject({ position: 1n, recordedAt: at })
    expect(await store.head()).toBe(2n)
  })
})
