// Reads of EventStoreDB taken off the wire ahead of their reader: in order, and up to a bound.
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EventStoreDBClient } from '@eventstore/db-client'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventStoreDb } from '../../src/eventstore/eventstoredb.ts'
import { openInbox } from '../../src/eventstore/eventstoredbInbox.ts'
import { all } from '../contract/eventStoreSubject.ts'
import { eventStoreDbStub } from '../support/eventStoreDbStub.ts'

const never = new AbortController().signal

/** An inbox on a server that has these messages and sends them as they are asked for. */
function given(sizes: Iterable<number>, itemOf = (message: streamsPb.ReadResp) => sizeOf(message)) {
  let sent = 0
  let cancelled = 0
  const messages = (function* () {
    for (const size of sizes) {
      sent += 1
      yield messageOf(size)
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
      create({ read: () => call }),
  } as unknown as EventStoreDBClient
  const inbox = openInbox(client, new streamsPb.ReadReq(), itemOf)
  return { inbox, call, sent: () => sent, cancelled: () => cancelled }
}

function messageOf(size: number): streamsPb.ReadResp {
  const event = new streamsPb.ReadResp.ReadEvent.RecordedEvent().setData(new Uint8Array(size))
  return new streamsPb.ReadResp().setEvent(new streamsPb.ReadResp.ReadEvent().setEvent(event))
}

function sizeOf(message: streamsPb.ReadResp): number | undefined {
  return message.getEvent()?.getEvent()?.getData_asU8().length
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
        await inbox.news(10_000, never)
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
    const { inbox, sent, cancelled } = given([1, 2, 3], message => {
      if (sizeOf(message) === 2) throw new Error('not readable')
      return sizeOf(message)
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
