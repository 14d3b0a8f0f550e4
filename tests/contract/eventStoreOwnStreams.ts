// What EventStoreDB is promised about a server that others use as well: nothing of theirs is seen.
import { randomUUID } from 'node:crypto'
import { binaryEvent, EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { describe, expect, it } from 'vitest'
import { eventStoreDb } from '../../src/eventstore/eventstoredb/eventstoredb.ts'
import { readStream } from '../../src/ports/eventStore.ts'
import type { EventLog } from '../../src/ports/logInspection.ts'
import {
  all,
  anEvent,
  follow,
  idsOf,
  newStream,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

interface Shared {
  /** A log with a prefix that nobody else has. */
  log: EventLog
  prefix: string
  client: EventStoreDBClient
  url: string
}

/** Registers the tests for the server behind a URL. */
export function ownStreamsContract(name: string, urlOf: () => Promise<string>): void {
  const on =
    (test: (shared: Shared) => Promise<void>, options: object = { streamPrefixes: ['order-'] }) =>
    async () => {
      const url = await urlOf()
      const prefix = `own-${randomUUID()}.`
      const log = eventStoreDb({ url, prefix, idleMs: 100, ...options })
      const client = EventStoreDBClient.connectionString(url)
      try {
        await test({ log, prefix, client, url })
      } finally {
        await log.close()
        await client.dispose()
      }
    }
  describe(`${name} that others use as well`, { timeout: 60_000 }, () => {
    logOfOwn(on)
    heads(on)
    strangers(on)
  })
}

type On = (test: (shared: Shared) => Promise<void>, options?: object) => () => Promise<void>

async function writeAsOthers({ client, prefix }: Shared, count = 30) {
  const names = ['order-1', `x${prefix}order-1`, `${prefix}orders-1`, `${prefix}cart-1`]
  for (const stream of names) {
    await client.appendToStream(stream, binaryEvent({ type: 'Raw', data: Buffer.from([1, 255]) }))
    await client.appendToStream(stream, jsonEvent(anEvent({}, 'OrderSubmitted')))
  }
  const many = upTo(count).map(n => jsonEvent({ type: 'OrderSubmitted', data: { n } }))
  await client.appendToStream(`others-${randomUUID()}`, many)
}

function logOfOwn(on: On): void {
  it(
    'gives the own events only, whatever the filter',
    on(async shared => {
      const { log } = shared
      await writeAsOthers(shared)
      const events = [anEvent({}, 'OrderSubmitted'), anEvent({}, 'OrderPaid')]
      await log.append('order-1', 'no-stream', events)
      await writeAsOthers(shared)
      const types = { types: ['OrderSubmitted'] }
      expect(idsOf(await all(log.readAll()))).toEqual(idsOf(events))
      expect(idsOf(await all(log.readAll({ filter: types })))).toEqual(idsOf(events.slice(0, 1)))
      const except = { exceptTypes: ['OrderSubmitted'] }
      expect(idsOf(await all(log.readAll({ filter: except })))).toEqual(idsOf(events.slice(1)))
      for (const streamPrefixes of [[''], ['ord'], ['order-'], ['order-1'], ['cart-', 'order-']]) {
        const filter = { streamPrefixes }
        expect(idsOf(await all(log.readAll({ filter })))).toEqual(idsOf(events))
      }
      for (const streamPrefixes of [[], ['cart-'], ['others-'], ['$']]) {
        expect(await all(log.readAll({ filter: { streamPrefixes } }))).toEqual([])
      }
      expect((await all(readStream(log, 'order-1'))).map(({ stream }) => stream)).toEqual([
        'order-1',
        'order-1',
      ])
    }),
  )

  it(
    'is followed without what others write meanwhile',
    on(async shared => {
      const { log } = shared
      const followers = [follow(log, {}), follow(log, { filter: { types: ['OrderSubmitted'] } })]
      for (const follower of followers) await follower.until(follower.isLive)
      const own: string[] = []
      for (const n of upTo(5)) {
        await writeAsOthers(shared, 50)
        const event = anEvent({ n }, 'OrderSubmitted')
        await log.append(`order-${n}`, 'no-stream', [event])
        own.push(event.id)
      }
      for (const follower of followers) {
        await follower.until(() => follower.events.length >= 5 && follower.isLive())
        await follower.stop()
        expect(idsOf(follower.events)).toEqual(own)
        expect(follower.events[0]?.stream).toBe('order-0')
      }
    }),
  )

  it(
    'refuses appends by the names that the port knows',
    on(async ({ log, client, prefix }) => {
      await log.append('order-1', 'no-stream', someEvents(1))
      await expect(log.append('order-1', 'no-stream', someEvents(1))).rejects.toMatchObject({
        stream: 'order-1',
        actual: 0,
      })
      const written = []
      for await (const { event } of client.readStream(`${prefix}order-1`)) written.push(event)
      expect(written).toHaveLength(1)
    }),
  )
}

function heads(on: On): void {
  it(
    'has the newest own event as its head, whoever writes behind it',
    on(async shared => {
      const { log } = shared
      await writeAsOthers(shared)
      expect(await log.head()).toBe(0n)
      const { position } = await seed(log, 'order-1', 2)
      expect(await log.head()).toBe(position)
      for (const _ of upTo(3)) {
        await writeAsOthers(shared)
        expect(await log.head()).toBe(position)
      }
      const second = await seed(log, 'order-2', 3)
      await writeAsOthers(shared)
      expect(await log.head()).toBe(second.position)
      const { url, prefix } = shared
      const fresh = eventStoreDb({ url, prefix, streamPrefixes: ['order-'] })
      expect(await fresh.head()).toBe(second.position)
      await fresh.close()
    }),
  )

  it(
    'knows its head from then on without reading what others wrote before',
    on(async shared => {
      const { log, client } = shared
      const { position } = await seed(log, 'order-1', 1)
      await log.head()
      const burst = `burst-${randomUUID()}`
      const many = upTo(300).map(n => jsonEvent({ type: 'Other', data: { n } }))
      await client.appendToStream(burst, many)
      expect(await log.head()).toBe(position)
      const later = await seed(log, 'order-2', 600)
      await client.appendToStream(burst, many)
      expect(await log.head()).toBe(later.position)
    }),
  )
}

function strangers(on: On): void {
  const known = { streamPrefixes: ['order-'], types: ['OrderSubmitted'] }
  it(
    'leaves out what others write into a stream named like its own',
    on(async ({ log, client, prefix }) => {
      await client.appendToStream(`${prefix}order-4711`, jsonEvent({ type: 'Printed', data: {} }))
      const sealed = { ...anEvent({}, 'OfALaterRelease'), metadata: { mac: `r${'m'.repeat(22)}` } }
      const event = anEvent({}, 'OrderSubmitted')
      const { position } = await log.append('order-1', 'no-stream', [event, sealed])
      await client.appendToStream(`${prefix}order-4711`, jsonEvent({ type: 'Printed', data: {} }))
      expect(idsOf(await all(log.readAll()))).toEqual([event.id, sealed.id])
      expect(await log.head()).toBe(position)
      const follower = follow(log, {})
      await follower.until(() => follower.isLive() && follower.events.length >= 2)
      await follower.stop()
      expect(idsOf(follower.events)).toEqual([event.id, sealed.id])
      const fault = /event 0 was written by another application/
      await expect(all(readStream(log, 'order-4711'))).rejects.toThrow(fault)
      expect(await log.streamHeads(['order-4711'])).toEqual([
        {
          stream: 'order-4711',
          revision: 1,
          fault: expect.stringContaining('another application'),
        },
      ])
    }, known),
  )

  it(
    'takes no field of others for its seal',
    on(async ({ log, client, prefix }) => {
      const { position } = await log.append('order-1', 'no-stream', [anEvent({}, 'OrderSubmitted')])
      const fields = ['', 'r', '00:1b:44:11:3a:b7', `x${'m'.repeat(22)}`, `r${'m'.repeat(23)}`, 7]
      for (const mac of [...fields, true, null, {}, ['r']]) {
        const event = jsonEvent({ type: 'Printed', data: {}, metadata: { mac } })
        await client.appendToStream(`${prefix}order-4711`, event)
      }
      expect(await all(log.readAll())).toHaveLength(1)
      expect(await log.head()).toBe(position)
    }, known),
  )

  it(
    'does not show limits that others have set on theirs',
    on(async ({ log, client, prefix }) => {
      const stream = newStream('order')
      await log.append(stream, 'no-stream', someEvents(1))
      for (const name of [`${prefix}orders-1`, `others-${randomUUID()}`]) {
        await client.appendToStream(name, jsonEvent({ type: 'Other', data: {} }))
        await client.setStreamMetadata(name, { maxCount: 1 })
      }
      expect(await all(log.streamLimits())).toEqual([])
    }),
  )

  it(
    'shows limits of its own streams alone where others have named some of theirs like them',
    on(async ({ log, client, prefix }) => {
      await log.append('order-1', 'no-stream', [anEvent({}, 'OrderSubmitted')])
      for (const name of ['order-4711', 'order-10']) {
        await client.appendToStream(`${prefix}${name}`, jsonEvent({ type: 'Printed', data: {} }))
        await client.deleteStream(`${prefix}${name}`)
      }
      expect(await all(log.streamLimits())).toEqual([])
      await client.deleteStream(`${prefix}order-1`)
      expect(await all(log.streamLimits())).toMatchObject([{ stream: 'order-1' }])
    }, known),
  )
}
