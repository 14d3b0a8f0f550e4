// The contract of what an event may hold: it comes back as it went in, however odd it is.
import { describe, expect, it } from 'vitest'
import {
  type EventStore,
  type JsonObject,
  type NewEvent,
  readStream,
  Unavailable,
} from '../../src/ports/eventStore.ts'
import { all, anEvent, type Current, newStream } from './eventStoreSubject.ts'

export function payloadContract(current: Current): void {
  describe('the payload of an event', () => {
    kept(current)
    strangeNames(current)
    loneSurrogates(current)
    copies(current)
  })
}

async function throughTheLog(store: EventStore, event: NewEvent) {
  const stream = newStream('payload')
  await store.append(stream, 'no-stream', [event])
  const [written] = await all(readStream(store, stream))
  return written
}

const payloads: [string, JsonObject][] = [
  ['emoji', { text: '🛒👩🏽‍💻🏳️‍🌈 \u{1F600}' }],
  ['right to left', { text: 'مرحبا שלום \u202Eabc\u202C' }],
  ['combining marks', { composed: 'é', decomposed: 'e\u0301', zalgo: 'Z̸̧̺͓̬' }],
  ['control characters', { text: 'a\u0000b\u0001\t\r\n\u001F\u007F\u2028\u2029\uFEFF' }],
  ['quotes and backslashes', { text: `"\\'\`\\u0041 \\n {"a":1} '; drop table x; --` }],
  ['odd keys', { '': 1, ' ': 2, 'a.b': 3, '"': 4, '\u0000': 5, 'ключ🔑': 6, constructor: 7 }],
  ['big and small integers', { max: 2 ** 53 - 1, min: -(2 ** 53 - 1), zero: 0 }],
  ['floating point', { big: 1e300, small: 5e-324, tenth: 0.1, sum: 0.1 + 0.2, third: 1 / 3 }],
  ['money as text', { amount: '123456789012345678901234567890.01' }],
  ['null, booleans and nesting', { a: [null, true, { b: [[], {}, ''] }], n: null }],
  ['nothing', {}],
]

function kept(current: Current): void {
  it.each(payloads)('keeps %s', async (_, payload) => {
    const event = { ...anEvent(payload), metadata: payload }
    const written = await throughTheLog(current().store, event)
    expect(written?.data).toEqual(payload)
    expect(written?.metadata).toEqual(payload)
  })

  it('may turn minus zero into zero but not into anything else', async () => {
    const written = await throughTheLog(current().store, anEvent({ zero: -0 }))
    expect(written?.data.zero === 0).toBe(true)
  })

  // EventStoreDB allows 1 MiB an append by default, so that is the size of all of it together.
  it('keeps one mebibyte', async () => {
    const text = 'Größe 📦 '.repeat(80_000).slice(0, 760_000)
    const event = anEvent({ text, filler: '' })
    const spare = 2 ** 20 - 2_048 - Buffer.byteLength(JSON.stringify(event.data))
    event.data.filler = 'x'.repeat(spare)
    const written = await throughTheLog(current().store, event)
    expect(written?.data.text === text).toBe(true)
    expect(written?.data.filler === event.data.filler).toBe(true)
  }, 30_000)
}

function strangeNames(current: Current): void {
  it('keeps stream names and types of any language', async () => {
    const { store } = current()
    const event = anEvent({}, 'ÜberraschungGeschehen 🎉 "«»" \\ %_')
    const stream = `${newStream()} 注文 🛒 '"\\ %_/?#`
    const after = await store.head()
    await store.append(stream, 'no-stream', [event])
    const [written] = await all(readStream(store, stream))
    expect(written).toMatchObject({ id: event.id, stream, type: event.type })
    const found = await all(store.readAll({ after, filter: { streamPrefixes: [stream] } }))
    expect(found).toEqual([written])
  })
}

function loneSurrogates(current: Current): void {
  it.each(['\uD83D', 'a\uDE00b', '\uDE00\uD83D'])('keeps or refuses half of a pair', async text => {
    const { store } = current()
    const stream = newStream('surrogate')
    const outcome = await store.append(stream, 'no-stream', [anEvent({ text })]).catch(error => {
      expect(error).toBeInstanceOf(Error)
      expect(error).not.toBeInstanceOf(Unavailable)
      return 'refused'
    })
    const written = await all(readStream(store, stream))
    const texts = written.map(({ data }) => data.text)
    expect(texts).toEqual(outcome === 'refused' ? [] : [text])
  })
}

function copies(current: Current): void {
  it('is out of reach of the caller that wrote it', async () => {
    const { store } = current()
    const stream = newStream()
    const list = [1]
    const event = anEvent({ list })
    await store.append(stream, 'no-stream', [event])
    list.push(2)
    event.metadata.from = 'elsewhere'
    const [written] = await all(readStream(store, stream))
    expect(written).toMatchObject({ data: { list: [1] }, metadata: { from: 'contract' } })
  })

  it('is out of reach of the caller that read it', async () => {
    const { store } = current()
    const stream = newStream()
    await store.append(stream, 'no-stream', [anEvent({ inner: { n: 1 } })])
    const [first] = await all(readStream(store, stream))
    if (first !== undefined) first.data.inner = 'changed'
    first?.recordedAt.setFullYear(1970)
    const [again] = await all(readStream(store, stream))
    expect(again?.data).toEqual({ inner: { n: 1 } })
    expect(again?.recordedAt.getFullYear()).toBeGreaterThan(2000)
  })
}
