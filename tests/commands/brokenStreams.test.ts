// Commands whose process meets a broken stream of something else: what they have decided stands.
import { beforeEach, describe, expect, it } from 'vitest'
import { addToCart } from '../../src/commands/cart/cart.ts'
import { createCategory, deleteCategory } from '../../src/commands/catalogue/categories.ts'
import { createProduct } from '../../src/commands/catalogue/products.ts'
import type { App } from '../../src/commands/core/app.ts'
import { isUnreadable } from '../../src/commands/core/brokenStream.ts'
import { type Accepted, type Answer, execute } from '../../src/commands/core/command.ts'
import { systemEnvelope } from '../../src/commands/core/envelope.ts'
import { derivedId, digestOf, newId } from '../../src/commands/core/ids.ts'
import { createApp } from '../../src/commands/createApp.ts'
import { importOrder } from '../../src/commands/ledger/importLedger.ts'
import { cancelOrder, payOrder, updateOrderStatus } from '../../src/commands/order/order.ts'
import { runOrderProcess } from '../../src/commands/order/orderProcess.ts'
import { takeCallback } from '../../src/commands/order/paymentCallback.ts'
import { placeOrder } from '../../src/commands/order/placeOrder.ts'
import { refundOrder } from '../../src/commands/order/refundOrder.ts'
import { eventSchemas } from '../../src/domain/index.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import { createCodec } from '../../src/eventstore/core/codec.ts'
import { memoryEventStore } from '../../src/eventstore/memory/memory.ts'
import { streamCaches } from '../../src/infra/caching/caches.ts'
import { PoisonEvent, UnknownEvent } from '../../src/ports/codec.ts'
import type { Envelope } from '../../src/ports/envelope.ts'
import { BrokenStream, type EventStore, readStream } from '../../src/ports/eventStore.ts'
import { gbp } from '../support/samples.ts'
import { testSeals } from '../support/testSeals.ts'

const delivery = { shippingAddress: 'Leeds 1', phoneNumber: '1' }
const customerId = newId()
const envelope = (...roles: ('customer' | 'admin')[]): Envelope => ({
  ...systemEnvelope('test', new Date()),
  actor: { role: 'customer', id: customerId, roles: ['customer', ...roles] },
})
const asSystem = () => systemEnvelope('test', new Date())

const event = { type: 'StockCounted', position: 1n, metadata: { v: 9 } } as never
const kinds: [string, (stream: string) => Error][] = [
  ['is not whole', stream => new BrokenStream(stream, 'event 0 is missing')],
  [
    'holds what cannot be read',
    stream => new PoisonEvent({ ...(event as object), stream } as never, 'odd'),
  ],
  [
    'was written by a newer release',
    stream => new UnknownEvent({ ...(event as object), stream } as never, 'new'),
  ],
]

let log: EventStore
let app: App
let refunds = 0
let charges: 'captured' | 'processing' = 'captured'
/** Streams that begin so are broken, now or once an event of a type is in the log. */
let broken: string[] = []
let breaksAfter: [type: string, stream: string] | undefined
let faultOf = kinds[0]?.[1] ?? (() => new Error())

function startShop(): App {
  const check = (stream: string) => {
    if (broken.some(start => stream.startsWith(start))) throw faultOf(stream)
  }
  const guarded: EventStore = {
    ...log,
    async read(ranges) {
      for (const { stream } of ranges) check(stream)
      return log.read(ranges)
    },
    async append(stream, expected, events) {
      check(stream)
      const done = await log.append(stream, expected, events)
      if (events.some(({ type }) => type === breaksAfter?.[0])) broken.push(breaksAfter?.[1] ?? '')
      return done
    },
  }
  return createApp({
    eventStore: guarded,
    codec: createCodec(eventSchemas, testSeals()),
    cache: streamCaches(100),
    fingerprint: digestOf,
    clock: { now: () => new Date() },
    payments: {
      name: 'test',
      charge: async () => ({ status: charges, reference: 'r' }),
      cancel: async () => ({ status: 'declined', reason: 'cancelled' }),
      async refund() {
        refunds += 1
        return { status: 'refunded' }
      },
    },
    currency: 'GBP',
  } as unknown as Parameters<typeof createApp>[0])
}

