// Row 3. Path: AddToCart over HTTP, 64 connections, each with a customer whose cart is warm. Limit:
// the least that the work needs, a bare route that validates the same body, checks the same token,
// asks for the heads of the same three streams and appends the same event, sharing round trips
// between requests as the shop does. Bars: at least 65 % of it, and p99 within 25 ms.
import { bareCandidates, bareLimit } from './bareLimits.ts'
import type { Bench } from './benchmark.ts'
import { interleave, judge, type Report, roundsFor } from './harness.ts'
import { type HttpBench, withHttp } from './httpBench.ts'
import { type LeastWork, recordLeastWork } from './leastWork.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { newProducts, newShoppers, type Shopper } from './people.ts'

const connections = 64
const linesMax = 5
const path = 'AddToCart'

export function addToCart(bench: Bench): Promise<Report> {
  const { database, quick } = bench
  return withHttp(bench, async http => {
    const { app, loader } = http
    const products = await newProducts(app.back, { count: 200, stock: 9_000_000 })
    const shoppers = await newShoppers(app.back, connections + 1)
    const work = await leastWork(bench, http, { shopper: shoppers.pop(), products })
    const lanes = shoppers.map((shopper, lane) =>
      fill(shopper, products, { from: lane * linesMax }),
    )
    const forMs = quick ? 1_000 : 3_000
    const candidates = [
      ...(await bareCandidates(http, work, { database, lanes, forMs })),
      ...loadCandidates(path, () =>
        loader.run(path, { url: app.url, lanes, expects: [201], forMs }),
      ),
    ]
    const measured = await interleave(candidates, roundsFor(quick))
    const p99 = `${path}, p99`
    return {
      name: 'addToCart',
      measured,
      verdicts: [
        judge(measured, { row: 3, path, of: path, to: bareLimit, bar: { atLeast: 0.65 } }),
        judge(measured, { row: 3, path: p99, of: p99, bar: { atMost: 25 } }),
      ],
      notes: [`${connections} carts of ${linesMax} products that go on filling; no worker runs`],
    }
  })
}

/** What the second AddToCart of a customer has written: the first opens the cart. */
async function leastWork(
  { database }: Bench,
  { app, loader }: HttpBench,
  { shopper, products }: { shopper: Shopper | undefined; products: string[] },
): Promise<LeastWork> {
  if (shopper === undefined) throw new Error('nobody to record an AddToCart of')
  const calls = fill(shopper, products, { from: 0, lines: 2 })
  const [first, second] = calls
  if (first === undefined || second === undefined) throw new Error('nothing to put into a cart')
  await loader.run('first AddToCart', { url: app.url, lanes: [[first]], expects: [201] })
  return recordLeastWork(database, app, {
    command: 'AddToCart',
    call: second,
    customer: shopper.id,
    products: products.slice(1, 2),
    catalogue: products,
  })
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
