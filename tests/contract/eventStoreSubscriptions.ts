// The contract of subscriptions: catch up, say so, follow live; never skip, reorder or repeat.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Position } from '../../src/kit/position.ts'
import type {
  EventFilter,
  EventStore,
  RecordedEvent,
  SubscriptionBatch,
} from '../../src/ports/eventStore.ts'
import { numberOf } from '../support/positions.ts'
import {
  ability,
  all,
  anEvent,
  type Current,
  expectInOrder,
  follow,
  idsOf,
  newStream,
  revisionsOf,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

export function subscriptionContract(current: Current): void {
  describe('a subscription', () => {
    catchUp(current)
    resuming(current)
    filtering(current)
    batching(current)
    busyLog(current)
    ending(current)
  })
}

/** A category of streams of its own, with the filter for it and where the log was before it. */
async function category(store: EventStore) {
  const name = newStream('sub')
  return { name, filter: { streamPrefixes: [name] }, after: await store.head() }
}

function catchUp(current: Current): void {
  it('delivers what was there, says that it is live, then what comes', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    await store.append(name, 'no-stream', someEvents(5))
    const follower = follow(store, { after, filter })
    await follower.until(follower.isLive)
    expect(revisionsOf(follower.events)).toEqual(upTo(5))
    await store.append(name, 4, someEvents(3))
    await store.append(`${name}-2`, 'no-stream', someEvents(2))
    await follower.until(() => follower.events.length === 10)
    expect(follower.isLive()).toBe(true)
    await follower.stop()
    expect(follower.events).toEqual(await all(store.readAll({ after, filter })))
  })

  it('says that it is live when there is nothing to catch up with', async () => {
    const { store } = current()
    const follower = follow(store, { after: await store.head(), filter: { types: ['Nothing'] } })
    await follower.until(follower.isLive)
    await follower.stop()
    expect(follower.events).toEqual([])
  })

  it('from the beginning holds what was appended last', async () => {
    const { store } = current()
    const { name, filter } = await category(store)
    await seed(store, name, 3)
    const follower = follow(store, { filter })
    await follower.until(follower.isLive)
    await follower.stop()
    expect(revisionsOf(follower.events)).toEqual(upTo(3))
  })

  it('without a filter delivers everything behind its position', async () => {
    const { store } = current()
    const { name, after } = await category(store)
    const { position } = await seed(store, name, 2)
    const follower = follow(store, { after })
    await follower.until(() => follower.position() >= position)
    await follower.stop()
    expectInOrder(follower.events)
    expect(follower.events.filter(({ stream }) => stream === name)).toHaveLength(2)
    expect(follower.events.filter(event => event.position <= after)).toEqual([])
  })

  it('sees what another client appends', async context => {
    const second = await ability(context, current(), 'second')()
    const { store } = current()
    const { name, filter, after } = await category(store)
    const follower = follow(store, { after, filter })
    await follower.until(follower.isLive)
    await second.append(name, 'no-stream', someEvents(2))
    await follower.until(() => follower.events.length === 2)
    await follower.stop()
    await second.close()
  })
}

function resuming(current: Current): void {
  it('goes on behind the position of any event with exactly the rest', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    for (const n of upTo(6)) await seed(store, `${name}-${n % 2}`, 2)
    const written = await all(store.readAll({ after, filter }))
    for (const [n, { position }] of written.entries()) {
      const follower = follow(store, { after: position, filter })
      await follower.until(follower.isLive)
      await follower.stop()
      expect(follower.events).toEqual(written.slice(n + 1))
    }
  }, 60_000)

  it('goes on behind the position of any batch with exactly the rest', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    for (const n of upTo(10)) {
      await seed(store, `${name}-${n}`, 1)
      await seed(store, newStream('between'), 1)
    }
    const first = follow(store, { after, filter, batchSize: 3 })
    await first.until(first.isLive)
    await first.stop()
    expect(first.events).toHaveLength(10)
    let delivered = 0
    for (const batch of first.batches) {
      delivered += batch.events.length
      const again = follow(store, { after: batch.position, filter })
      await again.until(again.isLive)
      await again.stop()
      expect(again.events).toEqual(first.events.slice(delivered))
    }
  }, 60_000)
}

function filtering(current: Current): void {
  it('by type delivers exactly those types', async () => {
    const { store } = current()
    const type = newStream('Type')
    const after = await store.head()
    const follower = follow(store, { after, filter: { types: [type, `${type}-x`] } })
    await follower.until(follower.isLive)
    const types = [type, `${type}-xy`, `${type}-x`, 'Other', type]
    const events = types.map(name => anEvent({}, name))
    await store.append(newStream(), 'no-stream', events)
    await follower.until(() => follower.events.length >= 3)
    await follower.stop()
    expect(idsOf(follower.events)).toEqual([0, 2, 4].map(n => events[n]?.id))
  })

  const nothing: EventFilter[] = [
    { streamPrefixes: ['no-such-stream-'] },
    { types: ['NoSuchType'] },
    { streamPrefixes: [] },
    { types: [] },
  ]
  it.each(nothing)(
    'with %o that matches nothing still advances',
    async filter => {
      const { store } = current()
      const after = await store.head()
      const before = await seed(store, newStream(), 20)
      const follower = follow(store, { after, filter })
      await follower.until(follower.isLive)
      expect(follower.position()).toBeGreaterThanOrEqual(numberOf(before.position))
      const { position } = await seed(store, newStream(), 3)
      await follower.until(() => follower.position() >= position)
      await follower.stop()
      expect(follower.events).toEqual([])
    },
    60_000,
  )
}

