// Row 3. Path: AddToCart over HTTP, 64 connections, each with a customer whose cart is warm. Limit:
// a POST that is validated and echoed. Bar: at least 35 % of it, and p99 within 25 ms.
import type { AppServices } from '../src/main/openServices.ts'
import type { Bench } from './benchmark.ts'
import { interleave, judge, type Report, roundsFor } from './harness.ts'
import { withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { newProducts, newShoppers, type Shopper } from './people.ts'

const connections = 64
const linesMax = 5
const path = 'AddToCart'
const limit = 'validated POST, echoed'

export function addToCart(bench: Bench): Promise<Report> {
  return withHttp(bench, async ({ app, loader, startLimits }) => {
    const limits = await startLimits()
    const lanes = await cartLanes(app.back, connections)
    const echoes = lanes.map(calls => calls.map(call => ({ ...call, path: '/echo' })))
    const forMs = bench.quick ? 700 : 3_000
    const candidates = [
      ...loadCandidates(limit, () =>
        loader.run(limit, { url: limits.url, lanes: echoes, expects: [200], forMs }),
      ),
      ...loadCandidates(path, () =>
        loader.run(path, { url: app.url, lanes, expects: [201], forMs }),
      ),
    ]
    const measured = await interleave(candidates, roundsFor(bench.quick))
    const p99 = `${path}, p99`
    return {
      name: 'addToCart',
      measured,
      verdicts: [
        judge(measured, { row: 3, path, of: path, to: limit, bar: { atLeast: 0.35 } }),
        judge(measured, { row: 3, path: p99, of: p99, bar: { atMost: 25 } }),
      ],
      notes: [`${connections} carts of ${linesMax} products that go on filling; no worker runs`],
    }
  })
}

/** For each connection, requests of one customer that fill a cart, over and over. */
export async function cartLanes(back: AppServices, count: number): Promise<Call[][]> {
  const products = await newProducts(back, { count: 200, stock: 9_000_000 })
  const shoppers = await newShoppers(back, count)
  return shoppers.map((shopper, lane) => fill(shopper, products, { from: lane * linesMax }))
}

/** Requests that put some of the products into a cart. */
export function fill(
  { token }: Shopper,
  products: readonly string[],
  { from, lines = linesMax }: { from: number; lines?: number },
): Call[] {
  return Array.from({ length: lines }, (_, line) => {
    const productId = products[(from + line) % products.length]
    const body = { productId, quantity: 1 }
    return { method: 'POST' as const, path: '/api/cart/items', token, body }
  })
}