beforeEach(() => {
  log = memoryEventStore()
  refunds = 0
  charges = 'captured'
  broken = []
  breaksAfter = undefined
  app = startShop()
})

async function accepted(answer: Promise<Answer>): Promise<Accepted> {
  const given = await answer
  if (isRejection(given)) throw new Error(`${given.rejected}: ${given.detail}`)
  return given
}

async function product(): Promise<string> {
  const input = { name: `Lantern ${newId()}`, price: gbp(425), stock: 50 }
  return (await accepted(createProduct.run(app, input, asSystem()))).id
}

/** An order of two products; the stock of the first breaks later. */
async function ordered() {
  const productIds = [await product(), await product()]
  const items = productIds.map(productId => ({ productId, quantity: 1 }))
  const { id } = await accepted(placeOrder.run(app, { items, ...delivery }, envelope()))
  return { orderId: id, productIds }
}

async function paid() {
  const order = await ordered()
  await accepted(payOrder.run(app, { orderId: order.orderId }, envelope()))
  return order
}

/** From now on, for processes that remember nothing. */
function breakStream(start: string): void {
  broken.push(start)
  app = startShop()
}

function mend(): void {
  broken = []
  breaksAfter = undefined
  app = startShop()
}

async function typesOf(stream: string): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of readStream(log, stream)) types.push(type)
  return types
}

