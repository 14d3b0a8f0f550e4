// Row 4. Path: PlaceOrder over HTTP, 64 connections: POST /orders turns a cart of two lines into an
// order that is pending, its stock promised. Carts are filled before the clock starts; a second
// figure counts the whole way, with the two requests that fill the cart. Limit: a POST that is
// validated and echoed. Bar: at least 8 % of it, and p99 within 80 ms.

import { fill } from './addToCart.ts'
import type { Bench } from './benchmark.ts'
import { type Candidate, interleave, judge, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { delivery, newProducts, newShoppers, type Shopper } from './people.ts'

const connections = 64
const lines = 2
const path = 'PlaceOrder'
const whole = 'two AddToCart and PlaceOrder'
const limit = 'validated POST, echoed'

export function placeOrder(bench: Bench): Promise<Report> {
  return withHttp(bench, async http => {
    const { app, quick } = { ...http, ...bench }
    const perConnection = quick ? 10 : 30
    const products = await newProducts(app.back, { count: 1_000, stock: 1_000_000 })
    const shoppers = await newShoppers(app.back, connections * perConnection)
    const candidates = await candidatesOf(http, { products, shoppers, quick })
    const measured = await interleave(candidates, roundsFor(quick))
    const p99 = `${path}, p99`
    return {
      name: 'placeOrder',
      measured,
      verdicts: [
        judge(measured, { row: 4, path, of: path, to: limit, bar: { atLeast: 0.08 } }),
        judge(measured, { row: 4, path: p99, of: p99, bar: { atMost: 80 } }),
        judge(measured, { row: 4, path: `orders by ${whole}`, of: whole, to: limit }),
      ],
      notes: [
        `${perConnection} customers each, orders of ${lines} of ${products.length} products`,
        'no worker runs',
      ],
    }
  })
}

interface Given {
  products: readonly string[]
  shoppers: readonly Shopper[]
  quick: boolean
}

async function candidatesOf(
  { app, loader, startLimits }: HttpBench,
  { products, shoppers, quick }: Given,
): Promise<Candidate[]> {
  const limits = await startLimits()
  const fills = shoppers.map((shopper, at) => fill(shopper, products, { from: at * lines, lines }))
  const orders = shoppers.map(order)
  const filling = lanesOf(fills)
  const ordering = lanesOf(orders.map(call => [call]))
  const all = lanesOf(fills.map((calls, at) => [...calls, ...orders.slice(at, at + 1)]))
  const echoes = filling.map(calls => calls.map(call => ({ ...call, path: '/echo' })))
  const forMs = quick ? 700 : 3_000
  const send = (name: string, lanes: Call[][]) =>
    loader.run(name, { url: app.url, lanes, expects: [201] })
  return [
    ...loadCandidates(limit, () =>
      loader.run(limit, { url: limits.url, lanes: echoes, expects: [200], forMs }),
    ),
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
