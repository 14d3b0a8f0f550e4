// Shoppers and goods of a benchmark, made through the shop's own commands.
import { createAdmin } from '../src/commands/account/accounts.ts'
import { createProduct } from '../src/commands/catalogue/products.ts'
import { execute } from '../src/commands/core/command.ts'
import { systemEnvelope } from '../src/commands/core/envelope.ts'
import { newId } from '../src/commands/core/ids.ts'
import { registerCustomer } from '../src/commands/customer/customer.ts'
import { placeOrder } from '../src/commands/order/placeOrder.ts'
import { isRejection } from '../src/domain/kernel/rejection.ts'
import type { AppServices } from '../src/main/openServices.ts'
import { rate } from './harness.ts'

export interface Shopper {
  id: string
  token: string
}

export const delivery = { shippingAddress: '1 High Street, Leeds', phoneNumber: '+44 113 000000' }
const inFlight = 64

/**
 * Customers who are signed in. Their passwords are none: hashing one takes as long as everything
 * else that a benchmark does for them.
 */
export async function newShoppers(
  { app, accounts }: AppServices,
  count: number,
): Promise<Shopper[]> {
  const shoppers: Shopper[] = []
  await rate({ total: count, inFlight }, async index => {
    const customerId = newId()
    const names = { username: `b-${customerId}`, email: `${customerId}@example.com` }
    await accounts.accounts.reserve({ customerId, ...names, passwordHash: 'none' })
    const envelope = systemEnvelope('bench', new Date())
    const made = await execute(app, registerCustomer, { customerId, ...names }, envelope)
    if (isRejection(made)) throw new Error(made.detail)
    await accounts.accounts.confirm(customerId)
    const { family: sessionId } = await accounts.sessions.open(customerId)
    const claims = { customerId, roles: ['customer' as const], sessionId }
    shoppers[index] = { id: customerId, token: await accounts.tokens.issueAccess(claims) }
  })
  return shoppers
}

/** Products with so many pieces each; their ids. */
export async function newProducts(
  { app }: AppServices,
  { count, stock }: { count: number; stock: number },
): Promise<string[]> {
  const ids: string[] = []
  await rate({ total: count, inFlight }, async index => {
    const price = { amount: 425 + (index % 1_000), currency: app.currency }
    const input = { name: `Lantern ${index}`, description: 'Brass and glass.', price, stock }
    const made = await execute(app, createProduct, input, systemEnvelope('bench', new Date()))
    if (isRejection(made)) throw new Error(made.detail)
    ids[index] = made.id
  })
  return ids
}

/** Orders that are pending, two lines each: their ids by who placed them. */
export async function newOrders(
  { app }: AppServices,
  wanted: { shoppers: readonly Shopper[]; products: readonly string[]; each: number },
): Promise<string[][]> {
  const { shoppers, products, each } = wanted
  const orders = shoppers.map((): string[] => [])
  await rate({ total: shoppers.length * each, inFlight }, async index => {
    const owner = index % shoppers.length
    const items = [0, 1].map(line => ({
      productId: products[(index * 2 + line) % products.length] ?? '',
      quantity: 1,
    }))
    const id = shoppers[owner]?.id ?? ''
    const envelope = {
      ...systemEnvelope('bench', new Date()),
      actor: { role: 'customer' as const, id, roles: ['customer' as const] },
    }
    const made = await execute(app, placeOrder, { ...delivery, items }, envelope)
    if (isRejection(made)) throw new Error(made.detail)
    orders[owner]?.push(made.id)
  })
  return orders
}

/** The token of an admin who has signed in. */
export async function newAdmin({ app, accounts }: AppServices, url: string): Promise<string> {
  const password = 'correct horse battery staple'
  const who = { username: 'admin', email: 'admin@example.com', password: async () => password }
  const made = await createAdmin(app, accounts, who)
  if (isRejection(made)) throw new Error(made.detail)
  const answer = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password }),
  })
  const body: { tokens?: { access: string } } = JSON.parse(await answer.text())
  if (body.tokens === undefined) throw new Error(`the admin cannot sign in: ${answer.status}`)
  return body.tokens.access
}
