// Row 4. Path: PlaceOrder over HTTP, 64 connections: POST /orders turns a cart of two lines into an
// order that is pending, its stock promised. Carts are filled before the clock starts; a second
// figure counts the whole way, with the two requests that fill the cart. Limit: the least that the
// work needs, a bare route that validates the same body, checks the same token, asks for the heads
// of the same streams and appends the same events in the same dependent round trips. Bars: at least
// 55 % of it, and p99 within 80 ms.

import { fill } from './addToCart.ts'
import { bareCandidates, bareLimit } from './bareLimits.ts'
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { type LeastWork, recordLeastWork } from './leastWork.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { delivery, newProducts, newShoppers, type Shopper } from './people.ts'

const connections = 64
const lines = 2
const path = 'PlaceOrder'
const whole = 'two AddToCart and PlaceOrder'

export function placeOrder(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    const { app, quick } = { ...http, ...bench }
    const perConnection = quick ? 10 : 30
    const products = await newProducts(app.back, { count: 1_000, stock: 1_000_000 })
    const shoppers = await newShoppers(app.back, connections * perConnection)
    const work = await leastWork(bench, http, products)
    const candidates = await candidatesOf(http, { products, shoppers, bench, work })
    const measured = await interleave(candidates, roundsFor(quick))
    const p99 = `${path}, p99`
    return {
      name: 'placeOrder',
      measured,
      verdicts: [
        judge(measured, { row: 4, path, of: path, to: bareLimit, bar: { atLeast: 0.55 } }),
        judge(measured, { row: 4, path: p99, of: p99, bar: { atMost: 80 } }),
        judge(measured, { row: 4, path: `orders by ${whole}`, of: whole, to: bareLimit }),
      ],
      notes: [
        `${perConnection} customers each, orders of ${lines} of ${products.length} products`,
        'no worker runs',
      ],
    }
  })
}

/** What placing an order from a cart of two lines has written. */
async function leastWork(
  { database }: Bench,
  { app, loader }: HttpBench,
  products: string[],
): Promise<LeastWork> {
  const [shopper] = await newShoppers(app.back, 1)
  if (shopper === undefined) throw new Error('nobody to record a PlaceOrder of')
  const filling = [fill(shopper, products, { from: 0, lines })]
  await loader.run('filling a cart', { url: app.url, lanes: filling, expects: [201] })
  return recordLeastWork(database, app, {
    command: 'PlaceOrder',
    call: order(shopper),
    customer: shopper.id,
    products: products.slice(0, lines),
    catalogue: products,
  })
}

interface Given {
  products: readonly string[]
  shoppers: readonly Shopper[]
  bench: Bench
  work: LeastWork
}

async function candidatesOf(
  http: HttpBench,
  { products, shoppers, bench, work }: Given,
): Promise<Candidate[]> {
  const { app, loader } = http
  const fills = shoppers.map((shopper, at) => fill(shopper, products, { from: at * lines, lines }))
  const orders = shoppers.map(order)
  const filling = lanesOf(fills)
  const ordering = lanesOf(orders.map(call => [call]))
  const all = lanesOf(fills.map((calls, at) => [...calls, ...orders.slice(at, at + 1)]))
  const forMs = bench.quick ? 1_000 : 3_000
  const limits = await bareCandidates(http, work, {
    database: bench.database,
    lanes: ordering,
    forMs,
  })
  const send = (name: string, lanes: Call[][]) =>
    loader.run(name, { url: app.url, lanes, expects: [201] })
  return [
    ...limits,
    ...loadCandidates(path, async () => {
      await send('filling carts', filling)
      return send(path, ordering)
    }),
    {
      name: whole,
      unit: 'orders/s',
      run: async () => (await send(whole, all)).perSecond / (lines + 1),
    },
  ]
}

function order({ token }: Shopper): Call {
  return { method: 'POST', path: '/api/orders', token, body: delivery, keyed: true }
}

/** Deals what customers do out to the connections. */
function lanesOf(calls: readonly Call[][]): Call[][] {
  return Array.from({ length: connections }, (_, lane) =>
    calls.filter((_calls, at) => at % connections === lane).flat(),
  )
}
