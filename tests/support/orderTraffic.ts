// Customers who order, pay and cancel as random decides, and what they were told.
import { join } from 'node:path'
import { expect } from 'vitest'
import { createAdmin } from '../../src/commands/account/accounts.ts'
import { isRejection } from '../../src/domain/kernel/rejection.ts'
import type { AppServices } from '../../src/main/openServices.ts'
import { delivery, gbp } from './goods.ts'
import { type Decided, type PersistentClient, persistentClient } from './persistentClient.ts'
import type { Random } from './random.ts'
import { password } from './testApp.ts'

export interface Customer extends PersistentClient {
  id: string
  token: string
}

/** An order that was acknowledged, by whom, and what else was acknowledged about it. */
export interface Acknowledged {
  orderId: string
  customerId: string
  done: string[]
}

export interface Traffic {
  random: Random
  admin: PersistentClient
  adminToken: string
  customers: Customer[]
  products: string[]
  placed: Acknowledged[]
  refused: number
  /** Orders that were asked for once, without an answer. */
  abandoned: number
  /** Requests that had to be asked more than once. */
  unknowns: number
}

/** How a shop is reached: any of its nodes, and its commands without HTTP. */
export interface Reach {
  url(): string
  back: AppServices
  directory: string
}

async function signIn(url: string, path: string, body: object) {
  const response = await fetch(`${url}/api/auth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, password }),
  })
  const { user, tokens } = JSON.parse(await response.text())
  return { id: String(user.id), token: String(tokens.access) }
}

/** An admin, customers, and three products, of which the last one is scarce. */
export async function startTraffic(
  { url, back, directory }: Reach,
  random: Random,
  size: { customers: number; scarce: number },
): Promise<Traffic> {
  const who = { username: 'admin', email: 'admin@example.com' }
  const made = await createAdmin(back.app, back.accounts, {
    ...who,
    password: async () => password,
  })
  if (isRejection(made)) throw new Error(made.detail)
  const history = join(directory, 'history.ndjson')
  const { token } = await signIn(url(), 'login', { username: 'admin' })
  const admin = persistentClient(url, token, history)
  const customers: Customer[] = []
  for (let number = 0; number < size.customers; number += 1) {
    const name = `shopper-${number}`
    const person = await signIn(url(), 'register', { username: name, email: `${name}@example.com` })
    customers.push({ ...person, ...persistentClient(url, person.token, history) })
  }
  const products: string[] = []
  for (const stock of [100_000, 100_000, size.scarce]) {
    const product = { name: `Lantern ${stock}`, price: gbp(425), stock }
    const { body } = await admin.decide('POST', '/products', product)
    products.push(String(body.id))
  }
  const counts = { refused: 0, abandoned: 0, unknowns: 0 }
  return { random, admin, adminToken: token, customers, products, placed: [], ...counts }
}

/** One customer's order, from a cart or not, and perhaps what comes after it. */
export async function shopOnce(traffic: Traffic, customer: Customer): Promise<void> {
  const { random, admin } = traffic
  const count = (decided: Decided) => {
    if (decided.attempts > 1) traffic.unknowns += 1
    return decided
  }
  const [first = '', second = '', scarce = ''] = traffic.products
  const productId = random.pick([first, first, second, second, second, scarce])
  const item = { productId, quantity: random.between(1, 2) }
  const fromCart = random.next() < 0.5
  if (fromCart) count(await customer.decide('POST', '/cart/items', item))
  const body = fromCart ? delivery : { ...delivery, items: [item, item] }
  // Some never ask again: what became of their orders is for the workers to settle.
  const ask = random.next() < 0.3 ? customer.once : customer.decide
  const order = await ask('POST', '/orders', body)
  if (order === undefined) {
    traffic.abandoned += 1
    return
  }
  count(order)
  const { orderId } = order.body
  if (order.status !== 201 || orderId === undefined) {
    expect(JSON.stringify(order.body)).toMatch(/out-of-stock|cart\/(empty|changed)/)
    traffic.refused += 1
    if (fromCart) count(await customer.decide('DELETE', '/cart', undefined))
    return
  }
  const acknowledged: Acknowledged = { orderId, customerId: customer.id, done: [] }
  traffic.placed.push(acknowledged)
  const fate = random.pick(['wait', 'pay', 'ship', 'cancel', 'cancel paid'])
  const path = `/orders/${orderId}`
  const note = (step: string, decided: Decided) => {
    if (count(decided).status < 300) acknowledged.done.push(step)
  }
  if (fate !== 'wait' && fate !== 'cancel') {
    note('paid', await customer.decide('POST', `${path}/pay`, {}))
  }
  if (fate === 'ship') {
    note('shipped', await admin.decide('PATCH', `${path}/status`, { status: 'shipped' }))
  }
  if (fate.startsWith('cancel')) {
    note('cancelled', await customer.decide('POST', `${path}/cancel`, {}))
  }
}
