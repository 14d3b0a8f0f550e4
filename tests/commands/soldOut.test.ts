// A product that is sold out to orders that wait to be paid: asking for it loads none of them.
import { describe, expect, it } from 'vitest'
import { createProduct } from '../../src/commands/catalogue/products.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf, newId } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { availableStock } from '../../src/commands/order/availableStock.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import type { EventStore } from '../../src/ports/eventStore.ts'
import { gbp } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const orders = 300
const expiryMs = 60_000
const placedAt = new Date('2026-01-01T10:00:00Z')
const later = (ms: number) => new Date(placedAt.getTime() + ms)

/** A shop that remembers 20 streams of a kind, and counts the order streams that it reads. */
async function soldOut() {
  const log = memoryEventStore()
  const reads = { orders: 0 }
  const counted: EventStore = {
    ...log,
    read(ranges) {
      reads.orders += ranges.filter(({ stream }) => stream.startsWith('order-')).length
      return log.read(ranges)
    },
  }
  const app = createApp({
    eventStore: counted,
    codec: createCodec(eventSchemas, testSeals()),
    cache: streamCaches(20),
    fingerprint: digestOf,
    clock: { now: () => placedAt },
    payments: { name: 'none' },
    currency: 'GBP',
    orderExpiryMs: expiryMs,
  } as unknown as Parameters<typeof createApp>[0])
  const input = { name: 'Lantern', price: gbp(425), stock: orders }
  const made = await createProduct.run(app, input, systemEnvelope('test', placedAt))
  if (isRejection(made)) throw new Error(made.detail)
  const productId = made.id
  for (let number = 0; number < orders; number += 1) {
    const id = newId()
    const actor = { role: 'customer', id, roles: ['customer'] } as const
    const placed = await placeOrder.run(
      app,
      { items: [{ productId, quantity: 1 }], shippingAddress: 'Leeds 1', phoneNumber: '1' },
      { ...systemEnvelope('test', placedAt), actor },
    )
    if (isRejection(placed)) throw new Error(placed.detail)
  }
  reads.orders = 0
  const ask = (at: Date) =>
    availableStock(app, { productId, quantity: 1 }, systemEnvelope('test', at))
  return { reads, ask, log, app, productId }
}

describe('a product that is sold out to unpaid orders', () => {
  it('is asked for without a look at any of them, as long as none of them is due', async () => {
    const { reads, ask } = await soldOut()
    for (let times = 0; times < 20; times += 1) expect(await ask(later(1_000))).toBe(0)
    expect(reads.orders).toBe(0)
  })

  it('can be had although a newer release has written to one of them', async () => {
    const { ask, log } = await soldOut()
    let stream = ''
    for await (const event of log.readAll()) if (event.type === 'OrderPlaced') stream = event.stream
    const metadata = { v: 1, actor: { role: 'system', id: 'newer' }, at: placedAt.toISOString() }
    const event = { id: newId(), type: 'OrderGiftWrapped', data: {}, metadata }
    await log.append(stream, 'any', [event])
    expect(await ask(later(expiryMs + 1))).toBeGreaterThan(0)
  })

  it('can be had as soon as their time has run out, without any worker', async () => {
    const { ask } = await soldOut()
    expect(await ask(later(expiryMs + 1))).toBeGreaterThan(0)
  })
})
