// The contract of bad days: cut connections, transactions that hang, closing with work under way.
import { describe, expect, it } from 'vitest'
import { type EventStore, readStream, Unavailable } from '../../src/ports/eventStore.ts'
import {
  ability,
  all,
  appendStubbornly,
  type Current,
  expectInOrder,
  follow,
  idsOf,
  newStream,
  revisionsOf,
  type Setup,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

export function troubleContract(current: Current, setup: Setup): void {
  describe('when connections are cut', () => {
    cuts(current)
    cutAppends(current)
  })
  describe('while a transaction is held open', () => held(current))
  describe('a closed event store', () => closing(setup))
}

function cuts(current: Current): void {
  it('a live subscription goes on without gap or repeat', async context => {
    const cut = ability(context, current(), 'cutConnections')
    const { store } = current()
    const stream = newStream('cut')
    const filter = { streamPrefixes: [stream] }
    const follower = follow(store, { after: await store.head(), filter })
    await follower.until(follower.isLive)
    for (const n of upTo(5)) {
      const events = someEvents(3)
      const expected = n === 0 ? 'no-stream' : n * 3 - 1
      await appendStubbornly(store, { stream, expected, events })
      if (n % 2 === 0) await follower.until(() => follower.events.length === n * 3 + 3)
      await cut()
    }
    await follower.until(() => follower.events.length >= 15 && follower.isLive())
    await follower.stop()
    expect(revisionsOf(follower.events)).toEqual(upTo(15))
    expectInOrder(follower.events)
  }, 120_000)

  it('a subscription that catches up goes on without gap or repeat', async context => {
    const cut = ability(context, current(), 'cutConnections')
    const { store } = current()
    const stream = newStream('cut')
    const after = await store.head()
    for (const n of upTo(10))
      await store.append(stream, n === 0 ? 'any' : 'exists', someEvents(300))
    const filter = { streamPrefixes: [stream] }
    const follower = follow(store, { after, filter, batchSize: 100 })
    for (const count of [1, 1_000, 2_000]) {
      await follower.until(() => follower.events.length >= count)
      await cut()
    }
    await follower.until(() => follower.events.length >= 3_000 && follower.isLive())
    await follower.stop()
    expect(revisionsOf(follower.events)).toEqual(upTo(3_000))
  }, 120_000)
}

function cutAppends(current: Current): void {
  it.for(['any', 'exists', 'a revision'] as const)(
    'appends under way expecting %s happen once when they are sent again',
    { timeout: 120_000 },
    async (kind, context) => {
      const cut = ability(context, current(), 'cutConnections')
      const { store } = current()
      const expected = kind === 'a revision' ? 0 : kind
      const appends = upTo(40).map(() => ({ stream: newStream(), expected, events: someEvents(2) }))
      for (const { stream } of appends) await seed(store, stream, 1)
      const sending = appends.map(append => appendStubbornly(store, append))
      await cut()
      await Promise.race(sending)
      await cut()
      const results = await Promise.all(sending)
      for (const [n, { stream, events }] of appends.entries()) {
        const written = await all(readStream(store, stream, { from: 1 }))
        expect(idsOf(written)).toEqual(idsOf(events))
        expect(results[n]).toMatchObject({ revision: 2, position: written.at(-1)?.position })
      }
    },
  )

  it('reads work again', async context => {
    const cut = ability(context, current(), 'cutConnections')
    const { store } = current()
    const stream = newStream('cut')
    await seed(store, stream, 3)
    await cut()
    const read = () => all(readStream(store, stream))
    const events = await read().catch(error => {
      expect(error).toBeInstanceOf(Unavailable)
      return read()
    })
    expect(revisionsOf(events)).toEqual(upTo(3))
  }, 60_000)
}

function held(current: Current): void {
  it.for(['release', 'rollback'] as const)(
    'that ends in a %s nothing that others write is skipped',
    { timeout: 60_000 },
    async (end, context) => {
      const hold = ability(context, current(), 'holdAppend')
      const { store } = current()
      const name = newStream('held')
      const filter = { streamPrefixes: [name] }
      const after = await store.head()
      const follower = follow(store, { after, filter })
      await follower.until(follower.isLive)
      const open = await hold(`${name}-open`)
      const others = upTo(10).map(n => seed(store, `${name}-${n}`, 2))
      await open[end]()
      await Promise.all(others)
      const count = end === 'release' ? 21 : 20
      await follower.until(() => follower.events.length >= count)
      await seed(store, `${name}-last`, 1)
      await follower.until(() => follower.events.length > count)
      await follower.stop()
      expectInOrder(follower.events)
      expect(follower.events).toEqual(await all(store.readAll({ after, filter })))
      expect(follower.events).toHaveLength(count + 1)
    },
  )

  it('nobody reads what it has not committed', async context => {
    const hold = ability(context, current(), 'holdAppend')
    const { store } = current()
    const stream = newStream('held')
    const after = await store.head()
    const open = await hold(stream)
    expect(await all(readStream(store, stream))).toEqual([])
    const log = () => all(store.readAll({ after, filter: { streamPrefixes: [stream] } }))
    expect(await log()).toEqual([])
    await open.release()
    expect(await log()).toHaveLength(1)
  }, 60_000)
}

function closing(setup: Setup): void {
  it('has ended its subscriptions in an orderly way', async () => {
    const subject = await setup()
    const after = await subject.store.head()
    const followers = upTo(3).map(() => follow(subject.store, { after }))
    for (const follower of followers) await follower.until(follower.isLive)
    await subject.store.close()
    await Promise.all(followers.map(({ ended }) => ended))
    await subject.close()
  }, 120_000)

  it('refuses appends', async () => {
    const subject = await setup()
    await subject.store.close()
    await expect(append(subject.store)).rejects.toBeInstanceOf(Unavailable)
    await subject.close()
  }, 120_000)
}

function append(store: EventStore) {
  return store.append(newStream(), 'any', someEvents(1))
}
