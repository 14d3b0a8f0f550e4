// The contract of appending: expectations, conflicts with the actual revision, idempotency.
import { describe, expect, it } from 'vitest'
import {
  type ActualRevision,
  type EventStore,
  type ExpectedRevision,
  readStream,
  WrongRevision,
} from '../../src/ports/eventStore.ts'
import { numberOf } from '../support/positions.ts'
import {
  ability,
  all,
  anEvent,
  type Current,
  idsOf,
  newStream,
  revisionsOf,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

export function appendContract(current: Current): void {
  describe('an append', () => acceptance(current))
  describe('an append with a wrong expectation', () => refusal(current))
  describe('an append sent again', () => repetition(current))
  describe('an append of which the stream holds a part', () => partialRepetition(current))
}

const met: [ExpectedRevision, number][] = [
  ['no-stream', 0],
  ['any', 0],
  ['any', 2],
  ['exists', 2],
  [1, 2],
]

const broken: [ExpectedRevision, number, ActualRevision][] = [
  ['no-stream', 1, 0],
  ['no-stream', 3, 2],
  ['exists', 0, 'no-stream'],
  [0, 0, 'no-stream'],
  [7, 0, 'no-stream'],
  [0, 3, 2],
  [1, 3, 2],
  [3, 3, 2],
  [99, 3, 2],
]

function acceptance(current: Current): void {
  it.each(met)('expecting %s is written to a stream of %i events', async (expected, count) => {
    const { store } = current()
    const stream = newStream()
    if (count > 0) await seed(store, stream, count)
    const events = someEvents(2)
    const result = await store.append(stream, expected, events)
    expect(result.revision).toBe(count + 1)
    const written = await all(readStream(store, stream, { from: count }))
    expect(idsOf(written)).toEqual(idsOf(events))
    expect(revisionsOf(written)).toEqual([count, count + 1])
    expect(written.at(-1)?.position).toBe(result.position)
  })

  it('gives positions above those of earlier appends', async () => {
    const { store } = current()
    const first = await seed(store, newStream(), 1)
    const second = await seed(store, newStream(), 3)
    expect(second.position).toBeGreaterThan(numberOf(first.position))
    expect(await store.head()).toBeGreaterThanOrEqual(numberOf(second.position))
  })

  it('without events is refused', async () => {
    const { store } = current()
    const stream = newStream()
    await expect(store.append(stream, 'any', [])).rejects.toThrow(/at least one event/)
    expect(await all(readStream(store, stream))).toEqual([])
  })
}

function refusal(current: Current): void {
  it.each(broken)('%s on a stream of %i events says %s', async (expected, count, actual) => {
    const { store } = current()
    const stream = newStream()
    if (count > 0) await seed(store, stream, count)
    const refused = await failure(store.append(stream, expected, someEvents(2)))
    expect(refused).toBeInstanceOf(WrongRevision)
    expect(refused).toMatchObject({ stream, expected, actual })
    expect(await all(readStream(store, stream))).toHaveLength(count)
  })

  it('says where the stream is, not where it was when the caller looked', async () => {
    const { store } = current()
    const stream = newStream()
    await store.append(stream, 'no-stream', someEvents(1))
    await store.append(stream, 0, someEvents(4))
    const refused = await failure(store.append(stream, 0, [anEvent()]))
    expect(refused).toMatchObject({ name: 'WrongRevision', actual: 4 })
  })
}

const expectations: [string, ExpectedRevision, number][] = [
  ['no-stream', 'no-stream', 0],
  ['any on a new stream', 'any', 0],
  ['any', 'any', 2],
  ['exists', 'exists', 2],
  ['a revision', 1, 2],
]

/** A stream of `count` events and the result of one more append with the expectation. */
async function writtenOnce(store: EventStore, expected: ExpectedRevision, count: number) {
  const stream = newStream()
  if (count > 0) await seed(store, stream, count)
  const events = someEvents(2)
  const first = await store.append(stream, expected, events)
  return { stream, events, first, again: () => store.append(stream, expected, events) }
}

function repetition(current: Current): void {
  it.each(expectations)('with %s gives the first result', async (_, expected, count) => {
    const { store } = current()
    const { stream, first, again } = await writtenOnce(store, expected, count)
    expect(first.repeated).toBe(false)
    expect(await again()).toEqual({ ...first, repeated: true })
    expect(await again()).toEqual({ ...first, repeated: true })
    expect(revisionsOf(await all(readStream(store, stream)))).toEqual(upTo(count + 2))
  })

  it.each(expectations)('with %s is known when the stream moved on', async (_, expected, count) => {
    const { store } = current()
    const { stream, first, again } = await writtenOnce(store, expected, count)
    await store.append(stream, first.revision, [anEvent()])
    await store.append(stream, 'any', someEvents(3))
    expect(await again()).toEqual({ ...first, repeated: true })
    expect(revisionsOf(await all(readStream(store, stream)))).toEqual(upTo(count + 6))
  })

  it('with an expectation that is met later is a conflict, and nothing is written', async () => {
    const { store } = current()
    const { stream, events, first } = await writtenOnce(store, 'no-stream', 0)
    await store.append(stream, first.revision, someEvents(3))
    const later = await failure(store.append(stream, first.revision + 1, events))
    expect(later).toMatchObject({ name: 'WrongRevision', actual: 4 })
    const earlier = await failure(store.append(stream, 0, events))
    expect(earlier).toMatchObject({ name: 'WrongRevision', actual: 4 })
    expect(revisionsOf(await all(readStream(store, stream)))).toEqual(upTo(5))
  })

  it.each(expectations)('with %s by many at once is written once', async (_, expected, count) => {
    const { store } = current()
    const { stream, first } = await writtenOnce(store, 'any', count)
    const events = someEvents(3)
    const mine = expected === 'no-stream' ? newStream() : stream
    const wanted = typeof expected === 'number' ? first.revision : expected
    const results = await Promise.all(upTo(8).map(() => store.append(mine, wanted, events)))
    expect(new Set(results.map(({ revision }) => revision)).size).toBe(1)
    expect(new Set(results.map(({ position }) => position)).size).toBe(1)
    const written = await all(readStream(store, mine))
    expect(idsOf(written.slice(-3))).toEqual(idsOf(events))
    expect(written).toHaveLength(mine === stream ? count + 5 : 3)
  })

  it('is known to another client', async context => {
    const second = await ability(context, current(), 'second')()
    const { stream, events, first } = await writtenOnce(current().store, 'no-stream', 0)
    const repeated = await second.append(stream, 'no-stream', events)
    expect(repeated).toEqual({ ...first, repeated: true })
    await second.close()
  })
}

function partialRepetition(current: Current): void {
  it.each(expectations)('is refused with %s', async (_, expected, count) => {
    const { store } = current()
    const { stream, events } = await writtenOnce(store, expected, count)
    const [known] = events
    const part = known === undefined ? [] : [known, anEvent()]
    const refused = await failure(store.append(stream, expected, part))
    expect(refused).toMatchObject({ name: 'WrongRevision', actual: count + 1 })
    expect(await all(readStream(store, stream))).toHaveLength(count + 2)
  })

  it.each(expectations)('behind new events is refused with %s', async (_, expected, count) => {
    const { store } = current()
    const { stream, events } = await writtenOnce(store, expected, count)
    const refused = await failure(store.append(stream, expected, [anEvent(), ...events]))
    expect(refused).toMatchObject({ name: 'WrongRevision', actual: count + 1 })
    expect(await all(readStream(store, stream))).toHaveLength(count + 2)
  })
}

async function failure(outcome: Promise<unknown>): Promise<unknown> {
  return outcome.then(
    value => ({ succeeded: value }),
    (error: unknown) => error,
  )
}
