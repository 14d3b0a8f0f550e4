// Whether a stream in EventStoreDB has got further is asked of the end of the log only: that must
// miss nothing that anybody had appended before it was asked for.
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { startOfLog } from '../../src/kit/position.ts'
import { BrokenStream, type EventStore } from '../../src/ports/eventStore.ts'
import {
  anEvent,
  follow,
  newStream,
  seed,
  someEvents,
  upTo,
} from '../contract/eventStoreSubject.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { waitFor } from '../support/waitFor.ts'

/** Whether a read says that nothing is new without a read of the stream itself. */
async function hasNothingNew(
  { stub, store }: { stub: EventStoreDbStub; store: EventStore },
  stream: string,
  revision: number,
): Promise<boolean> {
  const before = stub.streamReads()
  await store.read([{ stream, after: revision }]).catch(() => undefined)
  return stub.streamReads() === before
}

describe.each(['', 'shop.'])('reads of streams that are known, with the prefix "%s"', prefix => {
  let stub: EventStoreDbStub
  let reader: EventStore
  let writer: EventStore
  let stranger: EventStore

  beforeAll(async () => {
    stub = await eventStoreDbStub()
    const own = { url: stub.url, prefix, streamPrefixes: ['thing-'] }
    reader = eventStoreDb(own)
    writer = eventStoreDb(own)
    stranger = eventStoreDb({ url: stub.url, prefix: 'other-' })
  })
  afterAll(async () => {
    for (const store of [reader, writer, stranger]) await store.close()
    await stub.close()
  })

  const behind = async (stream: string, from: number) => {
    const [page] = await reader.read([{ stream, after: from - 1 }])
    return page?.events.map(({ revision }) => revision)
  }
  const isAtHead = (stream: string, revision: number) =>
    hasNothingNew({ stub, store: reader }, stream, revision)

  it('find what another process has appended', async () => {
    const stream = newStream()
    await seed(reader, stream, 3)
    expect(await behind(stream, 3)).toEqual([])
    expect(await isAtHead(stream, 2)).toBe(true)
    expect(await isAtHead(stream, 1)).toBe(false)
    await writer.append(stream, 2, [anEvent(), anEvent()])
    expect(await behind(stream, 3)).toEqual([3, 4])
    expect(await behind(stream, 5)).toEqual([])
    expect(await isAtHead(stream, 4)).toBe(true)
  })

  it('find the first event of a stream that was known to be empty', async () => {
    const stream = newStream()
    expect(await behind(stream, 0)).toEqual([])
    expect(await isAtHead(stream, -1)).toBe(true)
    await writer.append(stream, 'no-stream', [anEvent()])
    expect(await behind(stream, 0)).toEqual([0])
  })

  it('find it after more was appended elsewhere than is looked through', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await writer.append(newStream(), 'no-stream', someEvents(700))
    await writer.append(stream, 0, [anEvent()])
    expect(await behind(stream, 1)).toEqual([1])
    expect(await behind(stream, 2)).toEqual([])
    expect(await isAtHead(stream, 1)).toBe(true)
  })

  it('find what another process has appended before and behind something of our own', async () => {
    const [stream, ours] = [newStream(), newStream()]
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await writer.append(stream, 0, [anEvent()])
    await reader.append(ours, 'no-stream', [anEvent(), anEvent()])
    await writer.append(ours, 1, [anEvent()])
    expect(await behind(stream, 1)).toEqual([1])
    expect(await isAtHead(ours, 1)).toBe(false)
    expect(await behind(ours, 2)).toEqual([2])
  })

  it('find that something known was hidden, and nothing is written to it meanwhile', async () => {
    const [stream, busy] = [newStream(), newStream()]
    const operator = EventStoreDBClient.connectionString(stub.url)
    await seed(reader, stream, 3)
    expect(await behind(stream, 3)).toEqual([])
    const limit = (settings: { truncateBefore?: number; maxCount?: number }) =>
      operator.setStreamMetadata(`${prefix}${stream}`, settings)
    const count = () => stub.log.stream(`${prefix}${stream}`).length
    for (const settings of [{ truncateBefore: 1 }, { maxCount: 1 }]) {
      await limit(settings)
      await expect(behind(stream, 3)).rejects.toThrow(BrokenStream)
      await expect(behind(stream, 3)).rejects.toThrow(/events? 0/)
      await expect(reader.append(stream, 2, [anEvent()])).rejects.toThrow(BrokenStream)
      expect(count()).toBe(3)
      await limit({})
      expect(await behind(stream, 3)).toEqual([])
    }
    // One that hides nothing of it yet is no reason to refuse it.
    await limit({ maxCount: 50 })
    expect(await behind(stream, 3)).toEqual([])
    expect(await isAtHead(stream, 2)).toBe(true)
    await operator.deleteStream(`${prefix}${stream}`)
    await seed(writer, busy, 1)
    await expect(behind(stream, 3)).rejects.toThrow(/deleted/)
    for (const expected of ['no-stream', 2] as const) {
      await expect(reader.append(stream, expected, [anEvent()])).rejects.toThrow(/deleted/)
    }
    expect(count()).toBe(3)
    await operator.dispose()
  })

  it('are not kept busy by what others write on the same server', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    await stranger.append(newStream(), 'no-stream', someEvents(700))
    expect(await isAtHead(stream, 0)).toBe(true)
  })

  it('say nothing of a stream that does not belong to the log', async () => {
    const stream = newStream('strange')
    await reader.append(stream, 'no-stream', [anEvent()])
    await writer.append(stream, 0, [anEvent()])
    expect(await isAtHead(stream, 0)).toBe(false)
  })

  it('find what stands there once the log is another one', async () => {
    const stream = newStream()
    await seed(reader, stream, 1)
    expect(await behind(stream, 1)).toEqual([])
    // The newest events are taken away, as when an older copy of the log is put back.
    const before = stub.log.records.length
    await reader.append(newStream(), 'no-stream', someEvents(9))
    expect(await isAtHead(stream, 0)).toBe(true)
    stub.log.records.splice(before)
    await writer.append(stream, 0, [anEvent()])
    expect(await behind(stream, 1)).toEqual([1])
  })

  it('miss nothing while many write and read at once', async () => {
    const lane = async (stream: string) => {
      for (const n of upTo(25)) {
        const store = n % 2 === 0 ? writer : reader
        await store.append(stream, n === 0 ? 'no-stream' : n - 1, [anEvent()])
        // What was acknowledged is found by each read that is asked for afterwards.
        const seen = await Promise.all([behind(stream, n), behind(stream, n)])
        expect(seen).toEqual([[n], [n]])
        expect(await behind(stream, n + 1)).toEqual([])
      }
    }
    await Promise.all(upTo(6).map(() => lane(newStream())))
  }, 60_000)
})

