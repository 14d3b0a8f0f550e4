// Reads of EventStoreDB taken off the wire ahead of their reader: in order, and up to a bound.
import { randomUUID } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EventStoreDBClient } from '@eventstore/db-client'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { within } from '../../src/eventstore/eventstoredb/client.ts'
import { clientEvent } from '../../src/eventstore/eventstoredb/events.ts'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { type Sent, sentIn } from '../../src/eventstore/eventstoredb/messages.ts'
import { openInbox } from '../../src/eventstore/eventstoredb/readAhead.ts'
import { Unavailable } from '../../src/ports/eventStore.ts'
import { all } from '../contract/eventStoreSubject.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'

const never = new AbortController().signal

/** An inbox on a server that has these messages and sends them as they are asked for. */
function given(sizes: Iterable<number>, itemOf = (sent: Sent) => sizeOf(sent)) {
  let sent = 0
  let cancelled = 0
  const messages = (function* () {
    for (const size of sizes) {
      sent += 1
      yield bytesOf(messageOf(size))
    }
  })()
  const call = Object.assign(Readable.from(messages), {
    cancel() {
      cancelled += 1
      call.destroy()
    },
  })
  const client = {
    callArguments: () => [],
    GRPCStreamCreator: (_: unknown, __: string, create: (stub: object) => unknown) => async () =>
      create({ makeServerStreamRequest: () => call }),
  } as unknown as EventStoreDBClient
  const inbox = openInbox(client, new streamsPb.ReadReq(), itemOf)
  return { inbox, call, sent: () => sent, cancelled: () => cancelled }
}

function messageOf(size: number): streamsPb.ReadResp {
  const event = new streamsPb.ReadResp.ReadEvent.RecordedEvent().setData(new Uint8Array(size))
  return new streamsPb.ReadResp().setEvent(new streamsPb.ReadResp.ReadEvent().setEvent(event))
}

/** Written by the code that was generated from the protocol. */
function bytesOf(message: streamsPb.ReadResp): Buffer {
  return Buffer.from(message.serializeBinary())
}

function sizeOf(sent: Sent): number | undefined {
  return 'event' in sent ? sent.event.data.to - sent.event.data.from : undefined
}

/** Waits until nothing more is sent though there is time for it. */
async function settled(sent: () => number): Promise<number> {
  for (let quiet = 0, before = -1; quiet < 50; before = sent()) {
    await nextTurn()
    quiet = sent() === before ? quiet + 1 : 0
  }
  return sent()
}

describe('what a read sends', { timeout: 30_000 }, () => {
  it('waits in order, a few thousand events of it, and comes on when half is taken', async () => {
    const { inbox, sent } = given(Array.from({ length: 12_000 }, (_, n) => n % 7))
    const first = await settled(sent)
    expect(first).toBeGreaterThanOrEqual(4_000)
    expect(first).toBeLessThan(4_100)
    for (let n = 0; n < 1_900; n += 1) expect(inbox.next()).toBe(n % 7)
    expect(await settled(sent)).toBe(first)
    for (let n = 1_900; n < 2_200; n += 1) expect(inbox.next()).toBe(n % 7)
    expect(await settled(sent)).toBeGreaterThanOrEqual(6_000)
    for (let n = 2_200; n < 12_000; n += 1) {
      const item = inbox.next()
      if (item === undefined) {
        await inbox.arrived(10_000, never)
        expect(inbox.next()).toBe(n % 7)
      } else {
        expect(item).toBe(n % 7)
      }
    }
    expect(inbox.next()).toBeUndefined()
  })

  it('waits up to some megabytes where events are large', async () => {
    const { sent } = given(Array.from({ length: 100 }, () => 1_000_000))
    const first = await settled(sent)
    expect(first).toBeGreaterThanOrEqual(9)
    expect(first).toBeLessThan(40)
  })

  it('ends with its reason once what came before has been taken', async () => {
    const { inbox, call, sent } = given(Array.from({ length: 9_000 }, (_, n) => n % 7))
    await settled(sent)
    call.destroy(Object.assign(new Error('gone'), { code: 14, details: '', metadata: undefined }))
    await settled(sent)
    for (let n = 0; n < 4_000; n += 1) {
      expect(inbox.end()).toBeUndefined()
      expect(inbox.next()).toBe(n % 7)
    }
    expect(inbox.next()).toBeUndefined()
    expect(inbox.end()?.reason).toMatchObject({ code: 14 })
  })

  it('ends with what cannot be read of it, and the call with it', async () => {
    const { inbox, sent, cancelled } = given([1, 2, 3], sent => {
      if (sizeOf(sent) === 2) throw new Error('not readable')
      return sizeOf(sent)
    })
    await settled(sent)
    expect(inbox.next()).toBe(1)
    expect(inbox.next()).toBeUndefined()
    expect(inbox.end()?.reason).toMatchObject({ message: 'not readable' })
    expect(cancelled()).toBe(1)
  })

  it('is cancelled when it is closed, also before it has begun', async () => {
    const late = given([1])
    late.inbox.close()
    const early = given(Array.from({ length: 9_000 }, () => 1))
    await settled(early.sent)
    early.inbox.close()
    await settled(early.sent)
    expect([late.cancelled(), early.cancelled()]).toEqual([1, 1])
  })

  it('is not cancelled when it has ended by itself', async () => {
    const { inbox, sent, cancelled } = given([1])
    await settled(sent)
    inbox.close()
    await settled(sent)
    expect(cancelled()).toBe(0)
  })
})

