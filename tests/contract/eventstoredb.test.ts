// Holds the EventStoreDB adapter to the contract: always on the stub, on a real server if any.

import { randomUUID } from 'node:crypto'
import { binaryEvent, EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { afterAll, describe, expect, it } from 'vitest'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { readStream, Unavailable } from '../../src/ports/eventStore.ts'
import { realServerSource } from '../support/eventStoreDbServer.ts'
import { type EventStoreDbStub, eventStoreDbStub } from '../support/eventStoreDbStub.ts'
import { eventStoreContract } from './eventStoreContract.ts'
import { ownStreamsContract } from './eventStoreOwnStreams.ts'
import {
  all,
  anEvent,
  appendStubbornly,
  follow,
  type Hide,
  idsOf,
  newStream,
  revisionsOf,
  seed,
  someEvents,
  upTo,
  useSubject,
} from './eventStoreSubject.ts'
import { subscriptionContract } from './eventStoreSubscriptions.ts'

const quick = { idleMs: 100 }
/** Others have the same server. */
const prefix = `shop-${randomUUID()}.`

eventStoreContract('EventStoreDB (stub)', () => subjectOn(eventStoreDbStub()))
describe('a stub', () => {
  let stub: EventStoreDbStub | undefined
  afterAll(async () => stub?.close())
  ownStreamsContract('EventStoreDB (stub)', async () => {
    stub ??= await eventStoreDbStub()
    return stub.url
  })
})
describe('EventStoreDB before 23.10, which does not say when it has caught up', () => {
  const before = () => eventStoreDbStub({ tellsCaughtUp: false })
  subscriptionContract(useSubject(() => subjectOn(before(), 20)))
})

async function subjectOn(starting: Promise<EventStoreDbStub>, idleMs = quick.idleMs) {
  const stub = await starting
  const open = () => eventStoreDb({ url: stub.url, idleMs, prefix })
  const store = open()
  const client = EventStoreDBClient.connectionString(stub.url)
  return {
    store,
    second: async () => open(),
    cutConnections: stub.dropConnections,
    hide: hiding(client),
    lose: async (stream: string, revisions: readonly number[]) =>
      stub.log.lose(`${prefix}${stream}`, revisions),
    close: async () => {
      await store.close()
      await client.dispose()
      await stub.close()
    },
  }
}

/** What any client of the server can do to the streams of a log. */
function hiding(client: EventStoreDBClient): Hide {
  return {
    limit: async (stream, { $tb, $maxCount, $maxAge }) => {
      await client.setStreamMetadata(`${prefix}${stream}`, {
        ...($tb === undefined ? {} : { truncateBefore: $tb }),
        ...($maxCount === undefined ? {} : { maxCount: $maxCount }),
        ...($maxAge === undefined ? {} : { maxAge: $maxAge }),
      })
    },
    softDelete: async stream => {
      await client.deleteStream(`${prefix}${stream}`)
    },
    tombstone: async stream => {
      await client.tombstoneStream(`${prefix}${stream}`)
    },
  }
}

const source = await realServerSource()
if (typeof source === 'string') {
  const how = 'EVENTSTORE_URL=esdb://127.0.0.1:2113?tls=false npm run test:eventstoredb'
  console.log(`EventStoreDB contract on a real server skipped: ${source}. To run it: ${how}`)
  it.skip(`EventStoreDB on a real server: ${source}`)
} else {
  // One server for the whole file; every test owns its streams.
  const server = source.start()
  server.catch(() => undefined)
  afterAll(async () => (await server).stop(), 60_000)
  ownStreamsContract(`EventStoreDB (${source.name})`, async () => (await server).url)
  eventStoreContract(`EventStoreDB (${source.name})`, async () => {
    const { url, cutConnections } = await server
    const store = eventStoreDb({ url, prefix })
    const client = EventStoreDBClient.connectionString(url)
    return {
      store,
      second: async () => eventStoreDb({ url, prefix }),
      ...(cutConnections ? { cutConnections } : {}),
      hide: hiding(client),
      close: async () => {
        await store.close()
        await client.dispose()
      },
    }
  })
}

/** Runs a test with a stub, an adapter and a bare client of its own. */
function onStub(
  test: (on: {
    stub: EventStoreDbStub
    store: ReturnType<typeof eventStoreDb>
    client: EventStoreDBClient
  }) => Promise<void>,
  options: { timeoutMs?: number } = {},
) {
  return async () => {
    const stub = await eventStoreDbStub()
    const streamPrefixes = ['thing-', 'away', 'foreign']
    const store = eventStoreDb({ url: stub.url, streamPrefixes, ...quick, ...options })
    const client = EventStoreDBClient.connectionString(stub.url)
    try {
      await test({ stub, store, client })
    } finally {
      await store.close()
      await client.dispose()
      await stub.close()
    }
  }
}

describe('an append to EventStoreDB', { timeout: 30_000 }, () => {
  it.each(['any', 'exists', 0] as const)(
    'whose answer is lost with the server (%s) is written once',
    async expected =>
      onStub(async ({ stub, store }) => {
        const stream = newStream()
        await store.append(stream, 'no-stream', [anEvent()])
        stub.faults.lostAnswers = 1
        const events = someEvents(2)
        const { revision } = await store.append(stream, expected, events)
        expect(revision).toBe(2)
        expect(idsOf(await all(readStream(store, stream, { from: 1 })))).toEqual(idsOf(events))
      })(),
  )

  it(
    'with any would be written twice by the client alone',
    onStub(async ({ stub, client }) => {
      const event = jsonEvent(anEvent())
      await client.appendToStream('twice', event)
      stub.log.forgetIds()
      await client.appendToStream('twice', event)
      expect(stub.log.stream('twice')).toHaveLength(2)
    }),
  )

  it(
    'that gets no answer is Unavailable in time',
    onStub(
      async ({ stub, store }) => {
        stub.faults.ignoredAppends = 1_000
        const outcome = store.append(newStream(), 'no-stream', [anEvent()])
        await expect(outcome).rejects.toBeInstanceOf(Unavailable)
      },
      { timeoutMs: 400 },
    ),
  )

  it(
    'that finds no server is Unavailable in time',
    onStub(
      async ({ stub, store }) => {
        await stub.close()
        const outcome = store.append(newStream(), 'any', [anEvent()])
        await expect(outcome).rejects.toBeInstanceOf(Unavailable)
        await expect(store.head()).rejects.toBeInstanceOf(Unavailable)
        await expect(all(readStream(store, 's'))).rejects.toBeInstanceOf(Unavailable)
      },
      { timeoutMs: 400 },
    ),
  )

  it('to a cluster that goes away is Unavailable in time', async () => {
    const stub = await eventStoreDbStub()
    const url = `${stub.clusterUrl}&maxDiscoverAttempts=2`
    const store = eventStoreDb({ url, timeoutMs: 1_000, ...quick })
    const followers = upTo(3).map(() => follow(store, {}))
    for (const follower of followers) await follower.until(follower.isLive)
    await seed(store, 'thing', 1)
    await stub.close()
    const appends = upTo(5).map(() => store.append('thing', 'any', [anEvent()]))
    const outcomes = await Promise.allSettled(appends)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ reason: expect.any(Unavailable) })
    for (const follower of followers) await follower.stop()
    await store.close()
  })

  it(
    'that is too big is refused at once',
    onStub(async ({ stub, store }) => {
      const big = anEvent({ text: 'x'.repeat(2 ** 20) })
      const outcome = store.append(newStream(), 'no-stream', [big])
      await expect(outcome).rejects.toThrow(/maximum append size/)
      expect(stub.appends()).toBe(1)
    }),
  )

  // Through the client's batch append this ends the process with unhandled rejections.
  it(
    'survives with sixty others that the connection is cut',
    onStub(async ({ stub, store }) => {
      const appends = upTo(60).map(() => {
        const events = [anEvent({ text: 'x'.repeat(500_000) })]
        return { stream: newStream(), expected: 'no-stream' as const, events }
      })
      const sending = appends.map(append => appendStubbornly(store, append))
      await Promise.race(sending)
      await stub.dropConnections()
      const results = await Promise.all(sending)
      expect(results.map(({ revision }) => revision)).toEqual(appends.map(() => 0))
      for (const { stream } of appends) expect(stub.log.stream(stream)).toHaveLength(1)
    }),
  )
})

