// The contract of reading: one stream by revision, the whole log by position, filters.

import { describe, expect, it } from 'vitest'
import { justAfter, justBefore, parsePosition, startOfLog } from '../../src/kit/position.ts'
import { type RecordedEvent, readStream } from '../../src/ports/eventStore.ts'
import {
  all,
  anEvent,
  type Current,
  expectInOrder,
  idsOf,
  newStream,
  revisionsOf,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

export function readContract(current: Current): void {
  describe('reading a stream', () => streams(current))
  describe('reading the whole log', () => wholeLog(current))
  describe('reading with a filter', () => filters(current))
  describe('a stream of 10,000 events', () => longStream(current))
}

type Range = Parameters<typeof readStream>[2]

const ranges: [string, Range, number[]][] = [
  ['all of it', {}, [0, 1, 2, 3, 4, 5]],
  ['from a revision', { from: 4 }, [4, 5]],
  ['up to a revision', { to: 1 }, [0, 1]],
  ['a range', { from: 2, to: 3 }, [2, 3]],
  ['one revision', { from: 5, to: 5 }, [5]],
  ['beyond the end', { from: 4, to: 99 }, [4, 5]],
  ['only beyond the end', { from: 6 }, []],
  ['an empty range', { from: 3, to: 2 }, []],
]

function streams(current: Current): void {
  it.each(ranges)('gives %s', async (_, range, revisions) => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 6)
    expect(revisionsOf(await all(readStream(store, stream, range)))).toEqual(revisions)
  })

  it('that is missing gives none', async () => {
    const { store } = current()
    expect(await all(readStream(store, newStream()))).toEqual([])
  })

  it('gives several streams at once, each from where it is known', async () => {
    const { store } = current()
    const [long, short, missing] = [newStream(), newStream(), newStream()]
    for (const expected of ['no-stream', 599] as const) {
      await store.append(long, expected, someEvents(600))
    }
    await seed(store, short, 3)
    const [first, ...others] = await store.read([
      { stream: long, after: -1 },
      { stream: short, after: 0 },
      { stream: missing, after: -1 },
      { stream: long, after: 1_198 },
      { stream: short, after: 2 },
      { stream: long, after: 3, upTo: 5 },
    ])
    expect(first?.isLast).toBe(false)
    expect(revisionsOf(first?.events ?? [])).toEqual(upTo(first?.events.length ?? 0))
    expect(others.map(({ events }) => revisionsOf(events))).toEqual([
      [1, 2],
      [],
      [1_199],
      [],
      [4, 5],
    ])
    expect(others.map(({ isLast }) => isLast)).toEqual(others.map(() => true))
    expect(revisionsOf(await all(readStream(store, long)))).toEqual(upTo(1_200))
    expect(await store.read([])).toEqual([])
  })

  it('gives what was written and when and where', async () => {
    const { store } = current()
    const stream = newStream()
    const event = anEvent({ a: { b: [1, 'two', null, true] } }, 'ThingMeasured')
    const { position } = await store.append(stream, 'no-stream', [event])
    const [written] = await all(readStream(store, stream))
    const { recordedAt, ...rest } = written ?? {}
    expect(rest).toEqual({ ...event, stream, revision: 0, position })
    expect(recordedAt).toBeInstanceOf(Date)
  })

  it('that shares its beginning with another gives only its own events', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 2)
    await seed(store, `${stream}-more`, 3)
    expect(await all(readStream(store, stream))).toHaveLength(2)
  })

  it('gives new events to a reader that knew its end', async () => {
    const { store } = current()
    const stream = newStream()
    await store.append(stream, 'no-stream', someEvents(3))
    await all(readStream(store, stream))
    for (const after of [2, 1]) {
      const [page] = await store.read([{ stream, after }])
      expect(page?.events).toHaveLength(2 - after)
    }
    await store.append(stream, 2, someEvents(1))
    const [page] = await store.read([{ stream, after: 2 }])
    expect(revisionsOf(page?.events ?? [])).toEqual([3])
  })

  it('can be left early', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 300)
    const seen: number[] = []
    for await (const { revision } of readStream(store, stream)) {
      seen.push(revision)
      if (revision === 2) break
    }
    expect(seen).toEqual([0, 1, 2])
    expect((await seed(store, stream, 1)).revision).toBe(300)
  })
}