describe('a message of a read', () => {
  const { ReadEvent } = streamsPb.ReadResp
  const position = '9223372036854775807'

  function recorded() {
    const event = new ReadEvent.RecordedEvent()
      .setId(new sharedPb.UUID().setString('00000000-0000-4000-8000-000000000001'))
      .setStreamIdentifier(new sharedPb.StreamIdentifier().setStreamName(Buffer.from('thing-é')))
      .setStreamRevision('300')
      .setPreparePosition('268435456')
      .setCommitPosition(position)
      .setCustomMetadata(Buffer.from('{"by":"é"}'))
      .setData(Buffer.from('{"n":1}'))
    const properties = { created: '17640000000009999', type: 'ThingHappened' }
    for (const [name, value] of Object.entries(properties)) event.getMetadataMap().set(name, value)
    return event
  }

  function received(event: InstanceType<typeof ReadEvent.RecordedEvent>) {
    const message = new streamsPb.ReadResp().setEvent(new ReadEvent().setEvent(event))
    const sent = sentIn(bytesOf(message))
    if (sent === undefined || !('event' in sent)) throw new Error('no event')
    return clientEvent(sent.event)
  }

  it('gives each part of an event', () => {
    const event = recorded()
    event.getMetadataMap().set('content-type', 'application/json').set('later', 'unknown')
    expect(received(event)).toEqual({
      streamId: 'thing-é',
      id: '00000000-0000-4000-8000-000000000001',
      revision: 300n,
      type: 'ThingHappened',
      data: { n: 1 },
      metadata: { by: 'é' },
      created: new Date(1_764_000_000_000),
      position: { commit: BigInt(position), prepare: 268_435_456n },
    })
  })

  it.each([
    0n,
    1n,
    127n,
    128n,
    2n ** 28n - 1n,
    2n ** 53n - 1n,
    2n ** 53n + 1n,
    2n ** 56n,
    2n ** 64n - 1n,
  ])('gives a position of %i as it is', commit => {
    const { position: found } = received(recorded().setCommitPosition(String(commit)))
    expect(found?.commit).toBe(commit)
  })

  it('gives contents that are no JSON, or say that they are none, as they are', () => {
    const broken = recorded().setData(Buffer.from('{"n"')).setCustomMetadata(Buffer.from('x'))
    broken.getMetadataMap().set('content-type', 'application/json')
    const { data, metadata } = received(broken)
    expect([data, metadata]).toEqual(['{"n"', Uint8Array.of(120)])
    const binary = recorded().setData(Uint8Array.of(1, 255)).setCustomMetadata('')
    binary.getMetadataMap().set('content-type', 'application/octet-stream')
    expect(received(binary)).toMatchObject({ data: Uint8Array.of(1, 255), metadata: undefined })
  })

  it('tells a checkpoint, being live, being behind, and nothing of the rest', () => {
    const { Checkpoint, CaughtUp, FellBehind, SubscriptionConfirmation } = streamsPb.ReadResp
    const reached = new Checkpoint().setCommitPosition(position).setPreparePosition('1')
    const of = (message: streamsPb.ReadResp) => sentIn(bytesOf(message))
    const message = () => new streamsPb.ReadResp()
    expect(of(message().setCheckpoint(reached))).toEqual({ checkpoint: BigInt(position) })
    expect(of(message().setCaughtUp(new CaughtUp()))).toEqual({ live: true })
    expect(of(message().setFellBehind(new FellBehind()))).toEqual({ live: false })
    const confirmed = new SubscriptionConfirmation().setSubscriptionId('known')
    expect(of(message().setConfirmation(confirmed))).toBeUndefined()
    expect(of(message().setEvent(new ReadEvent()))).toBeUndefined()
  })

  it('passes over fields that a later server may send, and refuses what is cut off', () => {
    const bytes = bytesOf(new streamsPb.ReadResp().setCaughtUp(new streamsPb.ReadResp.CaughtUp()))
    // Fields 20 to 22: an integer, eight bytes, four bytes.
    const integer = [0xa0, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
    const eight = [0xa9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8]
    const four = [0xb5, 0x01, 1, 2, 3, 4]
    const later = Buffer.from([...integer, ...eight, ...bytes, ...four])
    expect(sentIn(later)).toEqual({ live: true })
    const event = new streamsPb.ReadResp().setEvent(new ReadEvent().setEvent(recorded()))
    expect(() => sentIn(bytesOf(event).subarray(0, -1))).toThrow('cut off')
    expect(() => sentIn(Buffer.from([0x0b]))).toThrow('of the kind 3')
  })
})

it('a subscription has batches as large as asked for while its reader is busy', async () => {
  const stub = await eventStoreDbStub()
  onTestFinished(stub.close)
  const events = Array.from({ length: 2_500 }, () => ({
    id: randomUUID(),
    type: 'ThingHappened',
    contentType: 'application/json',
    data: Buffer.from('{}'),
    metadata: Buffer.from('{}'),
  }))
  stub.log.append('thing', 'no-stream', events)
  const store = eventStoreDb({ url: stub.url, idleMs: 100 })
  onTestFinished(() => store.close())
  const sizes: number[] = []
  let next = 0
  const filter = { streamPrefixes: ['thing'] }
  for await (const batch of store.subscribe({ filter, batchSize: 500 })) {
    for (const { revision } of batch.events) expect(revision).toBe(next++)
    sizes.push(batch.events.length)
    if (next === 2_500) break
    // Busy at first, for as long as another reader takes for all of it.
    if (sizes.length < 3) expect(await all(store.readAll({ filter }))).toHaveLength(2_500)
  }
  // Over the client's own buffer no batch has more than 31.
  expect(Math.max(...sizes)).toBe(500)
})

describe('work that is waited for in EventStoreDB', () => {
  const closing = () => {
    const controller = new AbortController()
    return { signal: controller.signal, close: () => controller.abort() }
  }

  it('settles as it does, and leaves nothing behind', async () => {
    const { signal } = closing()
    await expect(within(60_000, signal, Promise.resolve('done'))).resolves.toBe('done')
    const failed = within(60_000, signal, Promise.reject(new Error('no such stream')))
    await expect(failed).rejects.toThrow('no such stream')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('is Unavailable when it takes too long, and may fail after that', async () => {
    const { signal } = closing()
    const late = Promise.withResolvers<void>()
    const error = await within(1, signal, late.promise).catch(reason => reason)
    expect(error).toEqual(new Unavailable('EventStoreDB did not answer in time'))
    expect(getEventListeners(signal, 'abort')).toEqual([])
    // Unheard it would end the process, and this test with it.
    late.reject(new Error('too late'))
    await nextTurn()
  })

  it('is Unavailable once the store is closed, before and during it', async () => {
    const { signal, close } = closing()
    const during = within(60_000, signal, new Promise(() => undefined))
    close()
    const closed = new Unavailable('the event store is closed')
    await expect(during).rejects.toEqual(closed)
    await expect(within(60_000, signal, new Promise(() => undefined))).rejects.toEqual(closed)
  })
})