describe('the log of EventStoreDB', { timeout: 30_000 }, () => {
  it(
    'is shown without the events of the server itself',
    onStub(async ({ stub, store }) => {
      for (const n of upTo(30)) await seed(store, `thing-${n % 3}`, 1)
      const follower = follow(store, {})
      await follower.until(() => follower.isLive() && follower.events.length >= 30)
      await follower.stop()
      const types = new Set(stub.log.records.map(({ type }) => type))
      expect(types).toContain('$system')
      const shown = await all(store.readAll())
      expect(new Set(shown.map(({ type }) => type))).toEqual(new Set(['ThingHappened']))
      expect(follower.events).toEqual(shown)
    }),
  )

  it(
    'shows events that are not JSON objects',
    onStub(async ({ store, client }) => {
      const binary = binaryEvent({ type: 'Raw', data: Buffer.from([1, 2, 255]) })
      const list = jsonEvent({ type: 'List', data: [1, 2] })
      await client.appendToStream('foreign', [binary, list])
      const data = (await all(readStream(store, 'foreign'))).map(event => event.data)
      expect(data).toEqual([{ base64: 'AQL/' }, { value: [1, 2] }])
    }),
  )

  it(
    'is followed on by a subscription whose server was away for a while',
    onStub(async ({ stub, store }) => {
      const follower = follow(store, { filter: { streamPrefixes: ['away'] } })
      await follower.until(follower.isLive)
      for (const n of upTo(20)) {
        await appendStubbornly(store, { stream: 'away', expected: 'any', events: [anEvent({ n })] })
        if (n % 3 === 0) await stub.dropConnections()
      }
      await follower.until(() => follower.events.length >= 20)
      await follower.stop()
      expect(revisionsOf(follower.events)).toEqual(upTo(20))
    }),
  )
})