function wholeLog(current: Current): void {
  it('goes on behind any position with exactly the rest', async () => {
    const { store } = current()
    const category = newStream('rest')
    const filter = { streamPrefixes: [category] }
    const after = await store.head()
    for (const n of upTo(12)) await seed(store, `${category}-${n % 4}`, 1 + (n % 3))
    const written = await all(store.readAll({ after, filter }))
    expect(written).toHaveLength(24)
    expectInOrder(written)
    for (const [n, { position }] of written.entries()) {
      const rest = await all(store.readAll({ after: position, filter }))
      expect(rest).toEqual(written.slice(n + 1))
    }
  })

  it('goes on behind positions that no event has', async () => {
    const { store } = current()
    const category = newStream('rest')
    const filter = { streamPrefixes: [category] }
    await seed(store, `${category}-1`, 1)
    const { position } = await seed(store, `${category}-2`, 1)
    const rest = await all(store.readAll({ after: justBefore(position), filter }))
    expect(rest.map(({ stream }) => stream)).toEqual([`${category}-2`])
    expect(await all(store.readAll({ after: parsePosition('1'), filter }))).toHaveLength(2)
    expect(await all(store.readAll({ after: justAfter(position), filter }))).toEqual([])
  })

  it('gives the event at a position, and none where no event is', async () => {
    const { store } = current()
    const [stream = '', other = ''] = [newStream(), newStream()]
    await seed(store, stream, 3)
    await seed(store, other, 2)
    const events = [
      ...(await all(readStream(store, stream))),
      ...(await all(readStream(store, other))),
    ]
    for (const event of events) {
      const found = await store.eventAt(event.position)
      expect(found).toMatchObject({ id: event.id, stream: event.stream, position: event.position })
    }
    for (const position of events.map(event => justAfter(event.position))) {
      const found = await store.eventAt(position)
      expect(found?.position ?? position).toBe(position)
      expect(events[0]?.id).not.toBe(found?.id)
    }
    expect(await store.eventAt(startOfLog)).toBeUndefined()
    expect(await store.eventAt(justAfter(await store.head()))).toBeUndefined()
  })

  it('behind the head gives nothing', async () => {
    const { store } = current()
    const { position } = await seed(store, newStream(), 1)
    const rest = await all(store.readAll({ after: await store.head() }))
    expect(rest.filter(event => event.position <= position)).toEqual([])
  })

  it('from the beginning holds the newest event too', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 1)
    const filter = { streamPrefixes: [stream] }
    expect(await all(store.readAll({ after: startOfLog, filter }))).toHaveLength(1)
    expect(await all(store.readAll({ filter }))).toHaveLength(1)
  })

  it('while others write misses nothing and ends', async () => {
    const { store } = current()
    const category = newStream('busy')
    const filter = { streamPrefixes: [category] }
    let after = await store.head()
    const writing = Promise.all(
      upTo(6).map(async writer => {
        for (const n of upTo(50)) await seed(store, `${category}-${writer}`, 1 + (n % 2))
      }),
    )
    const seen: RecordedEvent[] = []
    const readOn = async () => {
      for await (const event of store.readAll({ after, filter })) {
        seen.push(event)
        after = event.position
      }
    }
    let writes = true
    writing.finally(() => {
      writes = false
    })
    while (writes) await readOn()
    await writing
    await readOn()
    expect(seen).toHaveLength(450)
    expectInOrder(seen)
  }, 60_000)
}

function filters(current: Current): void {
  it('by stream prefix gives the streams that begin with one of them', async () => {
    const { store } = current()
    const [mine, other, third] = [newStream('a'), newStream('b'), newStream('c')]
    const after = await store.head()
    for (const stream of [`${mine}-1`, other, `x${mine}`, third, `${mine}-2`]) {
      await seed(store, stream, 1)
    }
    const filter = { streamPrefixes: [mine, third] }
    const found = await all(store.readAll({ after, filter }))
    expect(found.map(({ stream }) => stream)).toEqual([`${mine}-1`, third, `${mine}-2`])
  })

  it('by stream prefix takes wildcards and patterns literally', async () => {
    const { store } = current()
    const base = newStream('wild')
    const names = [`${base}_%`, `${base}xy`, `${base}\\d`, `${base}.*`]
    const after = await store.head()
    for (const stream of names) await seed(store, stream, 1)
    for (const name of names) {
      const found = await all(store.readAll({ after, filter: { streamPrefixes: [name] } }))
      expect(found.map(({ stream }) => stream)).toEqual([name])
    }
  })

  it('by type gives exactly those types', async () => {
    const { store } = current()
    const type = newStream('Type')
    const types = [type, `${type}Again`, `${type}(s)`, type.toLowerCase()]
    const after = await store.head()
    const events = types.map(name => anEvent({}, name))
    await store.append(newStream(), 'no-stream', events)
    const exact = await all(store.readAll({ after, filter: { types: [type] } }))
    expect(idsOf(exact)).toEqual(idsOf(events.slice(0, 1)))
    const two = await all(store.readAll({ after, filter: { types: [`${type}(s)`, type] } }))
    expect(two.map(event => event.type)).toEqual([type, `${type}(s)`])
  })

  it.each([{ streamPrefixes: [] }, { types: [] }])('%o gives nothing', async filter => {
    const { store } = current()
    const after = await store.head()
    await seed(store, newStream(), 2)
    expect(await all(store.readAll({ after, filter }))).toEqual([])
  })
}

function longStream(current: Current): void {
  it('is read whole, in part and through the log', async () => {
    const { store } = current()
    const stream = newStream('long')
    const after = await store.head()
    for (const n of upTo(20)) {
      const expected = n === 0 ? 'no-stream' : n * 500 - 1
      await store.append(stream, expected, someEvents(500))
    }
    const forwards = await all(readStream(store, stream))
    expect(revisionsOf(forwards)).toEqual(upTo(10_000))
    expectInOrder(forwards)
    const range = { from: 5_001, to: 9_000 }
    expect(revisionsOf(await all(readStream(store, stream, range)))).toEqual(
      upTo(4_000).map(n => 5_001 + n),
    )
    const log = await all(store.readAll({ after, filter: { streamPrefixes: [stream] } }))
    expect(revisionsOf(log)).toEqual(upTo(10_000))
  }, 120_000)
}
