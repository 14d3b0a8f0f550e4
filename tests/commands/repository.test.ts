// Decisions and the log: queued, written together, decided anew after a conflict, never done twice.

import { beforeEach, describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { isRejection, type Rejection } from '../../src/domain/kernel/rejection.ts'
import { adjust, release, reserve, type Stock, stock } from '../../src/domain/stock/stock.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { type EventStore, readStream, Unavailable } from '../../src/ports/eventStore.ts'
import { mapCache } from '../support/mapCache.ts'
import { orderId, productId, sampleId } from '../support/samples.ts'
import { noSeals } from '../support/testSeals.ts'

const codec = createCodec(stock.events, noSeals)
const stream = `stock-${productId}`

/** What one process has: its own cache over the log that all share. */
function newProcess(eventStore: EventStore) {
  return createRepository(stock, { eventStore, codec, cache: mapCache, fingerprint: digestOf })
}

/** The same log, with its appends counted. */
function counting(store: EventStore) {
  const appends: number[] = []
  const append: EventStore['append'] = (name, expected, events) => {
    appends.push(events.length)
    return store.append(name, expected, events)
  }
  return { ...store, append, appends }
}

let nextCommand = 1_000
function envelope(changes: Partial<Envelope> = {}): Envelope {
  nextCommand += 1
  const commandId = changes.commandId ?? sampleId(nextCommand)
  const at = new Date('2011-08-09T10:11:12.345Z')
  return { ...systemEnvelope('test', at, commandId), digest: 'abcdefghijklmnopqrstuv', ...changes }
}

const receive = (pieces: number) => (state: Stock) =>
  adjust(state, { productId, delta: pieces, reason: 'received' })
const lose = (pieces: number) => (state: Stock) =>
  adjust(state, { productId, delta: -pieces, reason: 'lost' })
const reserveOne = (order: string) => (state: Stock) =>
  reserve(state, { productId, orderId: order, quantity: 1 })

async function lengthOf(store: EventStore): Promise<number> {
  let length = 0
  for await (const _ of readStream(store, stream)) length += 1
  return length
}

type Process = ReturnType<typeof newProcess>
type Outcome = Awaited<ReturnType<Process['decide']>>

function accepted(outcome: Outcome): Exclude<Outcome, Rejection> {
  if (isRejection(outcome)) throw new Error(`refused: ${outcome.rejected}`)
  return outcome
}

let store: EventStore
let here: Process
let there: Process
beforeEach(() => {
  store = memoryEventStore()
  here = newProcess(store)
  there = newProcess(store)
})

describe('decisions on one stream in one process', () => {
  it('are all applied, in few writes, when they come together', async () => {
    const counted = counting(store)
    const process = newProcess(counted)
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => process.decide(productId, envelope(), receive(1))),
    )
    expect(answers.map(answer => accepted(answer).revision).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, revision) => revision),
    )
    expect(await process.load(productId)).toMatchObject({ state: { onHand: 100 }, revision: 99 })
    expect(counted.appends.length).toBeLessThanOrEqual(2)
  })

  it('see what the ones before them in the same write have led to', async () => {
    const counted = counting(store)
    const process = newProcess(counted)
    await process.decide(productId, envelope(), receive(3))
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => process.decide(productId, envelope(), lose(1))),
    )
    expect(answers.filter(isRejection)).toHaveLength(2)
    expect(await process.load(productId)).toMatchObject({ state: { onHand: 0 } })
  })

  it('are written in parts when more come than one write may hold', async () => {
    const counted = counting(store)
    const process = newProcess(counted)
    await Promise.all(
      Array.from({ length: 600 }, () => process.decide(productId, envelope(), receive(1))),
    )
    expect(await lengthOf(store)).toBe(600)
    expect(Math.max(...counted.appends)).toBeLessThanOrEqual(256)
  })

  it('write nothing when they decide nothing', async () => {
    await here.decide(productId, envelope(), receive(5))
    const counted = counting(store)
    const process = newProcess(counted)
    const nothing = await process.decide(productId, envelope(), state =>
      release(state, productId, orderId),
    )
    expect(nothing).toMatchObject({ revision: 0, position: 1n, replayed: false })
    expect(counted.appends).toEqual([])
  })

  it('do not wait for those on another stream', async () => {
    const other = sampleId(2)
    await Promise.all([
      here.decide(productId, envelope(), receive(1)),
      here.decide(other, envelope(), receive(2)),
    ])
    expect(await here.load(other)).toMatchObject({ state: { onHand: 2 }, revision: 0 })
  })
})

