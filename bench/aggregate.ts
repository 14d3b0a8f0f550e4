// Row 13. Path: loading an aggregate of 100 events through its repository, cold (nothing cached)
// and warm (folded before), 16 in flight. Limit: one prepared select of the 100 rows, parsed by the
// driver. Bars: cold at least 80 % of it, warm at least 3 times as many.

import { randomUUID } from 'node:crypto'
import { systemEnvelope } from '../src/commands/core/envelope.ts'
import { digestOf } from '../src/commands/core/ids.ts'
import { createRepository } from '../src/commands/core/repository.ts'
import { type CartEvent, cart } from '../src/domain/cart/cart.ts'
import { eventSchemas } from '../src/domain/index.ts'
import { createCodec } from '../src/eventstore/core/codec.ts'
import { postgresEventStore } from '../src/eventstore/postgres/postgres.ts'
import { streamCaches } from '../src/infra/caching/caches.ts'
import type { CacheFactory } from '../src/ports/caches.ts'
import type { Bench } from './benchmark.ts'
import { closing } from './closing.ts'
import { interleave, judge, type Report, rate, roundsFor } from './harness.ts'

const eventsEach = 100
const streams = 200
const inFlight = 16
const limit = 'one prepared select of 100 rows'
const cold = 'aggregate of 100 events, cold'
const warm = 'aggregate of 100 events, warm'

const select = {
  name: 'bench_stream',
  text: `select position, stream, revision, event_id, type, data, metadata, recorded_at
    from eventstore.events
    where stream = $1
    order by revision`,
}

const nothingKept: CacheFactory = () => ({
  get: () => undefined,
  set: () => undefined,
  delete: () => undefined,
})
// Events of carts hold nothing personal.
const noSeals = {
  seal: () => Promise.reject(new Error('nothing to seal')),
  open: () => Promise.reject(new Error('nothing to open')),
  isErased: async () => false,
  evict: () => undefined,
}

export function aggregate({ database: { pool, clock }, quick }: Bench): Promise<Report> {
  return closing(async closers => {
    const eventStore = postgresEventStore(pool)
    closers.push(eventStore.close)
    clock.watchAlone('Node', process.pid)
    const codec = createCodec(eventSchemas, noSeals)
    const repositoryWith = (cache: CacheFactory) =>
      createRepository(cart, { eventStore, codec, cache, fingerprint: digestOf })
    const ids = Array.from({ length: streams }, () => randomUUID())
    await rate({ total: streams, inFlight }, async index => {
      const id = ids[index] ?? ''
      const envelope = systemEnvelope('bench', new Date())
      const events = history(id).map(event => codec.encode(event, randomUUID(), envelope))
      await eventStore.append(`cart-${id}`, 'no-stream', await Promise.all(events))
    })
    const total = quick ? 600 : 3_000
    const idOf = (index: number) => ids[index % streams] ?? ''
    const candidate = (name: string, work: (id: string) => Promise<unknown>) => {
      const run = () => rate({ total, inFlight }, index => work(idOf(index)))
      return { name, unit: 'loads/s', run }
    }
    const candidates = [
      candidate(limit, id => pool.query({ ...select, values: [`cart-${id}`] })),
      candidate(cold, id => load(repositoryWith(nothingKept), id)),
      candidate(warm, warmLoader(repositoryWith(streamCaches(streams)))),
    ]
    const measured = await interleave(candidates, roundsFor(quick), clock)
    return {
      name: 'aggregate',
      measured,
      verdicts: [
        judge(measured, { row: 13, path: cold, of: cold, to: limit, bar: { atLeast: 0.8 } }),
        judge(measured, { row: 13, path: warm, of: warm, to: limit, bar: { atLeast: 3 } }),
      ],
      notes: [`${streams} carts, a load at a time of each`],
    }
  })
}

type Carts = ReturnType<typeof createRepository<Parameters<typeof cart.evolve>[0], CartEvent>>

function warmLoader(carts: Carts): (id: string) => Promise<unknown> {
  return id => load(carts, id)
}

async function load(carts: Carts, id: string): Promise<void> {
  const { revision } = await carts.load(id)
  if (revision !== eventsEach - 1) throw new Error(`a cart at revision ${revision}`)
}

/** A cart that is opened and then filled with ten products, again and again. */
function history(cartId: string): CartEvent[] {
  const products = Array.from({ length: 10 }, () => randomUUID())
  const added = Array.from(
    { length: eventsEach - 1 },
    (_, index): CartEvent => ({
      type: 'ItemAddedToCart',
      data: {
        cartId,
        productId: products[index % products.length] ?? '',
        sku: `LAMP-${index % products.length}`,
        name: 'Lantern',
        unitPrice: { amount: 425, currency: 'GBP' },
        quantity: 1,
      },
    }),
  )
  return [{ type: 'CartOpened', data: { cartId, customerId: cartId } }, ...added]
}
