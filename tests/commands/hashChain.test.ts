// The hash chain: one form of an event, on every store, and what its check finds.

import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkChain } from '../../src/audit/chainCheck.ts'
import { beginning, canonicalEvent, canonicalJson, nextLink } from '../../src/audit/hashChain.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { startOfLog } from '../../src/kit/position.ts'
import type { RecordedEvent } from '../../src/ports/eventStore.ts'
import type { EventLog } from '../../src/ports/logInspection.ts'
import { extendChain } from '../../src/workers/jobs/auditChain.ts'
import { all, anEvent, newStream } from '../contract/eventStoreSubject.ts'
import { memoryAudit } from '../support/memoryAudit.ts'
import { positionAt } from '../support/positions.ts'

const recorded: RecordedEvent = {
  id: '01980000-0000-7000-8000-000000000001',
  type: 'ThingHappened',
  stream: 'thing-1',
  revision: 0,
  position: positionAt(7),
  recordedAt: new Date('2011-08-09T10:11:12.345Z'),
  data: { z: 1, a: { ü: '€"\n', A: [1e21, -0, 0.1, null, true] } },
  metadata: { v: 1 },
}

describe('the canonical form of an event', () => {
  it('is RFC 8785: names in the order of their code units, numbers as JavaScript has them', () => {
    expect(canonicalEvent(recorded)).toBe(
      '{"data":{"a":{"A":[1e+21,0,0.1,null,true],"ü":"€\\"\\n"},"z":1},' +
        '"id":"01980000-0000-7000-8000-000000000001","metadata":{"v":1},"position":"7",' +
        '"recordedAt":"2011-08-09T10:11:12.345Z","revision":0,"stream":"thing-1",' +
        '"type":"ThingHappened"}',
    )
  })

  it('sorts as the example of the RFC does', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6']
    const object = Object.fromEntries(keys.map(key => [key, 0]))
    const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33']
    const expected = sorted.map(key => `${JSON.stringify(key)}:0`)
    expect(canonicalJson(object)).toBe(`{${expected.join(',')}}`)
  })

  it('does not depend on the order in which somebody has written the names', () => {
    const other = {
      ...recorded,
      data: JSON.parse('{"a":{"A":[1e21,0,1e-1,null,true],"ü":"€\\"\\n"},"z":1.0}'),
    }
    expect(canonicalEvent(other)).toBe(canonicalEvent(recorded))
  })

  it.each([
    ['data', { data: { z: 2 } }],
    ['metadata', { metadata: { v: 2 } }],
    ['the type', { type: 'Other' }],
    ['the stream', { stream: 'thing-2' }],
    ['the revision', { revision: 1 }],
    ['the position', { position: positionAt(8) }],
    ['the id', { id: '01980000-0000-7000-8000-000000000002' }],
    ['the time of recording', { recordedAt: new Date('2011-08-09T10:11:12.346Z') }],
  ])('changes with %s', (_, change) => {
    expect(canonicalEvent({ ...recorded, ...change })).not.toBe(canonicalEvent(recorded))
  })
})

describe('a link of the chain', () => {
  it('is the SHA-256 of the hash before and the bytes of the event', () => {
    const first = nextLink(beginning, recorded)
    const bytes = Buffer.concat([Buffer.alloc(32), Buffer.from(canonicalEvent(recorded))])
    const hash = createHash('sha256').update(bytes).digest('hex')
    expect(first).toEqual({ position: positionAt(7), count: 1, hash })
  })
})