describe('two processes on one stream', () => {
  it('decide anew after a conflict', async () => {
    await here.decide(productId, envelope(), receive(1))
    await there.decide(productId, envelope(), receive(1))
    const seen: number[] = []
    const outcome = await here.decide(productId, envelope(), state => {
      seen.push(state.onHand)
      return receive(1)(state)
    })
    expect(seen).toEqual([1, 2])
    expect(accepted(outcome)).toMatchObject({ state: { onHand: 3 }, revision: 2, position: 3n })
  })

  it('never give the last piece away twice', async () => {
    await here.decide(productId, envelope(), receive(1))
    await there.load(productId)
    const orders = Array.from({ length: 20 }, (_, index) => sampleId(2_000 + index))
    const answers = await Promise.all(
      orders.map((order, index) =>
        (index % 2 === 0 ? here : there).decide(productId, envelope(), reserveOne(order)),
      ),
    )
    const served = answers.filter((answer, index) => {
      return accepted(answer).state.reserved.has(orders[index] ?? '')
    })
    expect(served.length).toBeGreaterThan(0)
    const { state } = await newProcess(store).load(productId)
    expect(state).toMatchObject({ onHand: 1, reservedTotal: 1 })
    expect([...state.reserved.values()]).toEqual([1])
  })

  it('apply everything that both of them decide at the same time', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        (index % 2 === 0 ? here : there).decide(productId, envelope(), receive(1)),
      ),
    )
    expect(await here.load(productId)).toMatchObject({ state: { onHand: 60 }, revision: 59 })
  })

  it('refuse on the newest state only: what the other has brought in counts', async () => {
    await here.decide(productId, envelope(), receive(1))
    await there.decide(productId, envelope(), receive(9))
    const outcome = await here.decide(productId, envelope(), lose(10))
    expect(accepted(outcome).state.onHand).toBe(0)
  })

  it('do nothing on the newest state only', async () => {
    await here.decide(productId, envelope(), receive(1))
    await there.decide(productId, envelope(), reserveOne(orderId))
    const outcome = await here.decide(productId, envelope(), state =>
      release(state, productId, orderId),
    )
    expect(accepted(outcome)).toMatchObject({ revision: 2, state: { reservedTotal: 0 } })
  })
})

describe('the same command again', () => {
  const command = envelope()
  const first = { revision: 1, position: 2n }

  beforeEach(async () => {
    await here.decide(productId, envelope(), receive(10))
  })

  it('has one effect and the same answer, one after the other', async () => {
    expect(await here.decide(productId, command, receive(1))).toMatchObject({
      ...first,
      replayed: false,
    })
    await here.decide(productId, envelope(), receive(1))
    const again = await here.decide(productId, command, receive(1))
    expect(again).toMatchObject({ ...first, replayed: true, state: { onHand: 12 } })
    expect(await lengthOf(store)).toBe(3)
  })

  it('has one effect and the same answer at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => here.decide(productId, command, receive(1))),
    )
    for (const answer of answers) expect(answer).toMatchObject(first)
    expect(answers.filter(answer => !accepted(answer).replayed)).toHaveLength(1)
    expect(await lengthOf(store)).toBe(2)
  })

  it('has one effect and the same answer after a restart', async () => {
    await here.decide(productId, command, receive(1))
    const restarted = newProcess(store)
    const again = await restarted.decide(productId, command, receive(1))
    expect(again).toMatchObject({ ...first, replayed: true })
    expect(await lengthOf(store)).toBe(2)
  })

  it('is decided anew when it was refused, since a refusal leaves nothing behind', async () => {
    expect(await here.decide(productId, command, lose(11))).toMatchObject({
      rejected: 'stock/below-reserved',
    })
    await there.decide(productId, envelope(), receive(1))
    expect(accepted(await here.decide(productId, command, lose(11))).state.onHand).toBe(0)
  })
})

