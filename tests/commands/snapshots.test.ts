// A long stream is read from a note of what it had come to, and only if that note is right.
import { beforeEach, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { snapshotEvery } from '../../src/commands/core/snapshots.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { adjust, commit, reserve, type Stock, stock } from '../../src/domain/stock/stock.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import type { Snapshot, Snapshots } from '../../src/ports/caches.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import type { EventStore } from '../../src/ports/eventStore.ts'
import { mapCache } from '../support/mapCache.ts'
import { productId, sampleId } from '../support/samples.ts'
import { noSeals } from '../support/testSeals.ts'
import { waitFor } from '../support/waitFor.ts'

const codec = createCodec(stock.events, noSeals)
const stream = `stock-${productId}`

function envelopeOf(command: number): Envelope {
  const at = new Date('2011-08-09T10:11:12.345Z')
  const sent = systemEnvelope('test', at, sampleId(command))
  return { ...sent, digest: 'abcdefghijklmnopqrstuv' }
}

/** The same log, with the events counted that were read. */
function counting(store: EventStore) {
  const counter = { read: 0 }
  const read: EventStore['read'] = async ranges => {
    const pages = await store.read(ranges)
    for (const { events } of pages) counter.read += events.length
    return pages
  }
  return { ...store, read, counter }
}

const inside = ({ reserved, ...state }: Stock) => ({ ...state, reserved: [...reserved].toSorted() })

describe('a stream of thousands of events', () => {
  const last = 1_300
  let log: ReturnType<typeof counting>
  let kept: Map<string, Snapshot>
  let snapshots: Snapshots

  const newProcess = (given?: Snapshots) =>
    createRepository(stock, {
      eventStore: log,
      codec,
      cache: mapCache,
      fingerprint: digestOf,
      commandsMax: 500,
      ...(given && { snapshots: given }),
    })
  const orderOf = (n: number) => sampleId(10_000 + n)

  beforeEach(async () => {
    log = counting(memoryEventStore())
    kept = new Map()
    snapshots = {
      find: async name => kept.get(name),
      keep: async (name, snapshot) => void kept.set(name, snapshot),
    }
    const process = newProcess(snapshots)
    await process.decide(productId, envelopeOf(1), state =>
      adjust(state, { productId, delta: 5_000, reason: 'received' }),
    )
    for (let n = 1; n <= last; n += 1) {
      const orderId = orderOf(n)
      await process.decide(productId, envelopeOf(2 * n), state =>
        reserve(state, { productId, orderId, quantity: 2 }),
      )
      if (n % 3 === 0) continue
      await process.decide(productId, envelopeOf(2 * n + 1), state =>
        commit(state, productId, orderId),
      )
    }
    await waitFor('the snapshot', async () => kept.size > 0)
  })

  it('comes to the same with a snapshot as without, from fewer events', async () => {
    const whole = await newProcess().load(productId)
    expect(whole.revision).toBeGreaterThan(snapshotEvery)
    log.counter.read = 0
    const short = await newProcess(snapshots).load(productId)
    expect(inside(short.state)).toEqual(inside(whole.state))
    expect(short).toMatchObject({ revision: whole.revision, position: whole.position })
    expect(short.correlationId).toBe(whole.correlationId)
    const behind = whole.revision - (kept.get(stream)?.revision ?? 0)
    expect(behind).toBeLessThan(snapshotEvery)
    // One more for the snapshot that is found, and one for the next that may be taken meanwhile.
    expect(log.counter.read).toBeLessThanOrEqual(snapshotEvery + 2 + behind)
  })

  it('still knows the commands that it has seen', async () => {
    const again = await newProcess(snapshots).decide(productId, envelopeOf(2 * last), state =>
      reserve(state, { productId, orderId: orderOf(last), quantity: 2 }),
    )
    expect(isRejection(again) || again.replayed).toBe(true)
  })

  it('knows those, too, that are too old to be remembered', async () => {
    const again = await newProcess(snapshots).decide(productId, envelopeOf(2), state =>
      reserve(state, { productId, orderId: orderOf(1), quantity: 2 }),
    )
    expect(again).toMatchObject({ revision: 1, replayed: true })
    const reused = { ...envelopeOf(3), digest: 'of something else' }
    const other = await newProcess(snapshots).decide(productId, reused, state =>
      commit(state, productId, orderOf(1)),
    )
    expect(other).toMatchObject({ rejected: 'command/key-reused' })
  })

  it('is read whole where its snapshot is from a release that forgot old commands', async () => {
    const [snapshot] = kept.values()
    if (snapshot === undefined) throw new Error('there is no snapshot')
    const { archives, ...written } = JSON.parse(snapshot.written)
    expect(archives).not.toEqual([])
    const forgetful: Snapshots = {
      find: async () => ({ ...snapshot, written: JSON.stringify(written) }),
      keep: async () => undefined,
    }
    const again = await newProcess(forgetful).decide(productId, envelopeOf(2), state =>
      reserve(state, { productId, orderId: orderOf(1), quantity: 2 }),
    )
    expect(again).toMatchObject({ revision: 1, replayed: true })
  })

  it.each([
    ['is about an event that the log does not have there', { eventId: sampleId(999_999) }],
    ['is further on than the log', { revision: 1_000_000 }],
    ['is of another form', { version: 2 }],
    ['does not hold what it should', { written: '{"state":{"onHand":"many"},"handled":[]}' }],
  ])('is read whole where its snapshot %s', async (_, wrong) => {
    const whole = await newProcess().load(productId)
    const [snapshot] = kept.values()
    if (snapshot === undefined) throw new Error('there is no snapshot')
    const spoilt = { ...snapshot, ...wrong }
    const wrongOnes: Snapshots = { find: async () => spoilt, keep: async () => undefined }
    const read = await newProcess(wrongOnes).load(productId)
    expect(inside(read.state)).toEqual(inside(whole.state))
    expect(read.revision).toBe(whole.revision)
  })
})