describe('a server on which others have written much', { timeout: 30_000 }, () => {
  const timeoutMs = 300

  /** On it a search of everything takes several times as long as an append may. */
  async function busyServer() {
    const stub = await eventStoreDbStub()
    const told: number[] = []
    const store = eventStoreDb({
      url: stub.url,
      prefix: 'shop.',
      streamPrefixes: ['thing-'],
      timeoutMs,
      tellSearch: seconds => told.push(seconds),
    })
    onTestFinished(async () => {
      await store.close()
      await stub.close()
    })
    const writeMuch = () => {
      const event = { type: 'Measured', contentType: 'application/json', ...nothing }
      const events = upTo(12_000).map(n => ({ ...event, id: `measured-${n}` }))
      stub.log.append(newStream('sensor'), 'no-stream', events)
      stub.faults.searchMs = 0.1
    }
    const isAtHead = (stream: string, revision: number) =>
      hasNothingNew({ stub, store }, stream, revision)
    return { stub, store, told, writeMuch, isAtHead }
  }

  const nothing = { data: Buffer.from('{}'), metadata: Buffer.from('{}') }

  it('is searched to its end by a log that has no event yet, and once', async () => {
    const { store, stub, told, writeMuch } = await busyServer()
    writeMuch()
    expect(await Promise.all([store.head(), store.head()])).toEqual([startOfLog, startOfLog])
    expect(told.length).toBeLessThan(2)
    const before = stub.reads()
    expect(await store.head()).toBe(startOfLog)
    // The newest record, and what is behind the one that was the newest.
    expect(stub.reads() - before).toBeLessThanOrEqual(2)
    const { position } = await seed(store, newStream(), 1)
    expect(await store.head()).toBe(position)
  })

  it('is searched for the newest event of a log behind which all that was written', async () => {
    const { store, stub, writeMuch } = await busyServer()
    const { position } = await seed(store, newStream(), 700)
    writeMuch()
    expect(await store.head()).toBe(position)
    const second = eventStoreDb({ url: stub.url, prefix: 'shop.', timeoutMs })
    expect(await second.head()).toBe(position)
    await second.close()
  })

  it('is searched on from where a lost connection has left it', async () => {
    const { store, stub, writeMuch } = await busyServer()
    const { position } = await seed(store, newStream(), 1)
    writeMuch()
    const asked = store.head()
    // A third of the way, several times.
    for (const _ of upTo(3)) {
      const from = stub.searched()
      await waitFor('the search', () => stub.searched() > from + 4_000)
      await stub.dropConnections()
    }
    expect(await asked).toBe(position)
  })

  it('is searched for all who ask, though the one that began it has left', async () => {
    const { store, stub, writeMuch } = await busyServer()
    writeMuch()
    const follower = follow(store, {})
    await waitFor('the search', () => stub.reads() > 1)
    const asked = store.head()
    await follower.stop()
    expect(await asked).toBe(startOfLog)
  })

  it('is left at once when the store is closed', async () => {
    const { store, stub, writeMuch } = await busyServer()
    writeMuch()
    stub.faults.searchMs = 1
    const asked = store.head()
    await waitFor('the search', () => stub.reads() > 1)
    await Promise.all([store.close(), expect(asked).rejects.toThrow('closed')])
  })

  it('does not hold up reads of streams that are known', async () => {
    const { store, stub, writeMuch, isAtHead } = await busyServer()
    const stream = newStream()
    await seed(store, stream, 1)
    await store.read([{ stream, after: -1 }])
    expect(await isAtHead(stream, 0)).toBe(true)
    const operator = EventStoreDBClient.connectionString(stub.url)
    await operator.setStreamMetadata(`shop.${stream}`, { truncateBefore: 1 })
    await operator.dispose()
    writeMuch()
    expect(await isAtHead(stream, 0)).toBe(false)
    await expect(store.read([{ stream, after: 0 }])).rejects.toThrow(BrokenStream)
    const other = newStream()
    await store.read([{ stream: other, after: -1 }])
    expect(await isAtHead(other, -1)).toBe(true)
  })
})
