// The contract of reading: one stream by revision, the whole log by position, filters.

import { describe, expect, it } from 'vitest'
import { justAfter, justBefore, parsePosition, startOfLog } from '../../src/kit/position.ts'
import type { ReadStreamOptions, RecordedEvent } from '../../src/ports/eventStore.ts'
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

const ranges: [string, ReadStreamOptions, number[]][] = [
  ['all of it', {}, [0, 1, 2, 3, 4, 5]],
  ['from a revision', { from: 4 }, [4, 5]],
  ['up to a revision', { to: 1 }, [0, 1]],
  ['a range', { from: 2, to: 3 }, [2, 3]],
  ['one revision', { from: 5, to: 5 }, [5]],
  ['beyond the end', { from: 4, to: 99 }, [4, 5]],
  ['only beyond the end', { from: 6 }, []],
  ['an empty range', { from: 3, to: 2 }, []],
  ['all backwards', { direction: 'backwards' }, [5, 4, 3, 2, 1, 0]],
  ['backwards from a revision', { direction: 'backwards', from: 2 }, [2, 1, 0]],
  ['backwards down to a revision', { direction: 'backwards', to: 4 }, [5, 4]],
  ['a range backwards', { direction: 'backwards', from: 3, to: 2 }, [3, 2]],
  ['backwards from beyond the end', { direction: 'backwards', from: 99, to: 4 }, [5, 4]],
  ['an empty range backwards', { direction: 'backwards', from: 2, to: 3 }, []],
]

function streams(current: Current): void {
  it.each(ranges)('gives %s', async (_, range, revisions) => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 6)
    expect(revisionsOf(await all(store.readStream(stream, range)))).toEqual(revisions)
  })

  it.each(['forwards', 'backwards'] as const)('that is missing gives none %s', async direction => {
    const { store } = current()
    expect(await all(store.readStream(newStream(), { direction }))).toEqual([])
  })

  it('gives the same page by page as at once', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 450)
    const events = []
    for (let isLast = false; !isLast; ) {
      const page = await store.readPage(stream, events.length)
      events.push(...page.events)
      isLast = page.isLast
    }
    expect(events).toEqual(await all(store.readStream(stream)))
    expect(await store.readPage(stream, 450)).toEqual({ events: [], isLast: true })
    expect(await store.readPage(newStream(), 0)).toEqual({ events: [], isLast: true })
  })

  it('gives what was written and when and where', async () => {
    const { store } = current()
    const stream = newStream()
    const event = anEvent({ a: { b: [1, 'two', null, true] } }, 'ThingMeasured')
    const { position } = await store.append(stream, 'no-stream', [event])
    const [written] = await all(store.readStream(stream))
    const { recordedAt, ...rest } = written ?? {}
    expect(rest).toEqual({ ...event, stream, revision: 0, position })
    expect(recordedAt).toBeInstanceOf(Date)
  })

  it('that shares its beginning with another gives only its own events', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 2)
    await seed(store, `${stream}-more`, 3)
    expect(await all(store.readStream(stream))).toHaveLength(2)
  })

  it('is never said to have ended before its end', async () => {
    const { store } = current()
    const stream = newStream()
    await store.append(stream, 'no-stream', someEvents(3))
    await all(store.readStream(stream))
    expect([await store.endsAt(stream, -1), await store.endsAt(stream, 1)]).toEqual([false, false])
    // Whoever cannot tell says so by false, and gives nothing when read.
    const isOver = await store.endsAt(stream, 2)
    expect(isOver ? [] : await all(store.readStream(stream, { from: 3 }))).toEqual([])
    await store.append(stream, 2, someEvents(1))
    expect(await store.endsAt(stream, 2)).toBe(false)
  })

  it('can be left early', async () => {
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 300)
    const seen: number[] = []
    for await (const { revision } of store.readStream(stream)) {
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
      ...(await all(store.readStream(stream))),
      ...(await all(store.readStream(other))),
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
  it('is read whole, from its end and through the log', async () => {
    const { store } = current()
    const stream = newStream('long')
    const after = await store.head()
    for (const n of upTo(20)) {
      const expected = n === 0 ? 'no-stream' : n * 500 - 1
      await store.append(stream, expected, someEvents(500))
    }
    const forwards = await all(store.readStream(stream))
    expect(revisionsOf(forwards)).toEqual(upTo(10_000))
    expectInOrder(forwards)
    const range: ReadStreamOptions = { direction: 'backwards', from: 9_000, to: 5_001 }
    const backwards = revisionsOf(await all(store.readStream(stream, range)))
    expect(backwards).toEqual(upTo(4_000).map(n => 9_000 - n))
    const log = await all(store.readAll({ after, filter: { streamPrefixes: [stream] } }))
    expect(revisionsOf(log)).toEqual(upTo(10_000))
  }, 120_000)
}
