// Commands on an order load it once: the process starts from what the decision answers.
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createProduct } from '../../src/commands/catalogue/products.ts'
import type { App } from '../../src/commands/core/app.ts'
import type { Answer } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { digestOf, newId } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { cancelOrder, payOrder, updateOrderStatus } from '../../src/commands/order/order.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { refundOrder } from '../../src/commands/order/refundOrder.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { gbp } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const envelope = (): Envelope => ({
  ...systemEnvelope('test', new Date()),
  actor: { role: 'admin', id: customerId, roles: ['customer', 'admin'] },
})
const customerId = newId()
let app: App
let orderId: string
let wanted: Parameters<typeof placeOrder.run>[1]

async function idOf(answer: Promise<Answer>): Promise<string> {
  const given = await answer
  if (isRejection(given)) throw new Error(given.detail)
  return given.id
}

beforeEach(async () => {
  app = createApp({
    eventStore: memoryEventStore(),
    codec: createCodec(eventSchemas, testSeals()),
    cache: streamCaches(100),
    fingerprint: digestOf,
    clock: { now: () => new Date() },
    payments: {
      name: 'test',
      charge: async () => ({ status: 'captured', reference: 'r' }),
      refund: async () => ({ status: 'refunded' }),
    },
    currency: 'GBP',
  } as unknown as Parameters<typeof createApp>[0])
  const input = { name: 'Lantern', price: gbp(425), stock: 50 }
  const productId = await idOf(createProduct.run(app, input, envelope()))
  wanted = { items: [{ productId, quantity: 1 }], shippingAddress: 'Leeds 1', phoneNumber: '1' }
  orderId = await idOf(placeOrder.run(app, wanted, envelope()))
})

/** How often orders are loaded while a command runs. */
async function loadsOf(run: () => Promise<Answer>): Promise<number> {
  const load = vi.spyOn(app.orders, 'load')
  await idOf(run())
  const count = load.mock.calls.length
  load.mockRestore()
  return count
}

describe('an order', () => {
  it('is not loaded to be placed', async () => {
    expect(await loadsOf(() => placeOrder.run(app, wanted, envelope()))).toBe(0)
  })

  it('is loaded once to be paid, to be shipped and to be paid back', async () => {
    const status = 'shipped' as const
    expect(await loadsOf(() => payOrder.run(app, { orderId }, envelope()))).toBe(1)
    expect(await loadsOf(() => updateOrderStatus.run(app, { orderId, status }, envelope()))).toBe(1)
    expect(
      await loadsOf(() => refundOrder.run(app, { orderId, reason: 'Broken' }, envelope())),
    ).toBe(1)
  })

  it('is loaded once to be cancelled', async () => {
    expect(await loadsOf(() => cancelOrder.run(app, { orderId }, envelope()))).toBe(1)
  })
})
