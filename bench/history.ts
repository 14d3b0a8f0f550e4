// A log as a busy shop would have it: made by the real commands, then repeated under other names
// until it is as long as is wanted. The same length gives the same streams, types and order.

import { hash } from 'node:crypto'
import { addToCart } from '../src/commands/cart/cart.ts'
import { createProduct } from '../src/commands/catalogue/products.ts'
import type { App } from '../src/commands/core/app.ts'
import type { Command, execute } from '../src/commands/core/command.ts'
import { digestOf } from '../src/commands/core/ids.ts'
import { createApp } from '../src/commands/createApp.ts'
import { registerCustomer } from '../src/commands/customer/customer.ts'
import { payOrder, updateOrderStatus } from '../src/commands/order/order.ts'
import { placeOrder } from '../src/commands/order/placeOrder.ts'
import { isRejection } from '../src/domain/kernel/rejection.ts'
import type { Actor } from '../src/domain/kernel/types.ts'
import { memoryEventStore } from '../src/eventstore/memory/memory.ts'
import { streamCaches } from '../src/infra/caching/caches.ts'
import type { Pool } from '../src/infra/postgres/database.ts'
import type { AppServices } from '../src/main/openServices.ts'
import type { Envelope } from '../src/ports/envelope.ts'
import { rate } from './harness.ts'
import { writeBlocks } from './historyBlocks.ts'
import { delivery } from './people.ts'

const blockEvents = 100_000
const eventsAStory = 14
const products = 200
const customers = 500
const inFlight = 64
const firstDay = Date.UTC(2026, 0, 1)

/**
 * Writes a log of exactly so many events into a database that has none. An eighth of the orders is
 * delivered, an eighth is only shipped, the others are pending or paid.
 */
export async function writeHistory(
  back: AppServices,
  { pool, events }: { pool: Pool; events: number },
): Promise<void> {
  const eventStore = memoryEventStore()
  const app = createApp({
    eventStore,
    codec: back.codec,
    cache: streamCaches(1_000_000),
    fingerprint: digestOf,
    clock: { now: () => new Date(firstDay) },
    payments: back.app.payments,
    currency: back.app.currency,
    orderExpiryMs: 365 * 86_400_000,
  })
  const stories = Math.ceil(Math.min(events, blockEvents) / eventsAStory)
  const people = Array.from({ length: customers }, (_, index) => idFor('customer', index))
  await rate({ total: customers, inFlight }, index => registerOne(app, people[index] ?? '', index))
  const goods: string[] = []
  await rate({ total: products, inFlight }, async index => {
    goods[index] = await listOne(app, index)
  })
  await rate({ total: stories, inFlight }, index => tellStory(app, { people, goods, index }))
  const block = []
  for await (const event of eventStore.readAll()) block.push(event)
  await writeBlocks(pool, { block, keep: new Set(people), events })
}

function registerOne(app: App, customerId: string, index: number) {
  const input = { customerId, username: `h-${index}`, email: `h-${index}@example.com` }
  return ask(app, registerCustomer, input, envelopeFor('register', index))
}

async function listOne(app: App, index: number): Promise<string> {
  const price = { amount: 100 + index * 7, currency: app.currency }
  const input = { name: `Lantern ${index}`, price, stock: 1_000_000 }
  return (await ask(app, createProduct, input, envelopeFor('product', index))).id
}

interface Story {
  people: readonly string[]
  goods: readonly string[]
  index: number
}

/** Two products into the cart, an order, and what becomes of it. */
async function tellStory(app: App, { people, goods, index }: Story): Promise<void> {
  const id = people[index % people.length] ?? ''
  const actor: Actor = { role: 'customer', id, roles: ['customer'] }
  const own = (step: string) => ({ ...envelopeFor(`${step}`, index), actor })
  for (const line of [0, 1]) {
    const productId = goods[(index * 2 + line) % goods.length] ?? ''
    await ask(app, addToCart, { productId, quantity: 1 + line }, own(`add ${line}`))
  }
  const { id: orderId } = await ask(app, placeOrder, delivery, own('place'))
  if (index % 2 === 1) return
  await ask(app, payOrder, { orderId }, own('pay'))
  if (index % 4 === 2) return
  const moves = index % 8 === 0 ? (['shipped', 'delivered'] as const) : (['shipped'] as const)
  for (const status of moves) {
    await ask(app, updateOrderStatus, { orderId, status }, envelopeFor(status, index))
  }
}

async function ask<Schema extends Parameters<typeof execute>[1]['input']>(
  app: App,
  command: Command<Schema>,
  input: Parameters<typeof command.run>[1],
  envelope: Envelope,
) {
  const answer = await command.run(app, input, envelope)
  if (isRejection(answer)) throw new Error(`${command.name}: ${answer.detail}`)
  return answer
}

/** As the shop itself, at a time that goes with the index. */
function envelopeFor(step: string, index: number): Envelope {
  const commandId = idFor(step, index)
  return {
    commandId,
    correlationId: commandId,
    causationId: commandId,
    actor: { role: 'system', id: 'bench' },
    at: new Date(firstDay + index * 1_000),
    // Nobody is to get a million mails.
    source: 'bench',
  }
}

/** An id that is always the same, in the shape and order of those that are drawn: a UUIDv7. */
function idFor(what: string, index: number): string {
  const time = (firstDay + index * 1_000).toString(16).padStart(12, '0')
  const digest = hash('sha256', `${what}/${index}`, 'hex')
  const random = `7${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`
  return `${time.slice(0, 8)}-${time.slice(8)}-${random}`
}
