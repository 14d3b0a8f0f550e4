// Orders of the same cart at the same moment, in two processes: what is in it is bought once.
import { describe, expect, it } from 'vitest'
import { addToCart } from '../../src/commands/cart/cart.ts'
import { createProduct } from '../../src/commands/catalogue/products.ts'
import type { App } from '../../src/commands/core/app.ts'
import { execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { derivedId, digestOf, newId } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { runOrderProcess } from '../../src/commands/order/orderProcess.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { type EventStore, Unavailable } from '../../src/ports/eventStore.ts'
import { gbp } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const codec = createCodec(eventSchemas, testSeals())
const customerId = newId()
const delivery = { shippingAddress: 'Leeds 1', phoneNumber: '1' }

function startProcess(eventStore: EventStore): App {
  return createApp({
    eventStore,
    codec,
    cache: streamCaches(100),
    fingerprint: digestOf,
    clock: { now: () => new Date() },
    payments: { name: 'none' },
    currency: 'GBP',
  } as unknown as Parameters<typeof createApp>[0])
}

const asCustomer = (): Envelope => ({
  ...systemEnvelope('test', new Date()),
  actor: { role: 'customer', id: customerId, roles: ['customer'] },
})

/** A cart with two pieces of a product of which there are many. */
async function filledCart() {
  const log = memoryEventStore()
  const app = startProcess(log)
  const input = { name: 'Lantern', price: gbp(425), stock: 50 }
  const made = await createProduct.run(app, input, systemEnvelope('test', new Date()))
  if (isRejection(made)) throw new Error(made.detail)
  const item = { productId: made.id, quantity: 2 }
  const added = await execute(app, addToCart, item, asCustomer())
  if (isRejection(added)) throw new Error(added.detail)
  return { log, productId: made.id }
}

/** A log that does something before, or instead of, the nth append. */
function interrupted(log: EventStore, nth: number, act: () => Promise<unknown>): EventStore {
  let appends = 0
  return {
    ...log,
    async append(...asked) {
      appends += 1
      if (appends === nth) await act()
      return log.append(...asked)
    },
  }
}

async function piecesSold(log: EventStore): Promise<number> {
  let pieces = 0
  for await (const { type, data } of log.readAll()) {
    if (type === 'StockReserved') pieces += Number(data.quantity)
    if (type === 'ReservationReleased') pieces -= Number(data.quantity)
  }
  return pieces
}

// The number, the order, its stock, the cart, its placing.
const appends = [1, 2, 3, 4, 5]

describe('two orders of one cart', () => {
  it.each(appends)('buy what is in it once, where they meet at append %i', async nth => {
    const { log } = await filledCart()
    const other = () => placeOrder.run(startProcess(log), delivery, asCustomer())
    const app = startProcess(interrupted(log, nth, other))
    const answer = await placeOrder.run(app, delivery, asCustomer())
    expect(await piecesSold(log)).toBe(2)
    // The cart is claimed by the fourth append: whoever comes after that finds it empty.
    if (nth <= 4) expect(answer).toMatchObject({ rejected: 'cart/changed' })
    else expect(answer).toMatchObject({ result: { status: 'pending' } })
  })

  it('leave nothing half done where the first one dies with the cart in its hands', async () => {
    const { log } = await filledCart()
    const dies = async () => {
      throw new Unavailable('the process has died')
    }
    const envelope = asCustomer()
    const dying = startProcess(interrupted(log, 5, dies))
    await placeOrder.run(dying, delivery, envelope).catch(() => undefined)
    const second = await placeOrder.run(startProcess(log), delivery, asCustomer())
    expect(second).toMatchObject({ rejected: 'cart/empty' })
    const orderId = derivedId(envelope.commandId, 'order')
    const done = await runOrderProcess(
      startProcess(log),
      orderId,
      systemEnvelope('sweep', new Date()),
    )
    expect(done?.order.status).toBe('pending')
    expect(await piecesSold(log)).toBe(2)
  })
})