describe('a command that nobody can repeat', () => {
  it('is not kept in mind by who has written it, and is by who reads it', async () => {
    const { commandId, digest: _, ...rest } = envelope()
    const once = { ...rest, commandId }
    accepted(await here.decide(productId, once, receive(1), { idempotency: 'none' }))
    const cached = await here.load(productId)
    expect(cached.revision).toBe(0)
    expect(cached.processed.size).toBe(0)
    expect((await there.load(productId)).processed.get(commandId)).toMatchObject({ revision: 0 })
  })

  it('is done once when others get there first, again and again', async () => {
    const { digest: _, ...rest } = envelope()
    let left = 3
    const crowded: EventStore = {
      ...store,
      async append(name, expected, events) {
        left -= 1
        if (left >= 0) await there.decide(productId, envelope(), receive(1))
        return store.append(name, expected, events)
      },
    }
    const process = newProcess(crowded)
    const options = { idempotency: 'none' } as const
    const { state } = accepted(await process.decide(productId, rest, receive(1), options))
    expect(state.onHand).toBe(4)
    expect(await lengthOf(store)).toBe(4)
  })
})

describe('the same command in another process', () => {
  const command = envelope()
  const first = { revision: 1, position: 2n }

  beforeEach(async () => {
    await here.decide(productId, envelope(), receive(10))
    await there.load(productId)
  })

  it('has one effect and the same answer where it has not been seen', async () => {
    await here.decide(productId, command, receive(1))
    expect(await there.decide(productId, command, receive(1))).toMatchObject(first)
    expect(await lengthOf(store)).toBe(2)
  })

  it('has one effect when both are given it at the same time', async () => {
    const answers = await Promise.all([
      here.decide(productId, command, receive(1)),
      there.decide(productId, command, receive(1)),
    ])
    for (const answer of answers) expect(answer).toMatchObject(first)
    expect(await lengthOf(store)).toBe(2)
  })

  it('keeps its first effect where the world has changed and it is decided otherwise', async () => {
    await here.decide(productId, command, receive(1))
    const again = await there.decide(productId, command, receive(2))
    expect(again).toMatchObject({ ...first, replayed: true, state: { onHand: 11 } })
    expect(await there.load(productId)).toMatchObject({ state: { onHand: 11 }, revision: 1 })
  })

  it('is refused where it was another request', async () => {
    await here.decide(productId, command, receive(1))
    const other = { ...command, digest: 'another' }
    expect(await there.decide(productId, other, receive(2))).toMatchObject({
      rejected: 'command/key-reused',
    })
    expect(await there.load(productId)).toMatchObject({ state: { onHand: 11 } })
  })
})

describe('a command id that comes with another request', () => {
  const command = envelope()
  const other = { ...command, digest: 'another' }
  const refused = { rejected: 'command/key-reused' }

  it('is refused, and has no effect', async () => {
    await here.decide(productId, command, receive(1))
    expect(await here.decide(productId, other, receive(2))).toMatchObject(refused)
    expect(await lengthOf(store)).toBe(1)
  })

  it('is refused after a restart and by another process', async () => {
    await here.decide(productId, command, receive(1))
    expect(await newProcess(store).decide(productId, other, receive(2))).toMatchObject(refused)
    expect(await there.decide(productId, other, receive(2))).toMatchObject(refused)
  })

  it('is refused at the same time, and the honest retry beside it is not', async () => {
    // The first one keeps the stream busy, so that the others are decided together.
    const [, done, reused, again] = await Promise.all([
      here.decide(productId, envelope(), receive(9)),
      here.decide(productId, command, receive(1)),
      here.decide(productId, other, receive(2)),
      here.decide(productId, command, receive(1)),
    ])
    expect(done).toMatchObject({ revision: 1, replayed: false })
    expect(reused).toMatchObject(refused)
    expect(again).toMatchObject({ revision: 1, replayed: true })
    expect(await lengthOf(store)).toBe(2)
  })
})

describe('a command that says which revision it has seen', () => {
  const seen = (expectedRevision: number) => envelope({ expectedRevision })

  beforeEach(async () => {
    await here.decide(productId, envelope(), receive(10))
  })

  it('is carried out when nothing has changed since', async () =>
    expect(await here.decide(productId, seen(0), receive(1))).toMatchObject({ revision: 1 }))

  it('is refused when something has changed since, and learns where it is now', async () => {
    await there.decide(productId, envelope(), receive(1))
    const outcome = await here.decide(productId, seen(0), receive(1))
    expect(outcome).toMatchObject({ rejected: 'command/stale', extra: { currentRevision: 1 } })
    expect(await lengthOf(store)).toBe(2)
  })

  it('is not refused because this process has not caught up', async () => {
    await there.decide(productId, envelope(), receive(1))
    expect(await here.decide(productId, seen(1), receive(1))).toMatchObject({ revision: 2 })
  })

  it('is carried out once when two have seen the same', async () => {
    const answers = await Promise.all([
      here.decide(productId, seen(0), receive(1)),
      here.decide(productId, seen(0), receive(1)),
      there.decide(productId, seen(0), receive(1)),
    ])
    expect(answers.filter(answer => !isRejection(answer))).toHaveLength(1)
    expect(await lengthOf(store)).toBe(2)
  })

  it('gets its first answer when it is repeated', async () => {
    const command = seen(0)
    await here.decide(productId, command, receive(1))
    const again = await here.decide(productId, command, receive(1))
    expect(again).toMatchObject({ revision: 1, replayed: true })
  })
})