describe('checking a chain', () => {
  const app = { clock: { now: () => new Date() } }
  let kept: ReturnType<typeof memoryAudit>
  let eventStore: EventLog
  let events: RecordedEvent[]

  beforeEach(async () => {
    kept = memoryAudit()
    eventStore = memoryEventStore()
    for (const size of [1_500, 3, 2]) {
      await eventStore.append(
        newStream(),
        'any',
        Array.from({ length: size }, () => anEvent()),
      )
      await extendChain({ audit: kept.audit, eventStore, app })
    }
    events = await all(eventStore.readAll())
  })

  /** The log as it is after somebody has been at it. */
  const logOf = (found: readonly RecordedEvent[]) => ({
    async *readAll({ after = startOfLog } = {}) {
      yield* found.filter(({ position }) => position > after)
    },
    async *streamLimits() {},
  })

  async function firstBad(found: readonly RecordedEvent[] = events, from = startOfLog) {
    const checked = await all(checkChain({ eventStore: logOf(found), ...kept.audit }, from))
    return checked.at(-1)?.fault
  }

  it('finds nothing in a log that is as it was, from anywhere', async () => {
    expect(kept.segments.map(({ position }) => position)).toEqual([
      positionAt(1_000),
      positionAt(1_500),
      positionAt(1_503),
      positionAt(1_505),
    ])
    expect(await firstBad()).toBeUndefined()
    expect(await firstBad(events, positionAt(1_503))).toBeUndefined()
    const last = await all(checkChain({ eventStore, ...kept.audit }, positionAt(1_504)))
    expect(last.map(({ checkpoint }) => checkpoint?.position)).toEqual([positionAt(1_505)])
  })

  it('names the event that has changed', async () => {
    const changed = events.with(1_001, { ...recorded, ...events[1_001], data: { n: 'other' } })
    expect(await firstBad(changed)).toMatchObject({
      position: positionAt(1_002),
      problem: 'changed',
    })
  })

  it('names the event that is gone, in the middle and at the end', async () => {
    const middle = events.toSpliced(700, 1)
    expect(await firstBad(middle)).toMatchObject({ position: positionAt(701), problem: 'missing' })
    const end = events.slice(0, -1)
    expect(await firstBad(end)).toMatchObject({ position: positionAt(1_505), problem: 'missing' })
  })

  it('names an event that was put in', async () => {
    const sparse = kept.segments[2]
    if (sparse === undefined) throw new Error('there is no third part')
    kept.segments[2] = { ...sparse, marks: sparse.marks.toSpliced(1, 1) }
    expect(await firstBad()).toMatchObject({ position: positionAt(1_502), problem: 'added' })
  })

  it('names the first of two events that have changed places', async () => {
    const [a, b] = [events[10], events[20]]
    if (a === undefined || b === undefined) throw new Error('there are too few events')
    const swapped = events
      .with(10, { ...b, position: a.position })
      .with(20, { ...a, position: b.position })
    expect(await firstBad(swapped)).toMatchObject({ position: positionAt(11), problem: 'changed' })
  })

  it('finds a part whose marks were made to fit', async () => {
    const other = memoryAudit()
    const forgedLog = events.with(3, { ...recorded, ...events[3], data: { n: 'other' } })
    await extendChain({ audit: other.audit, eventStore: logOf(forgedLog), app })
    const [first] = kept.segments
    if (first === undefined) throw new Error('nothing was signed')
    kept.segments[0] = { ...first, marks: other.segments[0]?.marks ?? [] }
    expect(await firstBad(forgedLog)).toMatchObject({
      position: positionAt(1_000),
      problem: 'wrong-hash',
    })
  })

  it('finds a checkpoint that nobody has signed, or that is gone', async () => {
    const [first, second, ...rest] = kept.segments
    if (first === undefined || second === undefined) throw new Error('too little was signed')
    kept.segments.splice(1, 1, { ...second, signed: 'made up' })
    expect(await firstBad()).toMatchObject({
      position: positionAt(1_500),
      problem: 'forged-checkpoint',
    })
    kept.segments.splice(0, kept.segments.length, first, ...rest)
    expect(await firstBad()).toMatchObject({
      position: positionAt(1_503),
      problem: 'missing-checkpoint',
    })
  })

  it('is not built on a forgery', async () => {
    const last = kept.segments.pop()
    if (last === undefined) throw new Error('nothing was signed')
    kept.segments.push({ ...last, signed: 'made up' })
    const extending = extendChain({ audit: kept.audit, eventStore, app })
    await expect(extending).rejects.toThrow('not signed by a key of this shop')
  })
})
