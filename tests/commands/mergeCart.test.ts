// A guest's cart on its way into a customer's, and everything that can stop it half-way.
import { describe, expect, it } from 'vitest'
import { mergeCart } from '../../src/commands/cart/mergeCart.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf, newId } from '../../src/commands/core/ids.ts'
import { createRepository } from '../../src/commands/core/repository.ts'
import { addItem, cart, linesOf } from '../../src/domain/cart/cart.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import { type EventStore, Unavailable } from '../../src/ports/eventStore.ts'
import { cartLine, customerId, otherProductId, productId, sampleId } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const from = sampleId(22)
const now = () => systemEnvelope('test', new Date())

/** One process: what it remembers is its own, the log is everybody's. */
function startProcess(eventStore: EventStore) {
  const codec = createCodec(cart.events, testSeals())
  return {
    carts: createRepository(cart, {
      eventStore,
      codec,
      cache: streamCaches(100),
      fingerprint: digestOf,
    }),
  }
}
type Process = ReturnType<typeof startProcess>

function put({ carts }: Process, owner: string | null, product: string, quantity: number) {
  const cartId = owner ?? from
  const line = cartLine({ productId: product, quantity })
  return carts.decide(cartId, now(), state =>
    addItem(state, { cartId, customerId: owner }, line, 1_000),
  )
}

/** A log with two lanterns and a rug in a guest's cart, and one lantern in a customer's. */
async function filled() {
  const log = memoryEventStore()
  const process = startProcess(log)
  await put(process, null, productId, 2)
  await put(process, null, otherProductId, 1)
  await put(process, customerId, productId, 1)
  return { log, process }
}

const merging = (process: Process, into = customerId) =>
  mergeCart(process, { from, customerId: into }, now())

async function quantities({ carts }: Process, id: string) {
  const lines = linesOf((await carts.load(id)).state)
  return lines.map(line => [line.productId, line.quantity])
}

const everything = [
  [productId, 3],
  [otherProductId, 1],
]

describe('merging carts', () => {
  it('moves everything, and tells where in the log it is', async () => {
    const { log, process } = await filled()
    const position = await merging(process)
    expect(position).toBe((await process.carts.load(customerId)).position)
    expect(await quantities(process, customerId)).toEqual(everything)
    expect((await process.carts.load(from)).state).toEqual({ status: 'closed', into: customerId })
    expect(await merging(startProcess(log))).toBeUndefined()
  })

  it.each([
    ['before the first', 1, 'before'],
    ['after the first', 1, 'after'],
    ['before the second', 2, 'before'],
    ['after the second', 2, 'after'],
  ])('is finished by the next try when it stops %s append', async (_, nth, moment) => {
    const { log } = await filled()
    let appends = 0
    const dying: EventStore = {
      ...log,
      async append(...asked) {
        appends += 1
        const isLast = appends === nth
        if (isLast && moment === 'before') throw new Unavailable('stopped')
        const done = await log.append(...asked)
        if (isLast) throw new Unavailable('stopped')
        return done
      },
    }
    await expect(merging(startProcess(dying))).rejects.toThrow(Unavailable)
    const next = startProcess(log)
    await merging(next)
    expect(await quantities(next, customerId)).toEqual(everything)
    expect((await next.carts.load(from)).state.status).toBe('closed')
  })

  it('adds up once when several processes do it at once', async () => {
    const { log } = await filled()
    await Promise.all([1, 2, 3, 4].map(() => merging(startProcess(log))))
    expect(await quantities(startProcess(log), customerId)).toEqual(everything)
  })

  it('takes along what is put in between its two steps', async () => {
    const { log, process } = await filled()
    let isLate = true
    const slow: EventStore = {
      ...log,
      async append(stream, expected, events) {
        const done = await log.append(stream, expected, events)
        if (isLate && stream === `cart-${customerId}`) {
          isLate = false
          await put(process, null, otherProductId, 4)
        }
        return done
      },
    }
    await merging(startProcess(slow))
    const late = [
      [productId, 3],
      [otherProductId, 5],
    ]
    expect(await quantities(startProcess(log), customerId)).toEqual(late)
  })

  it('gives nothing to the next customer who signs in with the same token', async () => {
    const { process } = await filled()
    const next = sampleId(32)
    await merging(process)
    expect(await merging(process, next)).toBeUndefined()
    expect(await quantities(process, next)).toEqual([])
  })

  it('leaves customers’ carts alone', async () => {
    const { process } = await filled()
    const next = sampleId(32)
    await mergeCart(process, { from: customerId, customerId: next }, now())
    expect(await quantities(process, customerId)).toEqual([[productId, 1]])
    expect(await quantities(process, next)).toEqual([])
    expect(await mergeCart(process, { from: newId(), customerId }, now())).toBeUndefined()
  })
})