describe('a store that does not answer', () => {
  /** Fails the next appends, before or after they were carried out. */
  function failing(when: 'before' | 'after', times = 1): EventStore {
    let left = times
    return {
      ...store,
      async append(name, expected, events) {
        left -= 1
        if (left >= 0 && when === 'before') throw new Unavailable('no answer')
        const result = await store.append(name, expected, events)
        if (left >= 0) throw new Unavailable('no answer')
        return result
      },
    }
  }

  it.each(['before', 'after'] as const)(
    'that fails %s it has written leaves one effect when the command is repeated',
    async when => {
      const process = newProcess(failing(when))
      const command = envelope()
      await expect(process.decide(productId, command, receive(1))).rejects.toThrow(Unavailable)
      const again = await process.decide(productId, command, receive(1))
      expect(again).toMatchObject({ revision: 0, position: 1n, replayed: when === 'after' })
      expect(await lengthOf(store)).toBe(1)
    },
  )

  it('fails all that were to be written together, and none is lost when they repeat', async () => {
    const process = newProcess(failing('after', 2))
    const commands = Array.from({ length: 10 }, () => envelope())
    const decideAll = () =>
      Promise.allSettled(commands.map(command => process.decide(productId, command, receive(1))))
    const failed = await decideAll()
    expect(failed.map(({ status }) => status)).toEqual(commands.map(() => 'rejected'))
    const done = await decideAll()
    expect(done.map(({ status }) => status)).toEqual(commands.map(() => 'fulfilled'))
    expect(await lengthOf(store)).toBe(10)
  })

  it('is not asked for ever when others always come first', async () => {
    let rounds = 0
    const crowded: EventStore = {
      ...store,
      async append(name, expected, events) {
        rounds += 1
        await there.decide(productId, envelope(), receive(1))
        return store.append(name, expected, events)
      },
    }
    const process = newProcess(crowded)
    await expect(process.decide(productId, envelope(), receive(1))).rejects.toThrow(Unavailable)
    expect(rounds).toBe(8)
  })
})

describe('many who ask for a stream at once', () => {
  it('share two reads, however many they are', async () => {
    const reads = { begun: 0 }
    const process = newProcess({
      ...store,
      read(ranges) {
        reads.begun += 1
        return store.read(ranges)
      },
    })
    const early = process.load(productId)
    await there.decide(productId, envelope(), receive(1))
    const late = Array.from({ length: 50 }, () => process.load(productId))
    expect((await early).revision).toBeLessThanOrEqual(0)
    expect((await Promise.all(late)).map(({ revision }) => revision)).toEqual(late.map(() => 0))
    // The early one, the first late one, and one for all others.
    expect(reads.begun).toBe(3)
  })
})

describe('a read that is slower than another', () => {
  it('does not answer a repeated command with a state from before it', async () => {
    const command = envelope()
    let isSlow = false
    let goOn = () => {}
    let reached = () => {}
    const gate = new Promise<void>(resolve => {
      goOn = resolve
    })
    const atGate = new Promise<void>(resolve => {
      reached = resolve
    })
    const slow: EventStore = {
      ...store,
      async read(ranges) {
        const waits = isSlow
        isSlow = false
        const pages = await store.read(ranges)
        if (!waits) return pages
        reached()
        await gate
        return pages
      },
    }
    const process = newProcess(slow)
    await process.decide(productId, envelope(), receive(1))
    await there.decide(productId, envelope(), receive(1))
    isSlow = true
    // Loses against `there`, and reads the log slowly: when it has, `there` has done it already.
    const answer = process.decide(productId, command, reserveOne(orderId))
    await atGate
    await there.decide(productId, command, reserveOne(orderId))
    // Whoever asks meanwhile gets what is read behind the slow read, with what `there` has done.
    const asked = process.load(productId)
    goOn()
    expect((await asked).revision).toBe(2)
    const { state, revision } = accepted(await answer)
    expect(revision).toBe(2)
    expect(state.reserved.has(orderId)).toBe(true)
  })
})
