// Row 7. Path: an order's details over HTTP, read by its signed-in owner. Limit: a route that asks
// the database for the same row with one prepared statement. Bar: at least 60 % of it.
import type { Bench } from './benchmark.ts'
import { interleave, judge, type Report, roundsFor } from './harness.ts'
import { withHttp } from './httpBench.ts'
import { loadCandidates } from './loader.ts'
import type { Call } from './loadPlan.ts'
import { newOrders, newProducts, newShoppers } from './people.ts'

const connections = 64
const ordersEach = 5
const path = 'own order detail'
const limit = 'one prepared select'
const select = 'select * from readmodel.orders where order_id = $1'

export function orderDetail(bench: Bench): Promise<Report> {
  return withHttp(bench, async ({ app, loader, startLimits }) => {
    const products = await newProducts(app.back, { count: 50, stock: 1_000_000 })
    const shoppers = await newShoppers(app.back, connections)
    const orders = await newOrders(app.back, { shoppers, products, each: ordersEach })
    const worker = await app.startWorker()
    await app.catchUp()
    await worker.stop()
    const limits = await startLimits({ select })
    const lanesOn = (prefix: string) =>
      shoppers.map(({ token }, owner) =>
        (orders[owner] ?? []).map((id): Call => ({ method: 'GET', path: `${prefix}${id}`, token })),
      )
    const forMs = bench.quick ? 700 : 3_000
    const send = (name: string, url: string, lanes: Call[][]) =>
      loader.run(name, { url, lanes, expects: [200], forMs })
    const asked = lanesOn('/api/orders/')
    const plain = lanesOn('/select/')
    const candidates = [
      ...loadCandidates(limit, () => send(limit, limits.url, plain)),
      ...loadCandidates(path, () => send(path, app.url, asked)),
    ]
    const measured = await interleave(candidates, roundsFor(bench.quick))
    return {
      name: 'orderDetail',
      measured,
      verdicts: [judge(measured, { row: 7, path, of: path, to: limit, bar: { atLeast: 0.6 } })],
      notes: [`${connections} connections, each with a customer who has ${ordersEach} orders`],
    }
  })
}
