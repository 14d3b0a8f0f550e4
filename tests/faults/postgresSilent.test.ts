// Connections to PostgreSQL that go silent: the shop is back by itself, and no order is lost or
// placed twice.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { positionOf } from '../../src/projections/core/checkpoints.ts'
import { atRest, findings } from '../support/auditing.ts'
import { delivery, newProduct } from '../support/goods.ts'
import { type PersistentClient, persistentClient } from '../support/persistentClient.ts'
import { type ProxiedApp, startProxiedApp } from '../support/proxiedApp.ts'
import { waitFor } from '../support/waitFor.ts'

/** The shop has to be back in fifteen seconds; the rest is for a slow machine. */
const backWithinMs = 25_000

let proxied: ProxiedApp
let productId: string
let shoppers: PersistentClient[]
/** The order of each key that was answered. */
const placed = new Map<string, string>()

beforeAll(async () => {
  proxied = await startProxiedApp()
  const { app } = proxied
  productId = (await newProduct(app, { stock: 100_000 })).id
  const people = await Promise.all(Array.from({ length: 6 }, () => app.person()))
  const history = join(app.config.filesDirectory, '..', 'history.ndjson')
  shoppers = people.map(({ access }) => persistentClient(() => app.url, access, history))
}, 60_000)
afterAll(() => proxied?.close(), 60_000)

async function order(shopper: PersistentClient): Promise<void> {
  const body = { ...delivery, items: [{ productId, quantity: 1 }] }
  const { key, status, body: answer } = await shopper.decide('POST', '/orders', body)
  expect(status, JSON.stringify(answer)).toBe(201)
  placed.set(key, String(answer.orderId))
}

/** Has all shoppers order until `isOver`; resolves once their last orders are decided. */
async function orderUntil(isOver: () => boolean): Promise<void> {
  await Promise.all(
    shoppers.map(async shopper => {
      while (!isOver()) await order(shopper)
    }),
  )
}

/** Every answered order is in the read models, under one key each. */
async function expectNothingLost(): Promise<void> {
  const { db, eventStore, pool } = proxied.app.back
  await waitFor('the read models', async () => {
    const [head, position] = [await eventStore.head(), await positionOf(db, 'orders')]
    return position === head
  })
  const { rows } = await pool.query<{ order_id: string }>('select order_id from orders')
  expect(new Set(placed.values()).size).toBe(placed.size)
  expect(rows.map(row => row.order_id).sort()).toEqual([...placed.values()].sort())
}

/** Has all shoppers order while `fault` is done; new orders are answered soon after it. */
async function orderThrough(fault: () => unknown): Promise<void> {
  let isOver = false
  const ordering = orderUntil(() => isOver)
  try {
    const before = placed.size
    await waitFor('orders', () => placed.size > before + 20)
    await fault()
    // What had its answer on the way may still arrive.
    const answered = placed.size
    await waitFor('new orders', () => placed.size > answered + 20, backWithinMs)
  } finally {
    isOver = true
    await ordering
  }
  await expectNothingLost()
}

// The other directions are for a longer look: FAULTS=all.
const directions = process.env.FAULTS === 'all' ? (['to the server', 'both'] as const) : []

describe('connections that go silent', () => {
  it.each(['to the client', ...directions] as const)(
    'while commands are in flight (%s), the shop is back and nothing is lost',
    direction => orderThrough(() => proxied.postgres.silence(direction)),
    90_000,
  )

  it('while nothing is asked, the next orders are placed', async () => {
    await expectNothingLost()
    proxied.postgres.silence()
    const began = performance.now()
    await Promise.all(shoppers.map(order))
    expect(performance.now() - began).toBeLessThan(backWithinMs)
    await expectNothingLost()
  }, 90_000)

  it(
    'while new ones are not answered either, the shop is back when they are',
    () =>
      orderThrough(async () => {
        const { postgres } = proxied
        postgres.hang(true)
        postgres.silence()
        const opened = postgres.opened()
        await waitFor('new connections', () => postgres.opened() > opened)
        postgres.hang(false)
      }),
    90_000,
  )

  it('leave books that are in order', async () => {
    await atRest(proxied.app.back, 60_000)
    expect(await findings(proxied.app.back)).toEqual([])
  }, 90_000)
})
