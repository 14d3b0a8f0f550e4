// kill -9 of the one process while orders come in: nothing is lost, doubled or left half-way.
import { appendFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { createAdmin } from '../../src/commands/accounts.ts'
import { isRejection } from '../../src/domain/rejection.ts'
import { atRest, findings } from '../support/auditing.ts'
import { type CrashingShop, crashingShop } from '../support/crashingShop.ts'
import { delivery, gbp } from '../support/goods.ts'
import {
  type Decided,
  type PersistentClient,
  persistentClient,
} from '../support/persistentClient.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { password } from '../support/testShop.ts'
import { waitFor } from '../support/waitFor.ts'

const rounds = Number(process.env.CRASH_ROUNDS ?? 8)
const ordersARound = 25
const shoppers = 8
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000_000)

let shop: CrashingShop | undefined
afterEach(() => shop?.close(), 60_000)

interface Scene {
  shop: CrashingShop
  random: Random
  admin: PersistentClient
  customers: PersistentClient[]
  products: string[]
  placed: string[]
  refused: number
  abandoned: number
  unknowns: number
}

async function signIn(url: string, path: string, body: object): Promise<string> {
  const response = await fetch(`${url}/api/auth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, password }),
  })
  return JSON.parse(await response.text()).tokens.access
}

async function setTheScene(running: CrashingShop, random: Random): Promise<Scene> {
  const { url, directory } = running
  const back = await running.back()
  const who = { username: 'admin', email: 'admin@example.com' }
  const made = await createAdmin(back.shop, back.accounts, {
    ...who,
    password: async () => password,
  })
  if (isRejection(made)) throw new Error(made.detail)
  const history = join(directory, 'history.ndjson')
  const client = (token: string) => persistentClient(url, token, history)
  const admin = client(await signIn(url, 'login', { username: 'admin' }))
  const customers: PersistentClient[] = []
  for (let number = 0; number < shoppers; number += 1) {
    const name = `shopper-${number}`
    const account = { username: name, email: `${name}@example.com` }
    customers.push(client(await signIn(url, 'register', account)))
  }
  const products: string[] = []
  for (const stock of [100_000, 100_000, rounds * 2]) {
    const product = { name: `Lantern ${stock}`, price: gbp(425), stock }
    const { body } = await admin.decide('POST', '/products', product)
    products.push(String(body.id))
  }
  const counts = { placed: [], refused: 0, abandoned: 0, unknowns: 0 }
  return { shop: running, random, admin, customers, products, ...counts }
}

/** One customer's order, from a cart or not, and perhaps what comes after it. */
async function shopOnce(scene: Scene, customer: PersistentClient): Promise<void> {
  const { random, admin } = scene
  const count = ({ attempts }: Decided) => {
    if (attempts > 1) scene.unknowns += 1
  }
  const [first = '', second = '', scarce = ''] = scene.products
  const productId = random.pick([first, first, second, second, second, scarce])
  const item = { productId, quantity: random.between(1, 2) }
  const fromCart = random.next() < 0.5
  if (fromCart) count(await customer.decide('POST', '/cart/items', item))
  const body = fromCart ? delivery : { ...delivery, items: [item, item] }
  // Some never ask again: what became of their orders is for the workers to settle.
  const ask = random.next() < 0.3 ? customer.once : customer.decide
  const order = await ask('POST', '/orders', body)
  if (order === undefined) {
    scene.abandoned += 1
    return
  }
  count(order)
  const { orderId } = order.body
  if (order.status !== 201 || orderId === undefined) {
    expect(JSON.stringify(order.body)).toMatch(/out-of-stock|cart\/empty/)
    scene.refused += 1
    if (fromCart) count(await customer.decide('DELETE', '/cart', undefined))
    return
  }
  scene.placed.push(orderId)
  const fate = random.pick(['wait', 'pay', 'ship', 'cancel', 'cancel paid'])
  const path = `/orders/${orderId}`
  if (fate !== 'wait' && fate !== 'cancel') count(await customer.decide('POST', `${path}/pay`, {}))
  if (fate === 'ship') count(await admin.decide('PATCH', `${path}/status`, { status: 'shipped' }))
  if (fate.startsWith('cancel')) count(await customer.decide('POST', `${path}/cancel`, {}))
}

/** A round of orders by all customers at once, in the middle of which the process is killed. */
async function crashRound(scene: Scene): Promise<{ kills: number }> {
  const { random } = scene
  let left = ordersARound
  const shopping = scene.customers.map(async customer => {
    while (left > 0) {
      left -= 1
      await shopOnce(scene, customer)
    }
  })
  let kills = 1
  await pause(random.between(5, 700))
  await scene.shop.kill()
  // Now and then it is killed again while it starts.
  if (random.next() < 0.3) {
    scene.shop.begin()
    await pause(random.between(50, 2_000))
    await scene.shop.kill()
    kills += 1
  }
  await scene.shop.start()
  await Promise.all(shopping)
  return { kills }
}

async function placedMails(directory: string): Promise<string[]> {
  const folder = join(directory, 'mails')
  const files = (await readdir(folder)).filter(name => name.endsWith('.eml'))
  const texts = await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))
  return texts.flatMap(text => /^Message-ID:\s+<([\w-]+)\.order-placed@/im.exec(text)?.[1] ?? [])
}

it(
  `loses and doubles nothing in ${rounds} rounds of ${ordersARound} orders`,
  async () => {
    const random = randomFrom(seed)
    console.log(`CRASH_SEED=${seed}`)
    shop = await crashingShop()
    await shop.start()
    const scene = await setTheScene(shop, random)
    let kills = 0
    for (let round = 0; round < rounds; round += 1) kills += (await crashRound(scene)).kills

    const back = await shop.back()
    await atRest(back, 60_000)
    expect(await findings(back)).toEqual([])

    const { rows } = await back.pool.query<{ order_id: string }>(
      `select order_id from orders where status <> 'rejected'`,
    )
    const known = new Set(rows.map(row => row.order_id))
    expect(scene.placed.filter(orderId => !known.has(orderId))).toEqual([])
    expect(new Set(scene.placed).size).toBe(scene.placed.length)
    // What nobody was told about is at most what nobody waited for.
    const untold = known.size - scene.placed.length
    expect(untold).toBeLessThanOrEqual(scene.abandoned)
    const { placed, refused, abandoned } = scene
    expect(placed.length + refused + abandoned).toBe(rounds * ordersARound)

    const { rows: charges } = await back.pool.query<{ payment_id: string; order_id: string }>(
      `select payment_id, order_id from shop.simulated_payments where status = 'captured'`,
    )
    expect(new Set(charges.map(charge => charge.order_id)).size).toBe(charges.length)
    const { rows: booked } = await back.pool.query<{ payment_id: string }>(
      `select data->>'paymentId' as payment_id from eventstore.events where type = 'OrderPaid'`,
    )
    expect(charges.map(each => each.payment_id).sort()).toEqual(
      booked.map(each => each.payment_id).sort(),
    )

    const { directory } = shop
    const mails = await waitFor('every mail', async () => {
      const sent = await placedMails(directory)
      return new Set(sent).size >= known.size ? sent : undefined
    })
    expect(new Set(mails).size).toBe(known.size)
    const figures = {
      seed,
      kills,
      orders: scene.placed.length,
      refused: scene.refused,
      abandoned: scene.abandoned,
      ofWhichPlaced: untold,
      unknownsRetried: scene.unknowns,
      lost: 0,
      doubledMails: mails.length - new Set(mails).size,
    }
    console.log(JSON.stringify(figures))
    if (process.env.CRASH_REPORT)
      appendFileSync(process.env.CRASH_REPORT, `${JSON.stringify(figures)}\n`)
    // A mail may go out twice only when its process died between sending it and writing that down.
    expect(figures.doubledMails).toBeLessThanOrEqual(kills * 3)
  },
  60_000 + rounds * 15_000,
)
