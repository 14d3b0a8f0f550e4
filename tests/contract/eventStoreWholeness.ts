// The contract of broken streams: what is not whole is refused, and told apart from what is empty.
import { describe, expect, it } from 'vitest'
import { BrokenStream, type EventStore, readStream } from '../../src/ports/eventStore.ts'
import {
  ability,
  all,
  type Current,
  newStream,
  revisionsOf,
  seed,
  someEvents,
  upTo,
} from './eventStoreSubject.ts'

export function wholenessContract(current: Current): void {
  describe('a stream that is not whole', () => {
    lost(current)
    hidden(current)
    gone(current)
  })
  describe('the ends of streams', () => ends(current))
}

/** Everything that folds a stream, or could. */
const reads: [string, (store: EventStore, stream: string) => Promise<unknown>][] = [
  ['all of it', (store, stream) => all(readStream(store, stream))],
  ['its beginning', (store, stream) => all(readStream(store, stream, { to: 0 }))],
]

async function broken(reading: Promise<unknown>, stream: string, fault: RegExp) {
  const error = await reading.then(
    () => undefined,
    thrown => thrown,
  )
  expect(error).toBeInstanceOf(BrokenStream)
  expect(error).toMatchObject({ stream, code: 'BROKEN_STREAM' })
  expect(String(error)).toMatch(fault)
}

function lost(current: Current): void {
  it.for(reads)('without its first event is refused: %s', async ([, read], context) => {
    const lose = ability(context, current(), 'lose')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 4)
    await lose(stream, [0])
    await broken(read(store, stream), stream, /event 0 is missing/)
  })

  it.for([
    ['forwards', {}],
    ['from before the gap', { from: 1 }],
    ['from the first that is missing', { from: 2 }],
    ['from within the gap', { from: 3 }],
    ['from behind the gap', { from: 4 }],
  ] as [string, { from?: number }][])(
    'with a gap is refused: %s',
    async ([kind, range], context) => {
      const lose = ability(context, current(), 'lose')
      const { store } = current()
      const stream = newStream()
      await seed(store, stream, 6)
      await lose(stream, [2, 3])
      const isSeen = kind !== 'from behind the gap'
      if (isSeen) await broken(all(readStream(store, stream, range)), stream, /2|3/)
      const before = await all(readStream(store, stream, { to: 1 }))
      expect(revisionsOf(before)).toEqual([0, 1])
    },
  )

  it('that goes while a process knows its events is refused to it', async context => {
    const lose = ability(context, current(), 'lose')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 3)
    await lose(stream, [0, 1, 2])
    const range = { from: 3, to: 9 }
    await broken(all(readStream(store, stream, range)), stream, /all of its events/)
  })
}

function hidden(current: Current): void {
  it.for(reads)('is refused while $tb hides its beginning: %s', async ([, read], context) => {
    const { limit } = ability(context, current(), 'hide')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 5)
    await limit(stream, { $tb: 2 })
    await broken(read(store, stream), stream, /events 0 to 1 are missing|\$tb/)
    await limit(stream, {})
    expect(revisionsOf(await all(readStream(store, stream)))).toEqual(upTo(5))
  })

  it.for([{ $maxCount: 2 }, { $maxAge: 1 }, { $tb: 9 }])(
    'is refused while %o hides some of it',
    { timeout: 60_000 },
    async (limits, context) => {
      const { limit } = ability(context, current(), 'hide')
      const { store } = current()
      const stream = newStream()
      await seed(store, stream, 4)
      await limit(stream, limits)
      await expect
        .poll(() => all(readStream(store, stream)).catch(error => error), { timeout: 20_000 })
        .toBeInstanceOf(BrokenStream)
      await limit(stream, {})
      expect(await all(readStream(store, stream))).toHaveLength(4)
    },
  )

  it('names its limits, also while they hide nothing yet', async context => {
    const { limit } = ability(context, current(), 'hide')
    const { store } = current()
    const [one, other, undone] = [newStream(), newStream(), newStream()]
    for (const stream of [one, other, undone]) await seed(store, stream, 2)
    await limit(one, { $maxAge: 1_000_000 })
    await limit(other, { $maxCount: 50 })
    await limit(undone, { $maxCount: 1 })
    await limit(undone, {})
    const found = (await all(store.streamLimits())).filter(({ stream }) =>
      [one, other, undone].includes(stream),
    )
    expect(found).toEqual([
      { stream: one, detail: '$maxAge keeps 1000000 seconds' },
      { stream: other, detail: '$maxCount keeps 50 events' },
    ])
  })
}

function gone(current: Current): void {
  it('is refused once it was deleted, and not taken for a new one', async context => {
    const { softDelete } = ability(context, current(), 'hide')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 3)
    await softDelete(stream)
    for (const [, read] of reads) await broken(read(store, stream), stream, /deleted/)
    await broken(all(readStream(store, stream, { from: 3 })), stream, /deleted/)
    const append = store.append(stream, 'no-stream', someEvents(1))
    await broken(append, stream, /deleted|events 0 to 2 are missing/)
    await broken(all(readStream(store, stream)), stream, /deleted|events 0 to 2 are missing/)
  })

  it('comes back when its limits are taken back twice', async context => {
    const { softDelete, limit } = ability(context, current(), 'hide')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 3)
    await softDelete(stream)
    await limit(stream, {})
    await broken(all(readStream(store, stream)), stream, /\$tb|missing/)
    await limit(stream, {})
    expect(await all(readStream(store, stream))).toHaveLength(3)
  })

  it('is refused once it has a tombstone, to readers and to writers', async context => {
    const { tombstone } = ability(context, current(), 'hide')
    const { store } = current()
    const stream = newStream()
    await seed(store, stream, 3)
    await tombstone(stream)
    for (const [, read] of reads) await broken(read(store, stream), stream, /tombstone/)
    for (const expected of ['any', 'no-stream', 2] as const) {
      await broken(store.append(stream, expected, someEvents(1)), stream, /tombstone/)
    }
  })

  it('is missing to whoever knows an event of it', async () => {
    const { store } = current()
    const stream = newStream()
    await broken(all(readStream(store, stream, { from: 3 })), stream, /missing/)
    await broken(all(readStream(store, stream, { from: 1 })), stream, /missing/)
  })
}

function ends(current: Current): void {
  it('are told for many streams at once, in their order', async () => {
    const { store } = current()
    const streams = upTo(40).map(() => newStream())
    for (const [n, stream] of streams.entries()) if (n % 4 > 0) await seed(store, stream, n % 4)
    expect(await store.streamHeads(streams)).toEqual(
      streams.map((stream, n) => ({ stream, revision: n % 4 === 0 ? 'no-stream' : (n % 4) - 1 })),
    )
    expect(await store.streamHeads([])).toEqual([])
  })

  it('say what is wrong with a stream that was deleted', async context => {
    const { softDelete, tombstone } = ability(context, current(), 'hide')
    const { store } = current()
    const [soft, hard] = [newStream(), newStream()]
    for (const stream of [soft, hard]) await seed(store, stream, 2)
    await softDelete(soft)
    await tombstone(hard)
    expect(await store.streamHeads([soft, hard])).toEqual([
      { stream: soft, revision: 'no-stream', fault: expect.stringContaining('deleted ($tb)') },
      { stream: hard, revision: 'no-stream', fault: expect.stringContaining('tombstone') },
    ])
  })
}