describe.each(kinds)('where another stream %s', (_, fault) => {
  beforeEach(() => {
    faultOf = fault
  })

  it('an order is cancelled and paid back, and its goods come back later', async () => {
    const { orderId, productIds } = await paid()
    const [first, second] = productIds.map(id => `stock-${id}`)
    breakStream(`${first}`)
    const answer = await accepted(cancelOrder.run(app, { orderId }, envelope()))
    expect(answer.result).toMatchObject({ status: 'cancelled' })
    expect(refunds).toBe(1)
    expect(await typesOf(`${second}`)).toContain('ReservationReleased')
    mend()
    await runOrderProcess(app, orderId, asSystem())
    expect((await typesOf(`${first}`)).filter(type => type === 'ReservationReleased')).toHaveLength(
      1,
    )
  })

  it('an order is shipped and delivered', async () => {
    const { orderId, productIds } = await paid()
    breakStream(`stock-${productIds[0]}`)
    for (const status of ['shipped', 'delivered'] as const) {
      const moved = updateOrderStatus.run(app, { orderId, status }, envelope('admin'))
      expect((await accepted(moved)).result).toMatchObject({ status })
    }
    mend()
    await runOrderProcess(app, orderId, asSystem())
    expect((await typesOf(`stock-${productIds[0]}`)).at(-1)).toBe('ReservationCommitted')
  })

  it('an order is paid although its cart cannot be read', async () => {
    const item = { productId: await product(), quantity: 2 }
    await accepted(execute(app, addToCart, item, envelope()))
    const { id: orderId } = await accepted(placeOrder.run(app, delivery, envelope()))
    breakStream('cart-')
    const answer = await accepted(payOrder.run(app, { orderId }, envelope()))
    expect(answer.result).toMatchObject({ status: 'paid' })
  })

  it('an order is paid back in whole', async () => {
    const { orderId, productIds } = await paid()
    breakStream(`stock-${productIds[0]}`)
    const input = { orderId, reason: 'Broken in transit' }
    const answer = await accepted(refundOrder.run(app, input, envelope('admin')))
    expect(answer.result).toMatchObject({ refund: { state: 'paid' } })
  })

  it('what a provider reports of a payment is recorded', async () => {
    charges = 'processing'
    const item = { productId: await product(), quantity: 2 }
    await accepted(execute(app, addToCart, item, envelope()))
    const { id: orderId } = await accepted(placeOrder.run(app, delivery, envelope()))
    await accepted(payOrder.run(app, { orderId }, envelope()))
    const { state } = await app.orders.load(orderId)
    const paymentId = state.status === 'none' ? null : (state.openPayment?.paymentId ?? null)
    breakStream('cart-')
    const about = { callbackId: newId(), orderId, paymentId, reference: 'r', reason: '' }
    const acted = await takeCallback(app, { ...about, kind: 'payment.captured' })
    expect(acted).toMatchObject({ outcome: 'recorded', findings: [] })
  })

  it('an order is acknowledged once it is placed, and the same key gets it then', async () => {
    const productId = await product()
    const asked = envelope()
    const place = () =>
      accepted(placeOrder.run(app, { items: [{ productId, quantity: 1 }], ...delivery }, asked))
    breaksAfter = ['OrderSubmitted', `stock-${productId}`]
    const orderId = derivedId(asked.commandId, 'order')
    await expect(place()).rejects.toSatisfy(isUnreadable)
    await expect(place()).rejects.toSatisfy(isUnreadable)
    const driven = await runOrderProcess(app, orderId, asSystem())
    expect(driven).toMatchObject({ order: { status: 'submitted' } })
    expect(driven?.blockedBy).toBeInstanceOf(Error)
    mend()
    const done = await runOrderProcess(app, orderId, asSystem())
    expect(done).toMatchObject({ order: { status: 'pending' }, blockedBy: undefined })
    expect(await place()).toMatchObject({ id: orderId, result: { status: 'pending' } })
  })

  it('a product is for sale although an order that runs out holds another', async () => {
    const { orderId, productIds } = await ordered()
    const at = new Date(Date.now() + 7 * 86_400_000)
    breakStream(`stock-${productIds[0]}`)
    const items = [{ productId: `${productIds[1]}`, quantity: 50 }]
    const asked = { ...envelope(), at }
    const bought = await accepted(placeOrder.run(app, { items, ...delivery }, asked))
    expect(bought.result).toMatchObject({ status: 'pending' })
    expect((await app.orders.load(orderId)).state).toMatchObject({ status: 'expired' })
    const late = cancelOrder.run(app, { orderId }, asked)
    expect(await late).toMatchObject({ rejected: expect.stringMatching(/^order\//) })
  })

  it('a product is for sale although an order that holds it cannot be read', async () => {
    const { orderId, productIds } = await ordered()
    const at = new Date(Date.now() + 7 * 86_400_000)
    breakStream(`order-${orderId}`)
    const buy = (quantity: number) => {
      const items = [{ productId: `${productIds[0]}`, quantity }]
      return placeOrder.run(app, { items, ...delivery }, { ...envelope(), at })
    }
    expect(await buy(50)).toMatchObject({ rejected: 'order/out-of-stock' })
    expect((await accepted(buy(49))).result).toMatchObject({ status: 'pending' })
  })

  it('a category is deleted, and a product created once', async () => {
    const naming = { name: 'Lamps' }
    const { id } = await accepted(createCategory.run(app, naming, asSystem()))
    breaksAfter = ['CategoryDeleted', 'categoryName-']
    const remove = deleteCategory(async () => 0)
    expect((await accepted(remove.run(app, { categoryId: id }, asSystem()))).id).toBe(id)
    mend()
    await accepted(createCategory.run(app, naming, asSystem()))

    const made = asSystem()
    const input = { name: 'Lamp', price: gbp(425), stock: 5 }
    const first = await accepted(createProduct.run(app, input, made))
    breakStream('stock-')
    expect((await accepted(createProduct.run(app, input, made))).id).toBe(first.id)
  })

  it('an import stops rather than call an order done', async () => {
    const productId = await product()
    const line = {
      productId,
      sku: 'L-1',
      name: 'Lamp',
      quantity: 1,
      unitPrice: gbp(1),
      total: gbp(1),
    }
    const order = { orderId: newId(), orderNumber: '536365', customerId, currency: 'GBP' }
    const input = { ...order, lines: [line], charges: [], country: null }
    const importing = () =>
      importOrder.run(app, input, { ...asSystem(), commandId: order.orderId, source: 'ledger' })
    breakStream(`stock-${productId}`)
    await expect(importing()).rejects.toThrow(`stock-${productId}`)
    mend()
    expect((await accepted(importing())).id).toBe(order.orderId)
    expect((await app.orders.load(order.orderId)).state).toMatchObject({ status: 'delivered' })
  })
})
