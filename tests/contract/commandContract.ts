// What commands rest on, on every store: a repeat is known however old, a number is given once.
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf, newId } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { orderNumberSource } from '../../src/commands/order/orderNumbers.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { orderNumbers } from '../../src/domain/order/orderNumbers.ts'
import { adjust, type Stock, stock } from '../../src/domain/stock/stock.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { type EventStore, readStream } from '../../src/ports/eventStore.ts'
import { mapCache } from '../support/mapCache.ts'
import { noSeals } from '../support/testSeals.ts'
import { all, type Current } from './eventStoreSubject.ts'

const at = new Date('2011-08-09T10:11:12.345Z')
const codec = createCodec(eventSchemas, noSeals)
const partsOf = (eventStore: EventStore) => ({
  eventStore,
  codec,
  cache: mapCache,
  fingerprint: digestOf,
})

/** Two processes on one log, with caches of their own. */
async function twoProcesses(current: Current, use: (both: EventStore[]) => Promise<void>) {
  const { store, second } = current()
  const other = await second?.()
  try {
    await use([store, other ?? store])
  } finally {
    await other?.close()
  }
}

export function commandContract(current: Current): void {
  describe('a command that a stream has seen, and more since than are remembered', () => {
    /** A process that remembers four commands of a stream. */
    const newProcess = (eventStore: EventStore) =>
      createRepository(stock, { ...partsOf(eventStore), commandsMax: 4 })
    const command = (commandId: string, digest = 'as first sent') => ({
      ...systemEnvelope('test', at, commandId),
      digest,
    })
    /** Ten deliveries of one piece, each with a key of its own. */
    async function tenDeliveries(eventStore: EventStore) {
      const productId = randomUUID()
      const keys = Array.from({ length: 10 }, newId)
      const receive = (delta: number) => (state: Stock) =>
        adjust(state, { productId, delta, reason: 'received' })
      const process = newProcess(eventStore)
      for (const key of keys) await process.decide(productId, command(key), receive(1))
      const pieces = async () => (await newProcess(eventStore).load(productId)).state.onHand
      return { productId, keys, receive, process, pieces }
    }

    it.each([0, 1, 5, 9])('gets its first answer again: number %i', async nth => {
      const { productId, keys, receive, process, pieces } = await tenDeliveries(current().store)
      const again = await process.decide(productId, command(keys[nth] ?? ''), receive(1))
      expect(again).toMatchObject({ revision: nth, replayed: true, state: { onHand: 10 } })
      expect(await pieces()).toBe(10)
    })

    it('gets it where it would be decided otherwise now', async () => {
      const { productId, keys, receive, process, pieces } = await tenDeliveries(current().store)
      const again = await process.decide(productId, command(keys[2] ?? ''), receive(7))
      expect(again).toMatchObject({ revision: 2, replayed: true })
      expect(await pieces()).toBe(10)
    })

    it('gets it from a process that has seen nothing of it, and again there', async () => {
      await twoProcesses(current, async ([here, there]) => {
        if (here === undefined || there === undefined) throw new Error('two stores are missing')
        const { productId, keys, receive, pieces } = await tenDeliveries(here)
        const other = newProcess(there)
        for (const nth of [3, 3, 0]) {
          const again = await other.decide(productId, command(keys[nth] ?? ''), receive(1))
          expect(again).toMatchObject({ revision: nth, replayed: true })
        }
        expect(await pieces()).toBe(10)
      })
    })

    it('is refused where the key comes with another request', async () => {
      const { productId, keys, receive, process, pieces } = await tenDeliveries(current().store)
      const other = command(keys[0] ?? '', 'something else')
      expect(await process.decide(productId, other, receive(2))).toMatchObject({
        rejected: 'command/key-reused',
      })
      expect(await pieces()).toBe(10)
    })

    it('does not stop the new ones that are decided together with it', async () => {
      const { productId, keys, receive, process, pieces } = await tenDeliveries(current().store)
      const asked = [newId(), keys[1] ?? '', newId()]
      const answers = await Promise.all(
        asked.map(key => process.decide(productId, command(key), receive(1))),
      )
      expect(answers).toMatchObject([
        { revision: 10, replayed: false },
        { revision: 1, replayed: true },
        { revision: 11, replayed: false },
      ])
      expect(await pieces()).toBe(12)
    })

    it('is named to those who ask which commands there have been', async () => {
      const { productId, keys, process } = await tenDeliveries(current().store)
      const asked = [keys[0] ?? '', newId(), keys[9] ?? '']
      const found = await process.processed(productId, asked)
      expect([...found.keys()].toSorted()).toEqual([keys[0], keys[9]].toSorted())
      expect(found.get(keys[0] ?? '')).toMatchObject({ revision: 0, digest: 'as first sent' })
    })
  })

  describe('order numbers', () => {
    function newProcess(eventStore: EventStore, id: string) {
      const time = { ms: 0 }
      const repository = createRepository(orderNumbers, partsOf(eventStore))
      const elapsedMs = () => time.ms
      const source = orderNumberSource({ repository, clock: { now: () => at }, elapsedMs, id })
      return { next: () => source.request()(), time }
    }
    const serialOf = (number: string) => Number(number.replace('-', '').slice(0, -1))
    const blocksIn = async (eventStore: EventStore, id: string) =>
      (await all(readStream(eventStore, `orderNumbers-${id}`))).map(({ data }) => data)

    it('are given once by two processes that give many at a time', async () => {
      await twoProcesses(current, async stores => {
        const id = randomUUID()
        const processes = stores.map(store => newProcess(store, id))
        const asked = Array.from({ length: 100 }, () => processes.map(({ next }) => next()))
        const given = await Promise.all(asked.flat())
        expect(new Set(given).size).toBe(200)
        const serials = given.map(serialOf).toSorted((a, b) => a - b)
        expect(serials[0]).toBe(100_001)
        // Orders that arrive together share an append.
        expect((await blocksIn(current().store, id)).length).toBeLessThan(20)
      })
    })

    it('follow each other where orders are few', async () => {
      const id = randomUUID()
      const { next, time } = newProcess(current().store, id)
      const given: string[] = []
      for (let n = 0; n < 4; n += 1) {
        given.push(await next())
        time.ms += 60_000
      }
      expect(given).toEqual(['100-0015', '100-0028', '100-0031', '100-0044'])
    })

    it('lapse after a second: later orders have higher ones, at each process', async () => {
      await twoProcesses(current, async stores => {
        const id = randomUUID()
        const [here, there] = stores.map(store => newProcess(store, id))
        if (here === undefined || there === undefined) throw new Error('two stores are missing')
        await Promise.all(Array.from({ length: 8 }, here.next))
        await here.next()
        // It has reserved more than it has used, and the other process reserves behind that.
        const [, ahead] = await blocksIn(current().store, id)
        const elsewhere = serialOf(await there.next())
        expect(elsewhere).toBeGreaterThan(Number(ahead?.to))
        here.time.ms = 999
        expect(serialOf(await here.next())).toBeLessThan(elsewhere)
        here.time.ms = 1_000
        expect(serialOf(await here.next())).toBeGreaterThan(elsewhere)
      })
    })

    it('that a process has reserved and not used when it ends are used by none', async () => {
      const id = randomUUID()
      const gone = newProcess(current().store, id)
      const used = await Promise.all(Array.from({ length: 8 }, gone.next))
      used.push(await gone.next())
      const blocks = await blocksIn(current().store, id)
      const last = Number(blocks.at(-1)?.to)
      expect(Math.max(...used.map(serialOf))).toBeLessThan(last)
      expect(serialOf(await newProcess(current().store, id).next())).toBe(last + 1)
    })
  })
}
