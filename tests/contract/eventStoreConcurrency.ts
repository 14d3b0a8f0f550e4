// The contract of many writers at once: no revision twice, no gap, one order that everyone sees.
import { describe, expect, it } from 'vitest'
import {
  type EventStore,
  type NewEvent,
  readStream,
  WrongRevision,
} from '../../src/ports/eventStore.ts'
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

export function concurrencyContract(current: Current): void {
  describe('many writers', () => {
    oneStream(current)
    manyStreams(current)
    globalOrder(current)
  })
}

function oneStream(current: Current): void {
  it('append 16 times 200 events to one stream without a gap', async () => {
    const { store, second } = current()
    const other = (await second?.()) ?? store
    const stream = newStream()
    const write = async (writer: number) => {
      const through = writer % 2 === 0 ? store : other
      const revisions: number[] = []
      for (const n of upTo(200)) {
        const { revision } = await through.append(stream, 'any', [anEvent({ writer, n })])
        revisions.push(revision)
      }
      return revisions
    }
    const revisions = (await Promise.all(upTo(16).map(write))).flat()
    expect(revisions.toSorted((a, b) => a - b)).toEqual(upTo(3_200))
    const written = await all(readStream(store, stream))
    expect(revisionsOf(written)).toEqual(upTo(3_200))
    expectInOrder(written)
    for (const writer of upTo(16)) {
      const mine = written.filter(({ data }) => data.writer === writer)
      expect(mine.map(({ data }) => data.n)).toEqual(upTo(200))
    }
    if (other !== store) await other.close()
  }, 180_000)

  it('that race for the next revision win it one at a time', async () => {
    const { store } = current()
    const stream = newStream()
    await store.append(stream, 'no-stream', [anEvent()])
    await Promise.all(upTo(8).map(() => increment(store, stream, 10)))
    expect(revisionsOf(await all(readStream(store, stream)))).toEqual(upTo(81))
  }, 60_000)
}

/** Appends `times` events, each at the revision last seen, trying again behind the actual one. */
async function increment(store: EventStore, stream: string, times: number): Promise<void> {
  let revision = 0
  for (let done = 0; done < times; ) {
    try {
      revision = (await store.append(stream, revision, [anEvent()])).revision
      done += 1
    } catch (error) {
      if (!(error instanceof WrongRevision) || error.actual === 'no-stream') throw error
      revision = error.actual
    }
  }
}

function manyStreams(current: Current): void {
  it('of which one has a conflict do not disturb each other', async () => {
    const { store } = current()
    const taken = newStream()
    await seed(store, taken, 1)
    const streams = upTo(60).map(n => (n === 30 ? taken : newStream()))
    const outcomes = await Promise.allSettled(
      streams.map(stream => store.append(stream, 'no-stream', someEvents(2))),
    )
    const failed = outcomes.flatMap((outcome, n) => (outcome.status === 'rejected' ? [n] : []))
    expect(failed).toEqual([30])
    expect(outcomes[30]).toMatchObject({ reason: { name: 'WrongRevision', actual: 0 } })
    for (const stream of streams) {
      expect(await all(readStream(store, stream))).toHaveLength(stream === taken ? 1 : 2)
    }
  })
}

function globalOrder(current: Current): void {
  it('leave one global order without repeats in which each stream is whole', async () => {
    const { store } = current()
    const category = newStream('order')
    const after = await store.head()
    const sent = await Promise.all(upTo(20).map(n => writeAlone(store, `${category}-${n}`)))
    const filter = { streamPrefixes: [category] }
    const written = await all(store.readAll({ after, filter }))
    expectInOrder(written)
    expect(idsOf(written).toSorted()).toEqual(idsOf(sent.flat()).toSorted())
    for (const n of upTo(20)) {
      const stream = written.filter(event => event.stream === `${category}-${n}`)
      expect(revisionsOf(stream)).toEqual(upTo(stream.length))
      expect(idsOf(stream)).toEqual(idsOf(sent[n] ?? []))
    }
    expect(await all(store.readAll({ after, filter }))).toEqual(written)
  })
}

async function writeAlone(store: EventStore, stream: string): Promise<NewEvent[]> {
  const sent: NewEvent[] = []
  for (const n of upTo(10)) {
    const events = someEvents(1 + (n % 3))
    await store.append(stream, sent.length === 0 ? 'no-stream' : sent.length - 1, events)
    sent.push(...events)
  }
  return sent
}