function batching(current: Current): void {
  it('holds batches to their size and positions that only grow', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    for (const n of upTo(10)) await seed(store, `${name}-${n % 3}`, 25)
    const follower = follow(store, { after, filter, batchSize: 40 })
    await follower.until(follower.isLive)
    await follower.stop()
    expect(follower.events).toHaveLength(250)
    expectSafeBatches(follower.batches, after, 40)
  })

  it('whose reader is slower than the log has safe positions', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    for (const n of upTo(6)) await seed(store, `${name}-${n}`, 200)
    const written = await all(store.readAll({ after, filter }))
    const batches: SubscriptionBatch[] = []
    const seen: RecordedEvent[] = []
    for await (const batch of store.subscribe({ after, filter, batchSize: 3 })) {
      batches.push(batch)
      seen.push(...batch.events)
      if (seen.length >= 1_200) break
      await nextTurn()
    }
    expectSafeBatches(batches, after, 3)
    expect(seen).toEqual(written)
  })

  it('does not wait for a batch to fill', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    const follower = follow(store, { after, filter, batchSize: 1_000 })
    await follower.until(follower.isLive)
    await seed(store, name, 1)
    await follower.until(() => follower.events.length === 1)
    await follower.stop()
  })

  it('to 10,000 events is whole', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    for (const n of upTo(20)) await store.append(name, n === 0 ? 'any' : 'exists', someEvents(500))
    const follower = follow(store, { after, filter, batchSize: 700 })
    await follower.until(follower.isLive, 60_000)
    await follower.stop()
    expect(revisionsOf(follower.events)).toEqual(upTo(10_000))
    expectSafeBatches(follower.batches, after, 700)
  }, 120_000)
}

/** Each batch ends at its position and begins behind that of the one before. */
function expectSafeBatches(batches: SubscriptionBatch[], after: Position, size: number): void {
  for (const [n, { events, position }] of batches.entries()) {
    expect(events.length).toBeLessThanOrEqual(size)
    expect(events.filter(event => event.position > position)).toEqual([])
    const before = batches[n - 1]?.position ?? after
    expect(position).toBeGreaterThanOrEqual(numberOf(before))
    expect(events.filter(event => event.position <= before)).toEqual([])
  }
}

function busyLog(current: Current): void {
  it('that starts while others write misses nothing and repeats nothing', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    const writing = upTo(8).map(async writer => {
      for (const n of upTo(40)) await seed(store, `${name}-${writer}`, 1 + (n % 2))
    })
    const followers = upTo(3).map(n => follow(store, { after, filter, batchSize: 1 + 20 * n }))
    await Promise.all(writing)
    const written = await all(store.readAll({ after, filter }))
    expect(written).toHaveLength(480)
    for (const follower of followers) {
      await follower.until(() => follower.events.length >= 480)
      await follower.stop()
      expect(follower.events).toEqual(written)
    }
  }, 60_000)

  it('that is read slowly misses nothing', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    const seen: number[] = []
    await store.append(name, 'no-stream', [anEvent()])
    for await (const { events } of store.subscribe({ after, filter, batchSize: 5 })) {
      seen.push(...revisionsOf(events))
      const next = seen.length
      if (next < 60 && events.length > 0) await seed(store, name, 2)
      if (next >= 60) break
    }
    expect(seen).toEqual(upTo(seen.length))
  })
}

function ending(current: Current): void {
  it('ends without an error when its signal aborts while it waits', async () => {
    const { store } = current()
    const follower = follow(store, { after: await store.head() })
    await follower.until(follower.isLive)
    await follower.stop()
  })

  it('ends at once when its signal has aborted before', async () => {
    const signal = AbortSignal.abort()
    expect(await all(current().store.subscribe({ signal }))).toEqual([])
  })

  it('ends when its signal aborts between two batches', async () => {
    const { store } = current()
    const { name, filter, after } = await category(store)
    await seed(store, name, 30)
    const abort = new AbortController()
    const seen: number[] = []
    const options = { after, filter, batchSize: 10, signal: abort.signal }
    for await (const { events } of store.subscribe(options)) {
      // A first batch may be smaller: what has arrived is not held back.
      expect(abort.signal.aborted).toBe(false)
      seen.push(...revisionsOf(events))
      if (seen.length >= 10) abort.abort()
    }
    expect(seen).toEqual(upTo(seen.length))
    expect(seen.length).toBeLessThan(20)
  })
}
